#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/fold.h"

// The known positions of a workload with what was read there and when it was (docs/fold.md 1, 2).

// "It had begun by `instant`", and who says so. instant FOLD_NONE: nobody.
struct fold_evidence {
    int64_t instant;
    enum time_source source;
    int64_t log_index;
};

// "It had not begun before `instant`". instant FOLD_NONE: not known.
struct fold_bound {
    int64_t instant;
    int64_t log_index;
};

// True when a decides rather than b: earlier, else the better source, else the lower log index.
bool fold_evidence_is_better(const struct fold_evidence *a, const struct fold_evidence *b);

enum fold_terminal {
    TERMINAL_NONE,
    TERMINAL_DELETED,  // a reading says removed, or a request does
    TERMINAL_INFERRED, // a listing lacks it
};

// One position. Only the last one of a history can be terminal: nothing is placed there.
struct fold_moment {
    int64_t position;
    int64_t generation;
    const struct reading *chosen; // whose content counts; NULL when terminal
    int64_t fact_index;           // log index of it, or of the fact that removed the workload
    // Generations may be missing or fall (another reading was chosen), so the greatest is kept
    // beside.
    int64_t newest_generation; // greatest up to here
    bool is_terminal;
    struct fold_evidence upper;
    struct fold_bound lower;
    int64_t time;
    enum time_source time_source;
    int64_t time_index; // the greatest log index that decided time and lower
};

struct fold_history {
    struct fold_moment *moments; // ascending
    size_t count;
    enum fold_terminal terminal;
    // A resumed fold cannot use it, since those positions are not at hand: it may only ask whether
    // it would have decided something there.
    struct fold_evidence early; // best evidence that reaches behind `start`; resuming only
};

// What came before, when a history begins behind a checkpoint.
// fold_run starts before everything; a resumed walk at the checkpoint's position.
struct fold_start {
    int64_t position;          // older readings are left out; INT64_MIN: none are
    int64_t newest_generation; // FOLD_NONE
    struct fold_bound lower;
};

// Builds the history in the arena.
void fold_history_build(const struct fold_input *in, const struct fold_start *start,
                        struct fold_arena *arena, struct fold_history *out);
