// Rows of event and event_body, and the leaf hash.

#include "store/batch_log.h"

#include <string.h>

#include "common/text.h"
#include "common/timestamp.h"
#include "store/envelope.h"

// A partition is made at least one partition ahead; asking this often is early enough.
#define PARTITION_CHECK 500000
// Large enough that a piece costs little, small enough that PostgreSQL begins early.
#define FLUSH_BYTES ((size_t)128 * 1024)

// Under the writer lock, so nobody else takes the index that follows. recorded_at never falls with
// the log index, even when the server's clock is set back.
bool batch_log_head(struct database *db, int64_t *newest, int64_t *recorded_at, struct error *err)
{
    SCOPED(PQclear) PGresult *result = NULL;
    if (!database_query(
            db,
            "SELECT coalesce(e.log_index, 0),"
            " (extract(epoch FROM greatest(clock_timestamp(), e.recorded_at)) * 1000000)::bigint"
            " FROM (VALUES (1)) one LEFT JOIN LATERAL (SELECT log_index, recorded_at"
            " FROM modeltrail.event WHERE log = 1 ORDER BY log_index DESC LIMIT 1) e ON true",
            0, NULL, &result, err))
        return false;
    if (PQntuples(result) != 1 || !text_to_int64(PQgetvalue(result, 0, 0), newest) ||
        !text_to_int64(PQgetvalue(result, 0, 1), recorded_at))
        return fail(err, REACT_STOP, "database does not tell where the log ends");
    return true;
}

// The text is what PostgreSQL parses, printed by us; the bytes as received stay beside it, unparsed
// (docs/architecture.md, invariant 4).
static void add_body(struct batch_log *log, const struct batch_event *event)
{
    struct copy *row = &log->body;
    copy_row(row, 4);
    copy_int64(row, event->log_index);
    copy_bytes(row, event->salt, SALT_BYTES);
    copy_bytes(row, event->line, event->length);
    copy_text(row, event->quarantined[0] == '\0' ? event->text : NULL);
}

// The writer may not create tables (R28); the function that may is asked when a boundary is
// crossed.
bool batch_log_open(struct batch_log *log, struct database *db, int64_t first, int64_t last,
                    struct error *err)
{
    log->db = db;
    bool crosses = (first - 1) / PARTITION_CHECK != last / PARTITION_CHECK;
    if (crosses && !database_execute(db, "SELECT modeltrail.ensure_partitions()", err))
        return fail_in(err, "partitions");
    return copy_open(db, "modeltrail.event_body (log_index, salt, body, data)", err) ||
           fail_in(err, "COPY event_body");
}

// The leaf is of the type and time as claimed: what becomes of the event, usable or not, is not
// part of it, so a later judgement does not change the proof.
bool batch_log_add(struct batch_log *log, const struct batch_event *event, struct error *err)
{
    uint8_t leaf[DIGEST_BYTES];
    struct envelope envelope = {.collector = event->collector,
                                .epoch = event->epoch,
                                .seq = event->seq,
                                .event_id = event->id,
                                .type = event->type,
                                .time = event->occurred_at};
    memcpy(envelope.body_digest, event->body_digest, DIGEST_BYTES);
    envelope_leaf_hash(&envelope, &log->scratch, leaf);
    add_body(log, event);
    struct copy *row = &log->event;
    copy_row(row, 11);
    copy_int64(row, event->log_index);
    copy_time(row, event->recorded_at);
    copy_text(row, event->collector);
    copy_int64(row, event->epoch);
    copy_int64(row, event->seq);
    copy_text(row, event->type);
    copy_text(row, event->id);
    copy_time(row, event->occurred_at);
    copy_text(row, event->quarantined[0] != '\0' ? event->quarantined : NULL);
    copy_bytes(row, envelope.body_digest, DIGEST_BYTES);
    copy_bytes(row, leaf, DIGEST_BYTES);
    return log->body.rows.length < FLUSH_BYTES || copy_flush(log->db, &log->body, err) ||
           fail_in(err, "COPY event_body");
}

bool batch_log_close(struct batch_log *log, struct error *err)
{
    return (copy_flush(log->db, &log->body, err) && copy_close(log->db, err)) ||
           fail_in(err, "COPY event_body");
}

bool batch_log_send_events(struct batch_log *log, struct error *err)
{
    return copy_send(log->db,
                     "modeltrail.event (log_index, recorded_at, collector, epoch, seq, type,"
                     " event_id, occurred_at, quarantined, body_digest, leaf_hash)",
                     &log->event, err);
}

void batch_log_reset(struct batch_log *log)
{
    copy_reset(&log->event);
    copy_reset(&log->body);
    buffer_reset(&log->scratch);
}
