#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "store/fold_arena.h"
#include "store/fold_input.h"

// Names a model version from a placement's raw identity and the central rules; the
// ladder, the normalisation and their examples are in docs/naming.md.

// In the order of the ladder. The numbers stand in checkpoints: a change of the order changes their
// format.
enum identity_source {
    IDENTITY_LABEL,
    IDENTITY_PATTERN,
    IDENTITY_REGISTRY,
    IDENTITY_HF,
    IDENTITY_OCI,
    IDENTITY_URI,
    IDENTITY_IMAGE,
    IDENTITY_UNKNOWN,
};

struct identity {
    const char *model;
    const char *version;         // NULL: unknown
    const char *artifact;        // normalised; NULL: none or unknown
    const char *artifact_digest; // NULL: not proven
    enum identity_source source;
};

// Artifact patterns of the central file in force.
struct naming_rules {
    // Of the event since which these patterns hold; 0 before the first that had any.
    int64_t log_index;
    char **patterns;
    size_t count;
};

// Takes the `artifacts` of a central.applied event (its data) into the rules. Returns true when the
// patterns differ from before: then log_index moves and every workload must be folded in full.
// Events must come in the log's order. Patterns that are no strings are left out.
bool naming_rules_apply(struct naming_rules *rules, const cJSON *central, int64_t log_index);
// Frees the patterns; the rules are empty then.
void naming_rules_reset(struct naming_rules *rules);

// The source's name in tables, such as "registry".
const char *identity_source_name(enum identity_source source);

// Names the placement of a workload; strings live in the arena or the placement.
void naming_of(const struct naming_rules *rules, const char *workload,
               const struct raw_placement *placement, struct fold_arena *arena,
               struct identity *out);

// Names what is known of a workload without any artifact: model by its name, all else unknown.
void naming_of_unknown(const char *workload, struct identity *out);

// The normalised form of an artifact's URI, in the arena.
const char *naming_normalise_uri(const char *uri, struct fold_arena *arena);

// True when a path segment looks like a version: v3, 1.4.0, a date, a commit.
bool naming_is_version(const char *segment, size_t length);
