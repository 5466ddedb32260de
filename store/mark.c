// The high-water marks: how far each collector's stream is committed, and with which hash chain.
// They are control rows, updated in place (R28), and the only word on what is committed: sessions
// and answers follow them.

#include "store/mark.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/json_scan.h"
#include "common/text.h"
#include "common/timestamp.h"
#include "store/batch_array.h"
#include "store/batch_own.h"
#include "store/facts_field.h"

// One for each scope that a collector watches; a frame could hold many times as many.
#define MAX_LOOKS 5000

struct mark *marks_find(struct marks *marks, const char *collector, int64_t epoch)
{
    for (size_t i = 0; i < marks->count; i++) {
        if (marks->items[i].epoch == epoch && strcmp(marks->items[i].collector, collector) == 0)
            return &marks->items[i];
    }
    return NULL;
}

// Within one batch a collector may end one epoch and begin the next; the old one is closed by then.
void marks_raise(struct marks *marks, const struct mark *mark)
{
    for (size_t i = 0; i < marks->count; i++) {
        struct mark *other = &marks->items[i];
        if (strcmp(other->collector, mark->collector) == 0 && other->newest < mark->epoch)
            other->newest = mark->epoch;
    }
}

static bool bad_mark(struct error *err)
{
    return fail(err, REACT_STOP, "table mark holds a row that cannot be read");
}

// The row's stream may be another epoch of a collector in the batch: then only its age counts.
// A mark that does not exist keeps its zeros: seq 0 and the chain that every epoch begins with.
static bool take_row(const PGresult *result, int row, struct marks *marks, struct error *err)
{
    int64_t epoch;
    const char *collector = PQgetvalue(result, row, 0);
    if (!text_to_int64(PQgetvalue(result, row, 1), &epoch))
        return bad_mark(err);
    for (size_t i = 0; i < marks->count; i++) {
        struct mark *mark = &marks->items[i];
        if (strcmp(mark->collector, collector) != 0)
            continue;
        if (epoch > mark->newest)
            mark->newest = epoch;
        if (mark->epoch == epoch &&
            (!text_to_int64(PQgetvalue(result, row, 2), &mark->seq) ||
             !hex_decode(PQgetvalue(result, row, 3), mark->chain, DIGEST_BYTES)))
            return bad_mark(err);
    }
    return true;
}

// All epochs of the collectors, since an older one must be refused. Locked in key order, so that
// two that lock several cannot wait for each other.
bool marks_lock(struct database *db, const struct batch_part *parts, size_t count,
                struct marks *marks, struct error *err)
{
    SCOPED_SQL_ARRAY collectors = {0};
    SCOPED(PQclear) PGresult *result = NULL;
    marks->items = xcalloc(count, sizeof(*marks->items));
    for (size_t i = 0; i < count; i++) {
        if (marks_find(marks, parts[i].collector, parts[i].epoch) != NULL)
            continue;
        marks->items[marks->count++] =
            (struct mark){.collector = parts[i].collector, .epoch = parts[i].epoch};
        sql_array_text(&collectors, parts[i].collector);
    }
    struct sql_params params = {0};
    sql_params_array(&params, &collectors);
    if (!sql_params_query(db,
                          "SELECT collector, epoch, seq, encode(chain, 'hex') FROM modeltrail.mark"
                          " WHERE log = 1 AND collector = ANY ($1::text[])"
                          " ORDER BY collector, epoch FOR UPDATE",
                          &params, &result, err))
        return fail_in(err, "marks");
    for (int i = 0; i < PQntuples(result); i++) {
        if (!take_row(result, i, marks, err))
            return false;
    }
    return true;
}

// In the transaction of the rows: mark and rows are committed together or not at all, which is what
// makes repeats harmless (docs/architecture.md, invariant 2).
bool marks_write(struct database *db, const struct marks *marks, struct error *err)
{
    SCOPED_SQL_ARRAY collectors = {0};
    SCOPED_SQL_ARRAY epochs = {0};
    SCOPED_SQL_ARRAY seqs = {0};
    SCOPED_SQL_ARRAY chains = {0};
    for (size_t i = 0; i < marks->count; i++) {
        const struct mark *mark = &marks->items[i];
        if (!mark->moved)
            continue;
        sql_array_text(&collectors, mark->collector);
        sql_array_int64(&epochs, mark->epoch);
        sql_array_int64(&seqs, mark->seq);
        sql_array_bytes(&chains, mark->chain, DIGEST_BYTES);
    }
    if (collectors.count == 0)
        return true;
    struct sql_params params = {0};
    sql_params_array(&params, &collectors);
    sql_params_array(&params, &epochs);
    sql_params_array(&params, &seqs);
    sql_params_array(&params, &chains);
    return sql_params_query(
               db,
               "INSERT INTO modeltrail.mark AS m (collector, epoch, seq, chain, seen_at)"
               " SELECT k.*, clock_timestamp()"
               " FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bytea[]) k"
               " ON CONFLICT (log, collector, epoch) DO UPDATE"
               " SET seq = excluded.seq, chain = excluded.chain, seen_at = excluded.seen_at",
               &params, NULL, err) ||
           fail_in(err, "marks");
}

void marks_reset(struct marks *marks)
{
    free(marks->items);
    *marks = (struct marks){0};
}

// Outside of a transaction, so the lock is gone when it returns: waiting was all that it was for.
bool mark_read(struct database *db, const char *collector, int64_t epoch, int64_t *seq,
               uint8_t chain[DIGEST_BYTES], int64_t *newest, struct error *err)
{
    SCOPED(PQclear) PGresult *result = NULL;
    struct mark mark = {.collector = collector, .epoch = epoch};
    struct marks marks = {.items = &mark, .count = 1};
    // FOR UPDATE waits for a commit under way: a plain read would not know its outcome.
    if (!database_query(db,
                        "SELECT collector, epoch, seq, encode(chain, 'hex') FROM modeltrail.mark"
                        " WHERE log = 1 AND collector = $1 ORDER BY epoch FOR UPDATE",
                        1, &collector, &result, err))
        return fail_in(err, "marks");
    for (int i = 0; i < PQntuples(result); i++) {
        if (!take_row(result, i, &marks, err))
            return false;
    }
    *seq = mark.seq;
    memcpy(chain, mark.chain, DIGEST_BYTES);
    *newest = mark.newest;
    return true;
}

// Looks make "no" answerable, so a key that may not speak for a scope may not cover it either.
static bool check_look(const cJSON *look, const struct allowed *allowed, struct error *err)
{
    struct field_reader reader = {.object = look, .err = err};
    const char *aspect = field_text(&reader, "aspect", TEXT_INDEXED);
    const char *cluster = field_text(&reader, "cluster", TEXT_INDEXED);
    const char *namespace = field_optional_text(&reader, "namespace", TEXT_INDEXED);
    field_optional_text(&reader, "resource", TEXT_INDEXED);
    field_optional_time(&reader, "watched_since");
    field_time(&reader, "through");
    if (reader.bad)
        return fail_in(err, "look");
    if (strcmp(aspect, "state") != 0 && strcmp(aspect, "actor") != 0)
        return fail(err, REACT_REJECT, "look of unknown aspect '%.64s'", aspect);
    if (!allowed_namespace(allowed, cluster, namespace))
        return fail(err, REACT_REJECT, "%s may not speak for %.100s/%.100s", allowed->name, cluster,
                    namespace ? namespace : "*");
    return true;
}

// What goes into the column is printed by us, from members that we know.
static void print_look(const cJSON *look, struct buffer *out)
{
    static const char *const keys[] = {"aspect",   "cluster",       "namespace",
                                       "resource", "watched_since", "through"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        const char *value = json_text(look, keys[i]);
        buffer_printf(out, "%s\"%s\":", i == 0 ? "{" : ",", keys[i]);
        if (value == NULL)
            buffer_append_text(out, "null");
        else
            buffer_append_json_string(out, value, strlen(value));
    }
    buffer_append_char(out, '}');
}

// One bad look refuses the beat: half of one would leave scopes out, and they would look as if
// nobody watched them. The next beat is soon to come.
static bool read_looks(const char *looks, size_t length, const struct allowed *allowed,
                       struct buffer *out, struct error *err)
{
    SCOPED(cJSON_Delete) cJSON *list = json_parse(looks, length, 8, err);
    if (list == NULL)
        return fail_in(err, "beat");
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > MAX_LOOKS)
        return fail(err, REACT_REJECT, "beat holds no array of at most %d looks", MAX_LOOKS);
    buffer_append_char(out, '[');
    for (const cJSON *look = list->child; look != NULL; look = look->next) {
        if (!check_look(look, allowed, err))
            return false;
        if (look != list->child)
            buffer_append_char(out, ',');
        print_look(look, out);
    }
    buffer_append_char(out, ']');
    return true;
}

// NULL for a text that is empty, or was cut within a character.
static const char *text_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' && text_is_utf8(text, strlen(text)) ? text : NULL;
}

// A fast clock must not say that a scope will have been looked at, nor that it was looked at later
// than it was: a look is as old as its sender's clock says ($5), and none reaches beyond the moment
// in which we hear of it, by the clock that answers are compared with. Nor must a slow one say that
// it was looked at before anybody did: its beginning is raised as that of a fact is
// (facts_raised).
#define LOOKS_SQL                                                                                  \
    "(SELECT coalesce(jsonb_agg(look || jsonb_build_object("                                       \
    "  'watched_since', (look->>'watched_since')::timestamptz"                                     \
    "   + CASE WHEN clock.lag > '1 minute' THEN clock.lag ELSE '0' END,"                           \
    "  'through', least((look->>'through')::timestamptz, clock_timestamp() - greatest(coalesce("   \
    "   $5::timestamptz - (look->>'through')::timestamptz, '0'), '0'))) ORDER BY place), '[]')"    \
    " FROM jsonb_array_elements($4::jsonb) WITH ORDINALITY l (look, place),"                       \
    " (SELECT coalesce(clock_timestamp() - $5::timestamptz, '0') AS lag OFFSET 0) clock)"
// The way is part of it: a slow one makes a clock look slow, never fast.
#define SKEW_SQL "$5::timestamptz - clock_timestamp()"

// A beat may come before the first event: then the mark begins at 0, so that coverage is known at
// once. The query of what was noted sees what was there before: a new mark is told by its
// insertion. A hello does not take back the last word of one that stopped; its first beat does.
// A database that was set back (an asynchronous standby, a backup) may have lost acknowledged
// events (up to $7) without any sign: the connection to a pooler lives on, and an idle collector
// sends nothing that could be refused.
static const char touch_sql[] =
    "WITH touched AS (UPDATE modeltrail.mark SET seen_at = clock_timestamp(),"
    "  program = coalesce($3::text, program), clock_skew = " SKEW_SQL
    "  WHERE log = 1 AND collector = $1::text AND epoch = $2::bigint AND $4::text IS NULL"
    "   AND $6::text IS NULL AND trouble IS DISTINCT FROM 'stopped')"
    " SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, true, true";
static const char looks_sql[] =
    "WITH stored AS MATERIALIZED (SELECT coalesce(max(seq), 0) >= $7::bigint AS is_all"
    "  FROM modeltrail.mark WHERE log = 1 AND collector = $1::text AND epoch = $2::bigint),"
    " newer AS MATERIALIZED (SELECT EXISTS (SELECT FROM modeltrail.mark WHERE log = 1"
    "  AND collector = $1::text AND epoch > $2::bigint) AS is_there),"
    " touched AS (INSERT INTO modeltrail.mark AS m"
    "  (collector, epoch, seq, chain, program, seen_at, through, clock_skew, trouble)"
    "  SELECT $1::text, $2::bigint, 0, decode(repeat('00', 32), 'hex'), $3::text,"
    "  clock_timestamp(), " LOOKS_SQL ", " SKEW_SQL ", $6::text"
    "  FROM stored, newer WHERE is_all AND NOT is_there"
    "  ON CONFLICT (log, collector, epoch)"
    "  DO UPDATE SET seen_at = excluded.seen_at,"
    "  program = coalesce(excluded.program, m.program), through = excluded.through,"
    "  clock_skew = excluded.clock_skew, trouble = excluded.trouble)"
    " SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, NOT is_there, is_all"
    " FROM stored, newer";

// Text was cut to its room by bytes.
bool mark_touch(struct database *db, const struct allowed *allowed, struct heard *heard,
                struct error *err)
{
    SCOPED_BUFFER through = {0};
    SCOPED(PQclear) PGresult *result = NULL;
    char epoch[24];
    char acked[24];
    char at[TIMESTAMP_TEXT];
    snprintf(epoch, sizeof(epoch), "%" PRId64, heard->epoch);
    snprintf(acked, sizeof(acked), "%" PRId64, heard->acked);
    timestamp_format(heard->at, at);
    if (heard->looks != NULL &&
        !read_looks(heard->looks, heard->looks_length, allowed, &through, err))
        return false;
    const char *params[] = {allowed->name,
                            epoch,
                            text_or_null(heard->program),
                            heard->looks != NULL ? through.data : NULL,
                            heard->at != 0 ? at : NULL,
                            text_or_null(heard->trouble),
                            acked};
    bool has_looks = heard->looks != NULL;
    if (!database_query(db, has_looks ? looks_sql : touch_sql, has_looks ? 7 : 6, params, &result,
                        err))
        return fail_in(err, "mark of %s", allowed->name);
    heard->is_newest = PQgetvalue(result, 0, 1)[0] == 't';
    heard->is_stored = PQgetvalue(result, 0, 2)[0] == 't';
    return text_to_int64(PQgetvalue(result, 0, 0), &heard->heard_at) || bad_mark(err);
}

// Not by way of the batch: it is a control row (docs/rules.md 28), and no event.
bool mark_touch_own(struct database *db, const char *trouble, struct error *err)
{
    return database_query(db,
                          "UPDATE modeltrail.mark SET seen_at = clock_timestamp(),"
                          " trouble = $1::text WHERE log = 1 AND collector = '" OWN_COLLECTOR
                          "' AND epoch = 1",
                          1, &trouble, NULL, err) ||
           fail_in(err, "mark of the store");
}
