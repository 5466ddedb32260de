#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/database.h"
#include "common/digest.h"
#include "store/allow_list.h"
#include "store/batch_event.h"

// One transaction: from data frames to committed log rows, facts, beliefs and marks
// (docs/architecture.md).

// None of them is an error of the batch: other parts are committed all the same.
enum part_outcome {
    PART_STORED, // acked says how far; also when all of it was a repeat
    PART_GAP,    // first is beyond acked + 1
    PART_FORK,   // the chain differs from what is stored, or a newer epoch exists
};

// One data frame's worth of one collector. The caller fills the first group.
struct batch_part {
    const struct allowed *allowed; // NULL for the store's own collector "_store"
    const char *collector;
    int64_t epoch;
    int64_t first; // seq of the first line
    int64_t count;
    uint8_t chain[DIGEST_BYTES]; // before first
    const char *lines;           // count lines, each ended by '\n'
    size_t length;               // of lines, in bytes
    int64_t lag_us;              // how far its sender's clock is behind ours; 0 = not noticeably
    // Borrowed, and only read: a batch that is tried again or halved uses it again.
    const struct batch_event *read; // its first lines, read ahead; read_count may be 0
    size_t read_count;

    enum part_outcome outcome; // filled on success
    int64_t acked;             // highest committed seq of this epoch
    uint8_t acked_chain[DIGEST_BYTES];
    char message[256]; // for GAP and FORK
};

// Stores the parts in order, in one transaction, and fills their outcomes. Events that cannot be
// used, or that speak for a scope which the collector may not (its row says why), are stored as
// quarantined and acknowledged. Repeats are acknowledged and not stored. False: nothing was
// committed, or the outcome of COMMIT is unknown; calling again with the same parts settles it.
bool batch_store(struct database *db, struct batch_part *parts, size_t count,
                 struct error *err) WARN_UNUSED;

// Reads the mark of (collector, epoch): seq 0 and a zero chain when there is none. *newest receives
// the newest epoch known of this collector, 0 when none.
bool mark_read(struct database *db, const char *collector, int64_t epoch, int64_t *seq,
               uint8_t chain[DIGEST_BYTES], int64_t *newest, struct error *err) WARN_UNUSED;

// What a beat, or a hello, says of its collector, and what became of it.
struct heard {
    int64_t epoch;
    int64_t acked;       // what it was told to be stored: looks say that nothing followed it
    int64_t at;          // its clock when it was sent, microseconds; 0 = not told
    const char *program; // NULL = not told
    const char *looks;   // JSON array as received, checked here; NULL leaves the mark's
    size_t looks_length;
    const char *trouble; // what the collector says is wrong; "" or NULL = nothing
    int64_t heard_at;    // out: the database's clock
    bool is_newest;      // out: false when a newer epoch of the collector is known
    bool is_stored;      // out: false when the database has less than acked: it was set back
};

// Notes that the collector was heard: seen_at, its looks and trouble, and its clock's skew. Without
// looks it does nothing else when the epoch has no mark yet, and with looks creates it. When a
// newer epoch is known nothing is noted of a beat, for its looks are of a spool that was given up
// (docs/rules.md 26); nor when the database lacks what was acknowledged, for then they would cover
// a time of which events are missing.
bool mark_touch(struct database *db, const struct allowed *allowed, struct heard *heard,
                struct error *err) WARN_UNUSED;

// Notes that a store lives, in the mark of the store's own collector, or, with TROUBLE_STOPPED,
// that it has ended in order. Does nothing while the store never logged anything.
bool mark_touch_own(struct database *db, const char *trouble, struct error *err) WARN_UNUSED;
