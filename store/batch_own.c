// The store as a collector of its own doings: what was configured, by whom.

#include "store/batch_own.h"

#include <string.h>

#include "common/event.h"
#include "common/json.h"
#include "common/json_scan.h"
#include "common/text.h"
#include "store/batch.h"

// Another store may take the same number between our reading of the mark and the batch; one repeat
// is enough unless several are started at once.
#define TRIES 5

// The database's clock, which answers are compared with: what this machine's says is nobody's
// matter.
static bool read_clock(struct database *db, int64_t *now, struct error *err)
{
    SCOPED(PQclear) PGresult *result = NULL;
    if (!database_query(db, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint", 0,
                        NULL, &result, err))
        return false;
    return text_to_int64(PQgetvalue(result, 0, 0), now) ||
           fail(err, REACT_STOP, "the database's clock cannot be read");
}

// The mark is read without its lock; the batch compares it again and calls the loser's part a fork.
static bool try_store(struct database *db, const char *type, const char *data,
                      struct batch_part *part, struct error *err)
{
    int64_t newest;
    int64_t now;
    SCOPED_BUFFER line = {0};
    if (!read_clock(db, &now, err) ||
        !mark_read(db, OWN_COLLECTOR, OWN_EPOCH, &part->first, part->chain, &newest, err))
        return false;
    const struct event_head head = {.collector = OWN_COLLECTOR,
                                    .epoch = OWN_EPOCH,
                                    .seq = ++part->first,
                                    .type = type,
                                    .cluster = "store",
                                    .time = now};
    event_write(&line, &head, data, strlen(data));
    if (line.length > EVENT_MAX_BYTES)
        return fail(err, REACT_STOP, "%s of %zu bytes is larger than %d", type, line.length,
                    EVENT_MAX_BYTES);
    buffer_append_char(&line, '\n');
    part->lines = line.data;
    part->length = line.length;
    bool stored = batch_store(db, part, 1, err);
    part->lines = NULL;
    return stored;
}

// An event of ours that comes back quarantined is a mistake of ours, and must not pass for done.
static bool check_usable(struct database *db, const struct batch_part *part, struct error *err)
{
    SCOPED(PQclear) PGresult *result = NULL;
    SCOPED(xfree_char) char *seq = xasprintf("%lld", (long long)part->first);
    if (!database_query(
            db,
            "SELECT quarantined FROM modeltrail.event WHERE log = 1 AND collector = '" OWN_COLLECTOR
            "' AND epoch = 1 AND seq = $1::bigint",
            1, (const char *const[]){seq}, &result, err))
        return false;
    if (PQntuples(result) == 1 && !PQgetisnull(result, 0, 0))
        return fail(err, REACT_STOP, "stored, but not usable: %s", PQgetvalue(result, 0, 0));
    return true;
}

// A part that was refused took the same number as another store's event: it is made anew, with the
// next one.
bool batch_own_store(struct database *db, const char *type, const cJSON *data, struct error *err)
{
    SCOPED(xfree_char) char *text = json_print(data);
    for (int i = 0; i < TRIES; i++) {
        struct batch_part part = {.collector = OWN_COLLECTOR, .epoch = OWN_EPOCH, .count = 1};
        if (!try_store(db, type, text, &part, err))
            return fail_in(err, "cannot log %s", type);
        if (part.outcome == PART_STORED)
            return check_usable(db, &part, err);
    }
    return fail(err, REACT_RETRY, "cannot log %s: other stores write at the same time", type);
}

// What is in the log is what holds, not what this process loaded last: another store, or another
// version of this one, may have written it.
bool batch_own_newest(struct database *db, const char *type, cJSON **out, struct error *err)
{
    SCOPED(PQclear) PGresult *result = NULL;
    *out = NULL;
    if (!database_query(db,
                        "SELECT b.data FROM modeltrail.event e JOIN modeltrail.event_body b"
                        "   ON b.log = e.log AND b.log_index = e.log_index"
                        " WHERE e.log = 1 AND e.collector = '" OWN_COLLECTOR "' AND e.epoch = 1"
                        "   AND e.type = $1::text AND e.quarantined IS NULL"
                        " ORDER BY e.seq DESC LIMIT 1",
                        1, &type, &result, err))
        return false;
    if (PQntuples(result) == 0 || PQgetisnull(result, 0, 0))
        return true;
    const char *text = PQgetvalue(result, 0, 0);
    *out = json_parse(text, strlen(text), JSON_MAX_DEPTH, err);
    if (*out == NULL)
        err->react = REACT_STOP;
    return *out != NULL;
}
