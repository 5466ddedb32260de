#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/error.h"
#include "common/memory.h"

// The events that a collector has accepted and the store has not yet acknowledged, plus some that
// it has, for a store that goes back (docs/architecture.md, invariants 1 and 2). Knows sequence,
// epoch and chain.

struct spool;

struct spool_options {
    const char *path;
    const char *collector;
    const char *cluster;
    int64_t max_bytes;     // of event lines; append says RETRY beyond it
    int64_t retain_events; // acknowledged events that are kept, at most this many ...
    int64_t retain_bytes;  // ... and this many bytes
};

// Opens or creates the spool. STOP when it belongs to another collector or cluster, is in use, or
// is damaged. The caller closes with spool_close.
bool spool_open(const struct spool_options *options, struct spool **out,
                struct error *err) WARN_UNUSED;
void spool_close(struct spool *spool);
DEFINE_CLEANUP(struct spool, spool_close)

const char *spool_collector(const struct spool *spool);
const char *spool_cluster(const struct spool *spool);
sqlite3 *spool_database(const struct spool *spool); // borrowed, for tables beside the events

int64_t spool_epoch(const struct spool *spool);
int64_t spool_last(const struct spool *spool);          // newest event, 0 when there was none
int64_t spool_acked(const struct spool *spool);         // newest event known to be committed
int64_t spool_base(const struct spool *spool);          // newest event deleted here
int64_t spool_waiting_bytes(const struct spool *spool); // of lines behind acked

// One transaction at a time; commit is durable when it returns true. A failed commit has rolled
// back.
bool spool_begin(struct spool *spool, struct error *err) WARN_UNUSED;
bool spool_commit(struct spool *spool, struct error *err) WARN_UNUSED;
void spool_rollback(struct spool *spool);

// A part of the open transaction that can be taken back by itself.
bool spool_savepoint(struct spool *spool, struct error *err) WARN_UNUSED;
bool spool_release(struct spool *spool, struct error *err) WARN_UNUSED;
bool spool_take_back(struct spool *spool, struct error *err) WARN_UNUSED;

// Appends an event in the open transaction; as outbox_event.
bool spool_append(struct spool *spool, const char *type, const char *subject, int64_t time,
                  const char *data, size_t length, struct error *err) WARN_UNUSED;

// Notes in the open transaction that the clock was set by so much: events behind it are of another
// clock than those before it.
bool spool_clock_set(struct spool *spool, int64_t by_us, struct error *err) WARN_UNUSED;

// What the clock that event `first` was made by says now, microseconds; *count receives how many
// events from it on were made by the same, at most `most`.
bool spool_clock_of(struct spool *spool, int64_t first, int64_t most, int64_t *now, int64_t *count,
                    struct error *err) WARN_UNUSED;

// Notes that the transaction wrote something beside events, such as a cursor.
void spool_touch(struct spool *spool);

// Gives the chain after event seq; *known is false when neither the event nor its chain is here.
bool spool_chain_at(struct spool *spool, int64_t seq, uint8_t chain[DIGEST_BYTES], bool *known,
                    struct error *err) WARN_UNUSED;

// Appends committed event lines from `first` on, each with its newline, to out: as many as fit both
// bounds, but at least one when there is one. *count receives their number.
bool spool_read(struct spool *spool, int64_t first, int64_t max_events, size_t max_bytes,
                struct buffer *out, int64_t *count, struct error *err) WARN_UNUSED;

// Notes how far the store has committed, forward or back. Outside of transactions.
bool spool_acknowledge(struct spool *spool, int64_t acked, struct error *err) WARN_UNUSED;

// True when acked has moved since it was last written, now and then: worth a write of its own
// (spool_touch), so that a store that goes back is noticed after a restart too.
bool spool_wants_save(const struct spool *spool);

// True when acknowledged events beyond what is retained wait for spool_trim.
bool spool_wants_trim(const struct spool *spool);

// Deletes some of them, in the open transaction.
bool spool_trim(struct spool *spool, struct error *err) WARN_UNUSED;

// Between transactions, before each: writes the log back when it is long. After a transaction that
// was taken back, as on a full disk, it deletes some acknowledged events too, so that those which
// wait for room find it. A disk that is still full is no error.
bool spool_tend(struct spool *spool, struct error *err) WARN_UNUSED;

// Writes the log back now, as at the end of the program, where an error can still be told.
bool spool_write_back(struct spool *spool, struct error *err) WARN_UNUSED;

// For a store that has lost events which are no longer here: begins a new epoch whose first events
// are the gap, then all events still here under new numbers, and forgets cursors and known objects
// so that sources read anew. Makes its own transaction.
bool spool_new_epoch(struct spool *spool, int64_t store_acked, struct error *err) WARN_UNUSED;

// True when nothing of this spool was ever acknowledged and its epoch may become one above
// `newest`.
bool spool_may_move(const struct spool *spool, int64_t newest);

// Gives all events new numbers in an epoch above `newest`; nothing is lost and nothing is read
// anew. Makes its own transaction.
bool spool_move_epoch(struct spool *spool, int64_t newest, struct error *err) WARN_UNUSED;
