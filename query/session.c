// Connecting, and the first round trip. Instants are resolved by the database, so that ages count
// from its clock and time zones are the ones it knows.

#include "query/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "common/timestamp.h"
#include "query/talk.h"

#define CONNECT_TIMEOUT_MS 10000
#define SQLSTATE_INVALID_PARAMETER "22023" // of a first question only the zone can be
#define FIRST_PARAMETERS 12

// clang-format off
// A day's end is its last microsecond, so that "as of" it includes nothing of the next day; today
// has not ended, so its end is now. A day to come stays in the future, which is refused.
#define DAY_START(text) "(" text "::date::timestamp AT TIME ZONE $7::text)"
#define DAY_END(text)                                                                              \
    "greatest(" DAY_START(text) ", least(now(),"                                                   \
    " (" text "::date + 1)::timestamp AT TIME ZONE $7::text - interval '1 microsecond'))"
#define RESOLVE(kind, text, day)                                                                   \
    "CASE " kind "::text WHEN 'instant' THEN " text "::text::timestamptz"                          \
    " WHEN 'age' THEN now() - " text "::interval WHEN 'day' THEN " day " END"
#define NAMED(column, parameter)                                                                   \
    "(" parameter "::text IS NULL OR " column " = ANY (string_to_array(" parameter ", ',')))"

// One round trip answers: what time is it, which instants were meant, and which of the scopes asked
// about ($8 clusters, $9 namespaces, $10 environments, $11 aspect) were not observed then. What was
// there ($12 false) rests on one instant; what happened ($12 true) on the whole range, for a gap in
// it may hide just what was asked for. A range without a begin counts for each scope from when it
// was first observed; `observed_since` is since when that holds for all of them. The last column
// only asks for the zone, so that a wrong one is refused though no date needs it.
static const char first_sql[] =
    "WITH instant AS MATERIALIZED (SELECT now() AS now_at,"
    "  " RESOLVE("$1", "$2", DAY_END("$2")) " AS as_of,"
    "  " RESOLVE("$3", "$4", DAY_START("$4")) " AS since,"
    "  " RESOLVE("$5", "$6", DAY_END("$6")) " AS until),"
    " asked AS (SELECT least(coalesce(as_of, until, now_at), now_at) AS until,"
    "  CASE WHEN $12::boolean THEN since ELSE coalesce(as_of, now_at) END AS since FROM instant),"
    " unknown AS MATERIALIZED (SELECT scope.* FROM asked,"
    "  LATERAL modeltrail_v1.unknown_scopes_between(asked.since, asked.until,"
    "   string_to_array($8::text, ','), string_to_array($9::text, ','),"
    "   string_to_array($10::text, ',')) AS scope"
    "  WHERE $11::text IS NULL OR scope.aspect = $11),"
    " begun AS (SELECT min(c.covered_from) AS at FROM modeltrail_v1.coverage AS c, asked"
    "  WHERE asked.since IS NULL AND ($11 IS NULL OR c.aspect = $11)"
    "  AND " NAMED("c.cluster", "$8") " AND (c.namespace IS NULL OR " NAMED("c.namespace", "$9") ")"
    "  GROUP BY c.cluster, c.namespace, c.resource, c.aspect)"
    " SELECT to_json(now_at) #>> '{}', to_json(as_of) #>> '{}', to_json(since) #>> '{}',"
    "  to_json(until) #>> '{}', as_of > now_at, until > now_at, since > coalesce(until, now_at),"
    "  (SELECT to_json(max(at)) #>> '{}' FROM begun),"
    "  (SELECT count(*) FROM unknown),"
    "  (SELECT string_agg(concat_ws(' ', coalesce(nullif(concat_ws('/', cluster, namespace), ''),"
    "    environment), kind, '(' || coalesce(collector || ': ', '') || reason || ')'), '; ')"
    "   FROM (SELECT * FROM unknown ORDER BY cluster, namespace, kind LIMIT 3) AS few),"
    "  (SELECT coalesce(json_agg(row_to_json(unknown) ORDER BY cluster, namespace, kind, aspect),"
    "    '[]') FROM unknown),"
    "  CASE WHEN pg_is_in_recovery()"
    "   THEN coalesce(to_json(pg_last_xact_replay_timestamp()) #>> '{}', '') END,"
    "  now_at AT TIME ZONE $7::text"
    " FROM instant";
// clang-format on

enum first_field {
    FIRST_NOW,
    FIRST_AS_OF,
    FIRST_SINCE,
    FIRST_UNTIL,
    FIRST_AS_OF_IS_FUTURE,
    FIRST_UNTIL_IS_FUTURE,
    FIRST_IS_REVERSED,
    FIRST_OBSERVED_SINCE,
    FIRST_UNKNOWN_COUNT,
    FIRST_UNKNOWN_TEXT,
    FIRST_UNKNOWN_JSON,
    FIRST_REPLAYED_UNTIL,
};

// service='...' with libpq's quoting: backslash and quote are escaped by a backslash.
static void append_service(struct buffer *conninfo, const char *service)
{
    buffer_append_text(conninfo, "service='");
    for (; *service; service++) {
        if (*service == '\'' || *service == '\\')
            buffer_append_char(conninfo, '\\');
        buffer_append_char(conninfo, *service);
    }
    buffer_append_char(conninfo, '\'');
}

bool session_connect(const struct flags *flags, struct database **out, struct error *err)
{
    SCOPED_BUFFER conninfo = {0};
    buffer_append_text(&conninfo, flags->dsn ? flags->dsn : "");
    if (flags->service != NULL)
        append_service(&conninfo, flags->service);
    if (!database_open(conninfo.data, "modeltrail", DATABASE_READS, CONNECT_TIMEOUT_MS, out, err))
        return false;
    database_set_timeout(*out, 0); // a person may wait, and has ^C
    return true;
}

// Views over views look costly to a planner that has no statistics yet (a new database, or one that
// grew fast), and compiling them takes seconds where running them takes none. Set for the
// transaction only: behind a pooler a session is somebody else's in a moment.
bool session_query(struct database *db, const char *sql, int count, const char *const params[],
                   PGresult **out, struct error *err)
{
    if (!database_execute(db, "BEGIN READ ONLY; SET LOCAL jit = off", err))
        return false;
    bool good = database_query(db, sql, count, params, out, err);
    // What the rows say is known by now. A connection that cannot end this is lost, which the next
    // statement finds.
    struct error ignored;
    bool ended = database_execute(db, good ? "COMMIT" : "ROLLBACK", &ignored);
    (void)ended;
    return good;
}

static void copy_instant(char to[INSTANT_TEXT], const PGresult *rows, int field)
{
    snprintf(to, INSTANT_TEXT, "%s", PQgetvalue(rows, 0, field));
}

// Keeps what the first round trip told, beyond its result's life.
static void read_first(struct session *session, const PGresult *rows)
{
    copy_instant(session->now, rows, FIRST_NOW);
    copy_instant(session->as_of, rows, FIRST_AS_OF);
    copy_instant(session->since, rows, FIRST_SINCE);
    copy_instant(session->until, rows, FIRST_UNTIL);
    copy_instant(session->observed_since, rows, FIRST_OBSERVED_SINCE);
    session->is_standby = !PQgetisnull(rows, 0, FIRST_REPLAYED_UNTIL);
    copy_instant(session->replayed_until, rows, FIRST_REPLAYED_UNTIL);
    session->unknown_count = strtoul(PQgetvalue(rows, 0, FIRST_UNKNOWN_COUNT), NULL, 10);
    session->unknown_text = xstrdup(PQgetvalue(rows, 0, FIRST_UNKNOWN_TEXT));
    session->unknown_json = xstrdup(PQgetvalue(rows, 0, FIRST_UNKNOWN_JSON));
}

void session_instant(const char *instant, char text[INSTANT_TEXT])
{
    int64_t at;
    if (timestamp_parse(instant, &at))
        timestamp_format(at, text);
    else // a year beyond ours, or infinity
        snprintf(text, INSTANT_TEXT, "%s", instant);
}

static bool is_true(const PGresult *rows, int field)
{
    return *PQgetvalue(rows, 0, field) == 't';
}

static bool fail_future(const PGresult *rows, const char *option, int field, struct error *err)
{
    char asked[INSTANT_TEXT];
    char now[INSTANT_TEXT];
    session_instant(PQgetvalue(rows, 0, field), asked);
    session_instant(PQgetvalue(rows, 0, FIRST_NOW), now);
    return fail(err, REACT_STOP, "--%s %s is in the future (the database's clock says %s)", option,
                asked, now);
}

// Only the database can tell these: it has the clock and the zones.
static bool check_first(const PGresult *rows, struct error *err)
{
    if (is_true(rows, FIRST_AS_OF_IS_FUTURE))
        return fail_future(rows, "as-of", FIRST_AS_OF, err);
    if (is_true(rows, FIRST_UNTIL_IS_FUTURE))
        return fail_future(rows, "until", FIRST_UNTIL, err);
    if (!is_true(rows, FIRST_IS_REVERSED))
        return true;
    char since[INSTANT_TEXT];
    session_instant(PQgetvalue(rows, 0, FIRST_SINCE), since);
    return fail(err, REACT_STOP, "--since %s lies behind the end of the range", since);
}

// Room is made for the hint: without it a long message would leave nothing to do.
static void add_hint(struct error *err, const char *hint)
{
    static const char mark[] = "; hint: ";
    if (strstr(err->text, mark) != NULL)
        return;
    size_t room = sizeof(err->text) - sizeof(mark) - strlen(hint);
    if (strlen(err->text) > room)
        err->text[room] = '\0';
    size_t length = strlen(err->text);
    snprintf(err->text + length, sizeof(err->text) - length, "%s%s", mark, hint);
}

// libpq lays its messages out over several lines; here they are one.
static void join_lines(struct error *err)
{
    SCOPED_BUFFER line = {0};
    for (const char *text = err->text; *text != '\0'; text++) {
        if (*text != '\n')
            buffer_append_char(&line, *text == '\t' ? ' ' : *text);
        else if (text[strspn(text, "\n\t")] != '\0') {
            buffer_append_text(&line, "; ");
            text += strspn(text, "\n\t") - 1;
        }
    }
    snprintf(err->text, sizeof(err->text), "%s", line.data ? line.data : "");
}

// A login is refused before there is a statement, so without SQLSTATE or with one of its class.
static bool is_login(const struct error *err)
{
    return err->sqlstate[0] == '\0' || strncmp(err->sqlstate, "28", 2) == 0;
}

static void explain_schema(struct error *err)
{
    struct error inner = *err;
    fail(err, REACT_STOP, "this database's schema is not supported (%.100s)", inner.text);
    add_hint(err, "run modeltrail-store migrate of this version, or check the database name");
}

enum exit_code session_explain(struct error *err)
{
    enum exit_code code = exit_code_of(err);
    join_lines(err);
    if (code == EXIT_SCHEMA) {
        explain_schema(err);
    } else if (code == EXIT_PERMISSION && is_login(err)) {
        add_hint(err,
                 "check user and password (PGUSER, ~/.pgpass); see modeltrail help connection");
    } else if (code == EXIT_PERMISSION) {
        fail_in(err, "not allowed");
        add_hint(err, "GRANT modeltrail_reader TO the role");
    } else if (code == EXIT_UNREACHABLE) {
        add_hint(err, "check PGHOST, PGPORT, PGDATABASE or --dsn; see modeltrail help connection");
    }
    return code;
}

// Coverage is read before the answer, so that the answer rests on at least what was covered.
static enum exit_code ask_first(struct session *session, const struct flags *flags,
                                const char *aspect, bool over_range, struct error *err)
{
    const char *params[] = {
        when_kind_name(flags->as_of_when.kind),
        flags->as_of_when.text,
        when_kind_name(flags->since_when.kind),
        flags->since_when.text,
        when_kind_name(flags->until_when.kind),
        flags->until_when.text,
        flags->timezone ? flags->timezone : "UTC",
        flags->cluster,
        flags->namespace,
        flags->environment,
        aspect,
        over_range ? "true" : "false",
    };
    SCOPED(PQclear) PGresult *rows = NULL;
    if (!session_query(session->db, first_sql, FIRST_PARAMETERS, params, &rows, err)) {
        if (strcmp(err->sqlstate, SQLSTATE_INVALID_PARAMETER) == 0 && flags->timezone != NULL) {
            fail(err, REACT_STOP, "no such time zone: '%.80s'; hint: a name such as Europe/Berlin",
                 flags->timezone);
            return EXIT_USAGE;
        }
        return session_explain(err);
    }
    if (!check_first(rows, err))
        return EXIT_USAGE;
    read_first(session, rows);
    return EXIT_YES;
}

enum exit_code session_open(const struct flags *flags, const char *aspect, bool over_range,
                            struct session **out, struct error *err)
{
    struct session *session = xcalloc(1, sizeof(*session));
    enum exit_code code = EXIT_YES;
    if (!session_connect(flags, &session->db, err))
        code = session_explain(err);
    if (code == EXIT_YES)
        code = ask_first(session, flags, aspect, over_range, err);
    if (code != EXIT_YES) {
        session_close(session);
        return code;
    }
    *out = session;
    return EXIT_YES;
}

void session_close(struct session *session)
{
    if (session == NULL)
        return;
    database_close(session->db);
    free(session->unknown_text);
    free(session->unknown_json);
    free(session);
}

bool session_is_complete(const struct session *session)
{
    return session->unknown_count == 0;
}

// What it does not have yet it cannot tell; that coverage ends where its data does, it can.
static void talk_of_standby(const struct session *session)
{
    char until[INSTANT_TEXT];
    session_instant(session->replayed_until, until);
    if (session->is_standby && until[0] != '\0')
        talk_note("answered by a standby, whose last transaction is of %s", until);
    else if (session->is_standby)
        talk_note("answered by a standby, which has received no transaction since it started");
}

void session_talk(const struct session *session, bool rests_on_coverage)
{
    char since[INSTANT_TEXT];
    char until[INSTANT_TEXT];
    session_instant(session->since, since);
    session_instant(session->as_of[0] ? session->as_of : session->until, until);
    talk_of_standby(session);
    if (session->as_of[0] != '\0' && session->since[0] == '\0')
        talk_note("as of %s", until);
    else if (session->since[0] != '\0' || session->until[0] != '\0')
        talk_note("from %s until %s", since[0] ? since : "the beginning", until[0] ? until : "now");
    if (rests_on_coverage && !session_is_complete(session))
        talk_note("incomplete: %zu scope%s not covered: %s%s", session->unknown_count,
                  session->unknown_count == 1 ? " is" : "s are", session->unknown_text,
                  session->unknown_count > 3 ? "; ..." : "");
}
