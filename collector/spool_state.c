// The one row that says where a spool stands, and whether the spool may be used at all: it must be
// this collector's, and its events must be those that the row speaks of.

#include <string.h>

#include "collector/clock.h"
#include "collector/spool_file.h"
#include "collector/spool_parts.h"
#include "common/text.h"
#include "common/timestamp.h"

#define SAVE_EVERY_MS 1000 // a sync a second at most, for acknowledgements alone

bool spool_state_prepare(struct spool *spool, struct error *err)
{
    return spool_file_prepare(spool->db,
                              "INSERT OR REPLACE INTO spool VALUES"
                              " (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                              &spool->save, err);
}

// The state goes with every transaction that wrote something, so that file and numbers never
// differ.
bool spool_state_save(struct spool *spool, struct error *err)
{
    const struct spool_state *state = &spool->state;
    sqlite3_stmt *save = spool->save;
    sqlite3_bind_text(save, 1, spool->collector, -1, SQLITE_STATIC);
    sqlite3_bind_text(save, 2, spool->cluster, -1, SQLITE_STATIC);
    sqlite3_bind_int64(save, 3, state->epoch);
    sqlite3_bind_int64(save, 4, state->next_seq);
    sqlite3_bind_blob(save, 5, state->chain, DIGEST_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(save, 6, state->acked);
    sqlite3_bind_int64(save, 7, state->base_seq);
    sqlite3_bind_blob(save, 8, state->base_chain, DIGEST_BYTES, SQLITE_STATIC);
    return spool_file_run(save, err);
}

// Not each acknowledgement is worth a sync: one that a crash forgets, the store tells again.
bool spool_wants_save(const struct spool *spool)
{
    return spool->state.acked != spool->saved_acked &&
           monotonic_ms() - spool->saved_ms >= SAVE_EVERY_MS;
}

// Two collectors on one spool would send each other's events under a wrong name.
static bool check_owner(const struct spool *spool, const char *what, const char *found,
                        const char *wanted, struct error *err)
{
    if (text_equal(found, wanted))
        return true;
    return fail(
        err, REACT_STOP,
        "spool %s belongs to %s '%.64s', not to '%.64s'; hint: give each its own spool file",
        spool->options.path, what, found ? found : "", wanted);
}

static bool load_state(struct spool *spool, sqlite3_stmt *row, struct error *err)
{
    struct spool_state *state = &spool->state;
    if (!check_owner(spool, "collector", (const char *)sqlite3_column_text(row, 0),
                     spool->collector, err) ||
        !check_owner(spool, "cluster", (const char *)sqlite3_column_text(row, 1), spool->cluster,
                     err))
        return false;
    state->epoch = sqlite3_column_int64(row, 2);
    state->next_seq = sqlite3_column_int64(row, 3);
    state->acked = sqlite3_column_int64(row, 5);
    state->base_seq = sqlite3_column_int64(row, 6);
    spool->saved_acked = state->acked;
    if (!spool_event_chain(row, 4, state->chain) || !spool_event_chain(row, 7, state->base_chain))
        return spool_damaged(spool, "its state is unreadable", err);
    return true;
}

// A new file is a new epoch, named by the time of its birth.
bool spool_state_read(struct spool *spool, struct error *err)
{
    SCOPED(spool_statement_free) sqlite3_stmt *select = NULL;
    bool row;
    if (!spool_file_prepare(spool->db,
                            "SELECT collector, cluster, epoch, next_seq, chain, acked, base_seq,"
                            " base_chain FROM spool",
                            &select, err) ||
        !spool_file_row(select, &row, err))
        return false;
    if (row)
        return load_state(spool, select, err);
    spool->state = (struct spool_state){.epoch = clock_now() / 1000, .next_seq = 1};
    return spool_state_save(spool, err);
}

// Events are numbered without gaps, so their count says whether they are all there.
static bool check_count(struct spool *spool, struct error *err)
{
    struct spool_state *state = &spool->state;
    int64_t last = state->next_seq - 1;
    int64_t count;
    if (!spool_event_sum(spool, state->base_seq, last, &state->total_bytes, &count, err) ||
        count != last - state->base_seq)
        return spool_damaged(spool, "events are missing", err);
    return true;
}

// The sums are made anew at each start and kept from there on: they are not in the file.
static bool sum_waiting(struct spool *spool, struct error *err)
{
    struct spool_state *state = &spool->state;
    int64_t acked_count;
    int64_t acked_bytes;
    if (!spool_event_sum(spool, state->base_seq, state->acked, &acked_bytes, &acked_count, err))
        return false;
    state->waiting_bytes = state->total_bytes - acked_bytes;
    return true;
}

// A file that lost or gained rows must not be sent from: the store would see a gap or a fork.
bool spool_state_check(struct spool *spool, struct error *err)
{
    if (!check_count(spool, err) || !sum_waiting(spool, err))
        return false;
    uint8_t chain[DIGEST_BYTES];
    bool known;
    if (!spool_chain_at(spool, spool_last(spool), chain, &known, err))
        return false;
    if (!known || memcmp(chain, spool->state.chain, DIGEST_BYTES) != 0)
        return spool_damaged(spool, "its chain does not end where it should", err);
    return true;
}
