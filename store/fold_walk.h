#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "store/fold.h"
#include "store/fold_credit.h"
#include "store/fold_history.h"
#include "store/fold_keyset.h"
#include "store/fold_placed.h"
#include "store/fold_revision.h"
#include "store/fold_rows.h"

// The walk from position to position. fold_state is all that it remembers: printed, it is a
// checkpoint.

// A version's unbroken presence in the workload (R10).
// Ends when no component has the identity any more; one that comes back later is a new presence.
struct fold_presence {
    uint8_t identity_key[DIGEST_BYTES];
    int64_t position; // where it began, and its bounds
    int64_t at;
    int64_t after;
    enum time_source time_source;
    int64_t generation;
    int64_t start_index;  // greatest log index behind its beginning
    int64_t credit_index; // of the requests credited with it; 0: none
    int64_t ready_at;     // or FOLD_NONE
    int64_t ready_index;
};

// A placement row that has not ended.
// Known up to the position before: what the fold says of it when it ends is as of then.
struct fold_open_row {
    struct fold_placed placed; // as of the last position
    const char *state;         // as of the last position
    char placement_id[24];
    int64_t from_position;
    int64_t valid_from;
    int64_t valid_from_after;
    int64_t recorded_index;
    int64_t start_index; // greatest log index behind its beginning
};

struct fold_open_route {
    struct raw_route route;
    int64_t from_position;
    int64_t valid_from;
    int64_t recorded_index;
    int64_t start_index;
};

// Whatever is added here must go into the checkpoint as well, or resuming would differ from folding
// all.
struct fold_state {
    bool has_previous; // a position came before; the next six tell of it
    int64_t previous_position;
    int64_t previous_generation;
    int64_t previous_index;
    struct fold_evidence previous_upper;
    uint8_t previous_spec[DIGEST_BYTES]; // digest of its raw placements; from checkpoints only
    struct fold_bound lower;

    int64_t
        newest_generation; // greatest so far; the next three tell of the position that raised it
    int64_t raised_position;
    struct fold_evidence raised_upper;
    struct fold_credits raised_credits;

    struct fold_open_row *rows; // ascending by row_key
    size_t row_count;
    struct fold_presence *presences; // ascending by identity_key
    size_t presence_count;
    struct fold_open_route *routes; // ascending by target_kind, target, role
    size_t route_count;
    struct fold_keyset seen; // row keys of all desired placements so far (R12, rolled_back)
};

struct fold_walk {
    const struct fold_input *in;
    struct fold_arena arena; // what lives as long as the walk: names, credits
    // A step makes its lists from those of the step before; with two arenas a history of a million
    // positions needs the memory of two.
    struct fold_arena steps[2]; // lists of this step and of the one before, in turn
    unsigned turn;
    struct fold_history history;
    struct fold_requests requests;
    struct fold_revisions revisions;
    struct fold_spec spec; // of the last position, to spare naming an unchanged one again
    // Filled by fold_compose; asked for by credits_of.
    bool is_same_spec; // as the position before in this walk
    bool has_stepped;  // the position before was in this walk, not in a checkpoint
    struct fold_state state;
    struct fold_rows rows;
};

// Zeroed walk storage becomes the state before the first position.
void fold_state_init(struct fold_state *state);

// Memory for lists that the next step reads and no later one.
static inline struct fold_arena *fold_walk_memory(struct fold_walk *walk)
{
    return &walk->steps[walk->turn];
}

// Goes one position on: ends and begins rows, notes changes and who made them.
void fold_walk_step(struct fold_walk *walk, const struct fold_moment *moment);

// Emits the rows that are open at the end.
void fold_walk_finish(struct fold_walk *walk);

// Frees what the walk holds, its arena included.
void fold_walk_reset(struct fold_walk *walk);

// fold_compose.c: all placements at the moment, desired and lingering, ascending by row_key.
struct fold_placed *fold_compose(struct fold_walk *walk, const struct fold_moment *moment,
                                 size_t *count);

// fold_change.c: the changes between the rows open before and `placed`; returns whether there are
// any.
bool fold_walk_compare(struct fold_walk *walk, const struct fold_moment *moment,
                       const struct fold_placed *placed, size_t count,
                       const struct fold_credits *credits);

// fold_route.c: routes as of the moment.
void fold_walk_routes(struct fold_walk *walk, const struct fold_moment *moment);
void fold_walk_finish_routes(struct fold_walk *walk);

// True when the moment's reading is ready for a generation (R16).
bool fold_is_ready_for(const struct fold_state *state, const struct fold_moment *moment,
                       int64_t generation);

// "PREFIX-" and 16 hex digits of the SHA-256 of cluster, resource, uid and two more members.
void fold_make_id(const struct fold_input *in, char prefix, const char *first, const char *second,
                  char id[24]);
