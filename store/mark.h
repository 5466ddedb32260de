#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/database.h"
#include "store/batch.h"

// Marks inside a batch's transaction; mark_read and mark_touch are in store/batch.h.

// One stream: a collector's epochs are streams of their own, of which only the newest may go on.
struct mark {
    const char *collector; // borrowed from the part
    int64_t epoch;
    int64_t seq;
    uint8_t chain[DIGEST_BYTES];
    int64_t newest; // newest epoch of this collector
    bool moved;     // seq advanced in this batch
};

// A batch has a few, so they are searched through.
struct marks {
    struct mark *items;
    size_t count;
};

// Locks and reads the marks of all parts; those that do not exist yet have seq 0 and a zero chain.
bool marks_lock(struct database *db, const struct batch_part *parts, size_t count,
                struct marks *marks, struct error *err) WARN_UNUSED;

// The mark of a part's stream, borrowed.
struct mark *marks_find(struct marks *marks, const char *collector, int64_t epoch);

// Makes every other mark of its collector know that the mark's epoch is there.
void marks_raise(struct marks *marks, const struct mark *mark);

// Writes those that moved.
bool marks_write(struct database *db, const struct marks *marks, struct error *err) WARN_UNUSED;

// Frees the marks; the row locks end with the transaction.
void marks_reset(struct marks *marks);
