#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/spool.h"
#include "collector/spool_wal.h"
#include "common/buffer.h"
#include "common/digest.h"
#include "common/error.h"

// Inside the spool: what its parts share, and what one does for another. Each part prepares its own
// statements when the spool is opened; spool_close frees them all.

// What the numbers of a spool are. All of it but the sums and milestone_ms is a row of the file.
struct spool_state {
    int64_t epoch;                    // milliseconds since 1970: when it began, or later
    int64_t next_seq;                 // of the next event, from 1
    uint8_t chain[DIGEST_BYTES];      // after the newest event
    int64_t acked;                    // newest event that the store has
    int64_t base_seq;                 // newest event deleted here
    uint8_t base_chain[DIGEST_BYTES]; // after it
    int64_t total_bytes;              // lines on disk
    int64_t waiting_bytes;            // of them, behind acked
    int64_t milestone_ms;             // by the monotonic clock; 0 = none yet
};

struct spool {
    sqlite3 *db;
    struct spool_wal wal;
    struct spool_options options;
    char *collector;
    char *cluster;
    struct spool_state state;
    struct spool_state before; // as of begin
    struct spool_state marked; // as of savepoint
    bool dirty;                // the transaction wrote something
    bool marked_dirty;         // as of savepoint
    bool refused;              // something was taken back since spool_tend
    int64_t saved_acked;       // as on disk
    int64_t saved_ms;          // when that was written, by the monotonic clock
    struct buffer line;        // the one that is being written

    sqlite3_stmt *save; // spool_state.c

    sqlite3_stmt *insert; // spool_event.c
    sqlite3_stmt *read;
    sqlite3_stmt *chain_at;
    sqlite3_stmt *sum;

    sqlite3_stmt *lengths; // spool_retention.c
    sqlite3_stmt *remove;

    sqlite3_stmt *clock; // spool_clock.c
};

// Fills err with STOP, what is wrong with the file, and what a person can do; returns false.
bool spool_damaged(const struct spool *spool, const char *what, struct error *err);

// spool_state.c: the state on disk.

bool spool_state_prepare(struct spool *spool, struct error *err) WARN_UNUSED;

// Reads the state; a file without one is new and gets the first. STOP when it is another's.
bool spool_state_read(struct spool *spool, struct error *err) WARN_UNUSED;

// Compares the state with the events that are there, and sums their bytes. STOP when they differ.
bool spool_state_check(struct spool *spool, struct error *err) WARN_UNUSED;

// Writes the state, in the open transaction if there is one.
bool spool_state_save(struct spool *spool, struct error *err) WARN_UNUSED;

// spool_event.c: events on disk.

bool spool_event_prepare(struct spool *spool, struct error *err) WARN_UNUSED;

// Inserts the event in spool->line, which bears the next number, and moves the state past it.
bool spool_event_insert(struct spool *spool, struct error *err) WARN_UNUSED;

// Sums the lines of the events behind `above` up to `to`, in bytes and in number.
bool spool_event_sum(struct spool *spool, int64_t above, int64_t to, int64_t *bytes, int64_t *count,
                     struct error *err) WARN_UNUSED;

// Copies a chain out of a row; false, without a message, when the column holds none.
bool spool_event_chain(sqlite3_stmt *row, int column, uint8_t chain[DIGEST_BYTES]) WARN_UNUSED;

// spool_retention.c: which events may go.

bool spool_retention_prepare(struct spool *spool, struct error *err) WARN_UNUSED;

// Deletes acknowledged events until a line of this length fits below max_bytes, in the open
// transaction. RETRY when what waits for the store leaves no room for it.
bool spool_make_room(struct spool *spool, size_t length, struct error *err) WARN_UNUSED;

// spool_milestone.c: where the spool stood, and when.

// Notes it in the open transaction, when the last note is old enough.
bool spool_milestone_note(struct spool *spool, struct error *err) WARN_UNUSED;

// Gives the latest time (microseconds) before which nothing was lost by a store that still has
// event seq.
bool spool_milestone_find(struct spool *spool, int64_t seq, int64_t *at,
                          struct error *err) WARN_UNUSED;

// spool_clock.c: between which events the clock was set.

bool spool_clock_prepare(struct spool *spool, struct error *err) WARN_UNUSED;

// Moves the steps with the events, whose numbers have changed by so much.
bool spool_clock_renumber(struct spool *spool, int64_t by, struct error *err) WARN_UNUSED;
