#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/kinds.h"
#include "common/error.h"

// What an extractor reads out of one object: placements, routes, revisions and readiness, as
// docs/events.md lists them. Raw identity only: versions are named in the fold.

#define EXTRACTION_MAX_PLACEMENTS 1000
#define EXTRACTION_MAX_ROUTES 1000
// In bytes; the store takes no longer ones, since some become parts of index keys.
#define EXTRACTION_MAX_COMPONENT 506
#define EXTRACTION_MAX_NAME 253      // a node, route target or revision
#define EXTRACTION_MAX_IDENTITY 2000 // a URI or image
#define EXTRACTION_MAX_LABEL 512     // an identity label

#define PERCENT_NONE (-1.0)
#define REPLICAS_NONE (-1)

enum role { ROLE_LIVE, ROLE_CANARY, ROLE_SHADOW, ROLE_EXPLAINER, ROLE_TRANSFORMER };

// Strings are borrowed from the object or from the extraction's pool; NULL = not known.
struct placement {
    const char *component; // unique in the extraction
    const char *base;      // the same without "#2"
    enum role role;
    double percent; // PERCENT_NONE where the kind has none
    bool stopped;
    int64_t replicas; // REPLICAS_NONE when the spec does not say
    const char *node; // what tells it from the workload's other models; NULL for its own
    const char *uri;  // as written, but for what redaction removed
    const char *artifact_version; // Core 2
    const char *image;
    bool revisioned;        // a KServe revision stands for this artifact
    const cJSON *labels[4]; // maps nearer than the object's own: labels, annotations, nearest first
};

struct route {
    const char *target;
    const char *target_kind;
    const char *role; // "candidate", "mirror", "step"
    double percent;   // PERCENT_NONE when not given
};

struct traffic {
    const char *revision;
    double percent;
};

struct revisions {
    bool known; // status speaks of revisions
    const char *latest_created;
    const char *kept; // the older revision that a canary leaves in place
    struct traffic *traffic;
    size_t count;
    size_t capacity;
};

enum readiness { READY_UNKNOWN, READY_NO, READY_YES };

struct extraction {
    struct placement *placements;
    size_t placement_count;
    size_t placement_capacity;
    struct route *routes;
    size_t route_count;
    size_t route_capacity;
    struct revisions revisions;
    enum readiness ready;
    bool failed;
    int64_t ready_since;  // upper bound, or TIMESTAMP_NONE
    struct error problem; // why the object cannot be used; react is REACT_NONE while it can
    char **pool;          // composed strings
    size_t pool_count;
    size_t pool_capacity;
    struct placement overflow; // where placements beyond the limit go, unread
};

// Runs the kind's extractor. REJECT when the object holds more, or longer names, than an event can
// carry. `out` must be zeroed, stays valid as long as `object`, and is freed with extraction_reset.
bool extraction_read(const struct kind *kind, const cJSON *object, struct extraction *out,
                     struct error *err) WARN_UNUSED;

// Frees what the extraction owns.
void extraction_reset(struct extraction *extraction);

// Adds ready, failed, ready_since, placements, revisions and routes to the data of the event.
void extraction_add_to(const struct extraction *extraction, const cJSON *object, cJSON *data);

// For extractors. The placement is `live` without traffic and replicas; it stays where it is only
// until the next one is added. A component that occurred before gets "#2", "#3" (docs/rules.md 11).
struct placement *extraction_place(struct extraction *out, const char *component);

// For extractors: a composed string that the extraction owns.
const char *extraction_text(struct extraction *out, const char *format, ...) PRINTF_LIKE(2, 3);

// For extractors: a route. Two to one target in one role become one whose percent is their sum.
void extraction_route(struct extraction *out, const char *target_kind, const char *target,
                      const char *role, double percent);

// For extractors: why the object cannot be used; the first reason counts.
void extraction_problem(struct extraction *out, const char *format, ...) PRINTF_LIKE(2, 3);

// Four places, so that thirds are the same text everywhere; for numbers from 0 to 100.
double percent_round(double percent);

// The share in percent of a weight, rounded; PERCENT_NONE when there is no sum.
double percent_of(double weight, double sum);

// The member when it is a number from 0 to 100, else PERCENT_NONE.
double percent_read(const cJSON *object, const char *key);

// The member's string when it is one and not empty, else NULL; borrowed.
const char *filled_text(const cJSON *object, const char *key);

// The replicas by the spec: the member when it is a whole number from 0 on, else `otherwise`.
int64_t replicas_read(const cJSON *object, const char *key, int64_t otherwise);
