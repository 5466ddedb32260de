#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/error.h"
#include "store/fold_walk.h"

// A checkpoint: the walk's state before the newest known position, as JSON of one fixed spelling.
// Only this file writes it, so the reader takes exactly what the writer makes, and nothing else.

// How a checkpoint begins; the number counts up whenever the spelling changes.
// Checkpoints of another format are not converted: folding in full makes new ones.
#define FOLD_CHECKPOINT_HEAD "{\"format\":2,\"position\":"

struct fold_checkpoint {
    int64_t position;    // the first position that the state does not know
    int64_t rules_index; // naming_rules.log_index that named it
};

// Appends the checkpoint before `moment`. Names the revisions it prints.
void fold_checkpoint_print(struct fold_walk *walk, const struct fold_moment *moment,
                           struct buffer *out);

// Fills the walk's state, revisions and lookups. False with react REJECT when the text is of
// another format, so that the caller folds in full; STOP when it is damaged.
bool fold_checkpoint_read(const char *text, struct fold_walk *walk, struct fold_checkpoint *out,
                          struct error *err) WARN_UNUSED;

// Which older requests that matter the walk behind the checkpoint may ask for, beside those with a
// position from its own on. FOLD_NONE of either: all that a condition on it would choose from.
struct fold_tail {
    int64_t generation; // those with a greater one
    int64_t since;      // windowed ones (fold_request_is_windowed) from this instant on
};

// Read without reading on; FOLD_NONE when they are not known, or the text is of another format.
struct fold_tail fold_checkpoint_tail(const char *text);
