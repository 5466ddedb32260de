// Events on disk: number, chain and line are one row of the file, written once and read to be sent.

#include <string.h>

#include "collector/spool_file.h"
#include "collector/spool_parts.h"
#include "common/event.h"

bool spool_event_prepare(struct spool *spool, struct error *err)
{
    sqlite3 *db = spool->db;
    return spool_file_prepare(db, "INSERT INTO event (seq, chain, line) VALUES (?1, ?2, ?3)",
                              &spool->insert, err) &&
           spool_file_prepare(db, "SELECT seq, line FROM event WHERE seq >= ?1 ORDER BY seq",
                              &spool->read, err) &&
           spool_file_prepare(db, "SELECT chain FROM event WHERE seq = ?1", &spool->chain_at,
                              err) &&
           spool_file_prepare(db,
                              "SELECT coalesce(sum(length(line)), 0), count(*) FROM event"
                              " WHERE seq > ?1 AND seq <= ?2",
                              &spool->sum, err);
}

// A damaged file may hold anything in place of a chain.
bool spool_event_chain(sqlite3_stmt *row, int column, uint8_t chain[DIGEST_BYTES])
{
    if (sqlite3_column_bytes(row, column) != DIGEST_BYTES)
        return false;
    memcpy(chain, sqlite3_column_blob(row, column), DIGEST_BYTES);
    return true;
}

bool spool_event_sum(struct spool *spool, int64_t above, int64_t to, int64_t *bytes, int64_t *count,
                     struct error *err)
{
    SCOPED(spool_statement_reset) sqlite3_stmt *sum = spool->sum;
    sqlite3_bind_int64(sum, 1, above);
    sqlite3_bind_int64(sum, 2, to);
    bool row;
    if (!spool_file_row(sum, &row, err))
        return false;
    *bytes = sqlite3_column_int64(sum, 0);
    *count = sqlite3_column_int64(sum, 1);
    return true;
}

// The number, the chain and the line are one row: none can be there without the others.
bool spool_event_insert(struct spool *spool, struct error *err)
{
    struct spool_state *state = &spool->state;
    uint8_t chain[DIGEST_BYTES];
    digest_chain(state->chain, spool->line.data, spool->line.length, chain);
    sqlite3_bind_int64(spool->insert, 1, state->next_seq);
    sqlite3_bind_blob(spool->insert, 2, chain, DIGEST_BYTES, SQLITE_STATIC);
    sqlite3_bind_blob64(spool->insert, 3, spool->line.data, spool->line.length, SQLITE_STATIC);
    if (!spool_file_run(spool->insert, err))
        return false;
    memcpy(state->chain, chain, DIGEST_BYTES);
    state->next_seq++;
    state->total_bytes += (int64_t)spool->line.length;
    state->waiting_bytes += (int64_t)spool->line.length;
    spool->dirty = true;
    return true;
}

// The line is made here, number and all: what is hashed, kept, sent and stored under that number
// are these bytes. The store would refuse one above EVENT_MAX_BYTES, so it gets no number at all.
bool spool_append(struct spool *spool, const char *type, const char *subject, int64_t time,
                  const char *data, size_t length, struct error *err)
{
    struct event_head head = {.collector = spool->collector,
                              .epoch = spool->state.epoch,
                              .seq = spool->state.next_seq,
                              .type = type,
                              .cluster = spool->cluster,
                              .subject = subject,
                              .time = time};
    buffer_clear(&spool->line);
    event_write(&spool->line, &head, data, length);
    if (spool->line.length > EVENT_MAX_BYTES)
        return fail(err, REACT_REJECT, "event of %zu bytes is larger than %d", spool->line.length,
                    EVENT_MAX_BYTES);
    return spool_make_room(spool, spool->line.length, err) && spool_event_insert(spool, err);
}

// The newest event that was deleted left its chain in the state: the first that is still here is
// sent behind it.
bool spool_chain_at(struct spool *spool, int64_t seq, uint8_t chain[DIGEST_BYTES], bool *known,
                    struct error *err)
{
    *known = seq == spool->state.base_seq;
    if (*known) {
        memcpy(chain, spool->state.base_chain, DIGEST_BYTES);
        return true;
    }
    SCOPED(spool_statement_reset) sqlite3_stmt *select = spool->chain_at;
    sqlite3_bind_int64(select, 1, seq);
    if (!spool_file_row(select, known, err))
        return false;
    if (*known && !spool_event_chain(select, 0, chain))
        return spool_damaged(spool, "an event has no chain", err);
    return true;
}

// The first line is taken however large it is, or it could never be sent.
bool spool_read(struct spool *spool, int64_t first, int64_t max_events, size_t max_bytes,
                struct buffer *out, int64_t *count, struct error *err)
{
    SCOPED(spool_statement_reset) sqlite3_stmt *read = spool->read;
    sqlite3_bind_int64(read, 1, first);
    size_t start = out->length;
    *count = 0;
    while (*count < max_events) {
        bool row;
        if (!spool_file_row(read, &row, err))
            return false;
        if (!row)
            break;
        // A frame says only its first number: the store counts on from it.
        if (sqlite3_column_int64(read, 0) != first + *count)
            return spool_damaged(spool, "an event is missing", err);
        size_t length = (size_t)sqlite3_column_bytes(read, 1);
        if (*count > 0 && out->length - start + length + 1 > max_bytes)
            break;
        buffer_append(out, sqlite3_column_blob(read, 1), length);
        buffer_append_char(out, '\n');
        ++*count;
    }
    return true;
}
