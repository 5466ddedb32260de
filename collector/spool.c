// The spool as a whole: opening, closing, and transactions, which move the state, or put it back
// when they end in nothing. What events are is spool_event.c's, which of them may go
// spool_retention.c's, new numbers are spool_epoch.c's; where events go from here is the
// publisher's business.

#include "collector/spool.h"

#include <stdlib.h>

#include "collector/spool_file.h"
#include "collector/spool_parts.h"
#include "common/timestamp.h"

const char *spool_collector(const struct spool *spool)
{
    return spool->collector;
}

const char *spool_cluster(const struct spool *spool)
{
    return spool->cluster;
}

sqlite3 *spool_database(const struct spool *spool)
{
    return spool->db;
}

int64_t spool_epoch(const struct spool *spool)
{
    return spool->state.epoch;
}

int64_t spool_last(const struct spool *spool)
{
    return spool->state.next_seq - 1;
}

int64_t spool_acked(const struct spool *spool)
{
    return spool->state.acked;
}

int64_t spool_base(const struct spool *spool)
{
    return spool->state.base_seq;
}

int64_t spool_waiting_bytes(const struct spool *spool)
{
    return spool->state.waiting_bytes;
}

void spool_touch(struct spool *spool)
{
    spool->dirty = true;
}

bool spool_damaged(const struct spool *spool, const char *what, struct error *err)
{
    return fail(err, REACT_STOP,
                "spool %s is damaged: %s; hint: move it away, a new one begins with a full list",
                spool->options.path, what);
}

// What a turn of the loop needs is prepared once; what is rare, where it is used.
static bool prepare_statements(struct spool *spool, struct error *err)
{
    return spool_event_prepare(spool, err) && spool_retention_prepare(spool, err) &&
           spool_state_prepare(spool, err) && spool_clock_prepare(spool, err);
}

// The log is written back before anything is read: what a kill left unsynced must not be believed
// before it is durable. Nothing is given out that was not checked against its own state.
bool spool_open(const struct spool_options *options, struct spool **out, struct error *err)
{
    SCOPED(spool_close) struct spool *spool = xcalloc(1, sizeof(*spool));
    spool->options = *options;
    spool->options.path = xstrdup(options->path);
    spool->collector = xstrdup(options->collector);
    spool->cluster = xstrdup(options->cluster);
    if (!spool_file_open(options->path, &spool->db, err) ||
        !spool_wal_open(&spool->wal, spool->db, err) || !prepare_statements(spool, err) ||
        !spool_state_read(spool, err) || !spool_state_check(spool, err))
        return false;
    *out = spool;
    spool = NULL;
    return true;
}

void spool_close(struct spool *spool)
{
    if (spool == NULL)
        return;
    // All of them before the file: SQLite refuses to close one whose statements live.
    sqlite3_stmt *statements[] = {spool->insert,  spool->read,   spool->chain_at, spool->sum,
                                  spool->lengths, spool->remove, spool->save,     spool->clock};
    for (size_t i = 0; i < sizeof(statements) / sizeof(*statements); i++)
        sqlite3_finalize(statements[i]);
    spool_wal_close(&spool->wal);
    spool_file_close(spool->db);
    buffer_reset(&spool->line);
    xfree_char(spool->collector);
    xfree_char(spool->cluster);
    free((void *)(uintptr_t)spool->options.path); // our copy; const is for the caller's
    free(spool);
}

// Events get their numbers before the commit, so the state runs ahead, and a copy waits for a
// rollback.
bool spool_begin(struct spool *spool, struct error *err)
{
    spool->before = spool->state;
    spool->dirty = false;
    return spool_file_execute(spool->db, "BEGIN", err);
}

void spool_rollback(struct spool *spool)
{
    // SQLite may have rolled back by itself; an error of this ROLLBACK says just that.
    sqlite3_exec(spool->db, "ROLLBACK", NULL, NULL, NULL);
    spool->state = spool->before;
    spool->dirty = false;
    // Perhaps for want of room: spool_tend makes some before the next try.
    spool->refused = true;
}

// A transaction that wrote nothing costs no sync: state, milestone and room are for those that did.
bool spool_commit(struct spool *spool, struct error *err)
{
    // Room comes last, when it is known how much the transaction takes.
    bool done =
        !spool->dirty || (spool_milestone_note(spool, err) && spool_state_save(spool, err) &&
                          spool_wal_reserve(&spool->wal, err));
    if (!done || !spool_file_execute(spool->db, "COMMIT", err)) {
        spool_rollback(spool);
        return false;
    }
    if (spool->dirty) {
        spool->saved_acked = spool->state.acked;
        spool->saved_ms = monotonic_ms();
    }
    spool->dirty = false;
    return true;
}

// One at a time: each has the same name, and `marked` is of the last.
bool spool_savepoint(struct spool *spool, struct error *err)
{
    spool->marked = spool->state;
    spool->marked_dirty = spool->dirty;
    return spool_file_execute(spool->db, "SAVEPOINT step", err);
}

bool spool_release(struct spool *spool, struct error *err)
{
    return spool_file_execute(spool->db, "RELEASE step", err);
}

bool spool_take_back(struct spool *spool, struct error *err)
{
    spool->state = spool->marked;
    spool->dirty = spool->marked_dirty;
    spool->refused = true;
    // On a full disk SQLite may have given up the whole transaction already.
    if (sqlite3_get_autocommit(spool->db))
        return fail(err, REACT_RETRY, "spool %s lost its transaction", spool->options.path);
    return spool_file_execute(spool->db, "ROLLBACK TO step; RELEASE step", err);
}
