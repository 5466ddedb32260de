// Which events may go, and when: those that the store has acknowledged, beyond what is retained for
// a store that goes back; and more of them when there is no room for those that wait. What waits is
// never deleted.

#include "collector/spool_file.h"
#include "collector/spool_parts.h"

#define TRIM_ROWS 4000        // deleted at once, so that a turn of the loop stays short
#define TRIM_SLACK_EVENTS 500 // deletions wait until they are worth a write
#define TRIM_SLACK_BYTES (1 << 20)
#define VACUUM_PAGES "256"
#define SPARE_PAGES 2048 // free pages that stay in the file

bool spool_retention_prepare(struct spool *spool, struct error *err)
{
    return spool_file_prepare(spool->db,
                              "SELECT seq, length(line), chain FROM event ORDER BY seq LIMIT ?1",
                              &spool->lengths, err) &&
           spool_file_prepare(spool->db, "DELETE FROM event WHERE seq <= ?1", &spool->remove, err);
}

// Lines of acknowledged events.
static int64_t retained_bytes(const struct spool_state *state)
{
    return state->total_bytes - state->waiting_bytes;
}

// Back when the store went back: then retained events wait once more. Only what lies between is
// summed, so that an ack costs what it acknowledges, however much is kept.
bool spool_acknowledge(struct spool *spool, int64_t acked, struct error *err)
{
    struct spool_state *state = &spool->state;
    bool forward = acked >= state->acked;
    int64_t bytes;
    int64_t count;
    if (!spool_event_sum(spool, forward ? state->acked : acked, forward ? acked : state->acked,
                         &bytes, &count, err))
        return false;
    state->waiting_bytes += forward ? -bytes : bytes;
    state->acked = acked;
    return true;
}

// Moves the state past up to `rows` of the oldest acknowledged events, as long as more than
// keep_events and keep_bytes of them stay. The last one's chain is kept: the next is checked
// against it.
static bool pass_acked(struct spool *spool, int64_t rows, int64_t keep_events, int64_t keep_bytes,
                       struct error *err)
{
    SCOPED(spool_statement_reset) sqlite3_stmt *lengths = spool->lengths;
    struct spool_state *state = &spool->state;
    sqlite3_bind_int64(lengths, 1, rows);
    for (;;) {
        bool row;
        if (!spool_file_row(lengths, &row, err))
            return false;
        bool keeps =
            state->acked - state->base_seq <= keep_events && retained_bytes(state) <= keep_bytes;
        if (!row || keeps || sqlite3_column_int64(lengths, 0) > state->acked)
            return true;
        state->base_seq = sqlite3_column_int64(lengths, 0);
        state->total_bytes -= sqlite3_column_int64(lengths, 1);
        if (!spool_event_chain(lengths, 2, state->base_chain))
            return spool_damaged(spool, "an event has no chain", err);
    }
}

static bool delete_acked(struct spool *spool, int64_t rows, int64_t keep_events, int64_t keep_bytes,
                         struct error *err)
{
    int64_t from = spool->state.base_seq;
    if (!pass_acked(spool, rows, keep_events, keep_bytes, err))
        return false;
    if (spool->state.base_seq == from)
        return true;
    spool->dirty = true;
    sqlite3_bind_int64(spool->remove, 1, spool->state.base_seq);
    return spool_file_run(spool->remove, err);
}

bool spool_wants_trim(const struct spool *spool)
{
    const struct spool_state *state = &spool->state;
    return state->acked - state->base_seq > spool->options.retain_events + TRIM_SLACK_EVENTS ||
           retained_bytes(state) > spool->options.retain_bytes + TRIM_SLACK_BYTES;
}

// Gives room back to the file system once a backlog is gone; before that it would be taken again at
// once.
static bool shrink_file(struct spool *spool, struct error *err)
{
    SCOPED(spool_statement_free) sqlite3_stmt *free_pages = NULL;
    bool row;
    if (!spool_file_prepare(spool->db, "PRAGMA freelist_count", &free_pages, err) ||
        !spool_file_row(free_pages, &row, err))
        return false;
    bool is_much = row && sqlite3_column_int64(free_pages, 0) > SPARE_PAGES;
    sqlite3_reset(free_pages); // an open read would be in the way
    return !is_much ||
           spool_file_execute(spool->db, "PRAGMA incremental_vacuum(" VACUUM_PAGES ")", err);
}

// No more than TRIM_ROWS at once: spool_wants_trim asks for the rest.
bool spool_trim(struct spool *spool, struct error *err)
{
    return delete_acked(spool, TRIM_ROWS, spool->options.retain_events, spool->options.retain_bytes,
                        err) &&
           (spool->state.waiting_bytes > 0 || shrink_file(spool, err));
}

// Acknowledged events are kept for rare days only: they make room before anything has to wait. Half
// of what the new line leaves them stays, so that not each line pays for a deletion.
bool spool_make_room(struct spool *spool, size_t length, struct error *err)
{
    struct spool_state *state = &spool->state;
    int64_t needed = (int64_t)length;
    while (state->total_bytes + needed > spool->options.max_bytes) {
        int64_t before = state->base_seq;
        int64_t spare = spool->options.max_bytes - state->waiting_bytes - needed;
        if (!delete_acked(spool, TRIM_ROWS, INT64_MAX, spare > 0 ? spare / 2 : 0, err))
            return false;
        if (state->base_seq == before)
            return fail(err, REACT_RETRY,
                        "spool %s is full: %lld bytes wait for the store; hint: bring the store "
                        "back, or raise spool_max_bytes",
                        spool->options.path, (long long)state->waiting_bytes);
    }
    return true;
}

// One transaction of up to `rows` deletions that leaves half of what is acknowledged.
static bool delete_half(struct spool *spool, int64_t rows, struct error *err)
{
    if (!spool_begin(spool, err))
        return false;
    int64_t keep_bytes = retained_bytes(&spool->state) / 2;
    if (delete_acked(spool, rows, INT64_MAX, keep_bytes, err))
        return spool_commit(spool, err);
    spool_rollback(spool);
    return false;
}

// The disk was full, or we think so. The fewer events, the less the log must take for them: what
// fails for many is tried again with few. When even that fails, others must make room.
static bool make_way(struct spool *spool, struct error *err)
{
    bool done = false;
    for (int64_t rows = TRIM_ROWS; !done && rows > 0; rows /= 16) {
        done = delete_half(spool, rows, err);
        if (!done && err->react != REACT_RETRY)
            return false;
    }
    return true;
}

bool spool_write_back(struct spool *spool, struct error *err)
{
    return spool_wal_write_back(&spool->wal, err);
}

// The log first: written back it begins anew, so that deletions find room in its file
// (spool_wal.h).
bool spool_tend(struct spool *spool, struct error *err)
{
    bool refused = spool->refused;
    if (!refused && !spool_wal_is_long(&spool->wal))
        return true;
    if (!spool_wal_write_back(&spool->wal, err) && err->react != REACT_RETRY)
        return false;
    bool tended = !refused || make_way(spool, err);
    spool->refused = false; // also when nothing could be deleted: the next refusal asks again
    return tended;
}
