#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/fold_history.h"

// Which requests are credited with a position (docs/fold.md 5).

struct fold_credit {
    int64_t request_index;
    bool is_exact; // else ambiguous
};

struct fold_credits {
    struct fold_credit *items; // ascending by request_index, in the arena
    size_t count;
};

// The requests that matter, in two orders.
// Two orders, because a position is asked for by its number and by its generation. Requests are
// borrowed from the input.
struct fold_requests {
    const struct fold_request **by_position;   // with a position; then by time
    const struct fold_request **by_generation; // with a generation, no scale; then by time
    size_t position_count;
    size_t generation_count;
    const struct fold_request *deletion; // the earliest delete of the object; NULL: none
};

// Sorts the requests that matter into candidates and removers; memory is the arena's
// (docs/fold.md 5).
void fold_requests_build(const struct fold_input *in, struct fold_arena *arena,
                         struct fold_requests *out);

// What a moment is credited with by its own position and generation. `newest_before` is the
// greatest generation of the positions below it, or FOLD_NONE.
void fold_credits_of(const struct fold_requests *requests, const struct fold_moment *moment,
                     int64_t newest_before, struct fold_arena *arena, struct fold_credits *out);

// The greatest request index; 0 when there is none.
int64_t fold_credits_index(const struct fold_credits *credits);
