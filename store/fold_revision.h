#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/fold_history.h"
#include "store/fold_placed.h"

// Which artifact a KServe revision stands for (R14), and which questions about it were answered
// from later positions: those answers may still change.

struct fold_revision {
    const char *name;
    int64_t position;              // of the reading that maps it
    int64_t log_index;             // of the same
    const struct reading *reading; // NULL when it comes from a checkpoint; then it is named
    struct fold_placed placed;     // component, role and keys mean nothing
    bool is_named;
};

// A question whose answer came from a later position, or was "unknown" (log_index 0).
struct fold_lookup {
    const char *name;
    int64_t position;  // of the mapping; INT64_MAX when unknown
    int64_t log_index; // of the mapping; 0 when unknown
};

// A map by name and the questions asked of it; memory is malloc's, since both grow.
struct fold_revisions {
    struct fold_revision *entries; // ascending by name, one each
    size_t count;
    size_t capacity;
    struct fold_lookup *lookups;
    size_t lookup_count;
    size_t lookup_capacity;
};

// Adds what the history's readings map; entries that are there (from a checkpoint) win.
void fold_revisions_build(struct fold_revisions *revisions, const struct fold_history *history);

// The revision, named, as asked for at a position; NULL when nothing maps it.
const struct fold_revision *fold_revisions_find(struct fold_revisions *revisions,
                                                const struct fold_input *in, const char *name,
                                                int64_t position, struct fold_arena *arena);

// Names a revision that the caller goes on to print.
void fold_revision_name(struct fold_revision *revision, const struct fold_input *in,
                        struct fold_arena *arena);

// Leaves the lookups whose answers come from `position` or above: one for each name, ascending.
void fold_revisions_trim(struct fold_revisions *revisions, int64_t position);

// Frees the map and the questions asked of it.
void fold_revisions_reset(struct fold_revisions *revisions);
