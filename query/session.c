// Connecting, and the first round trip. Instants are resolved by the database, so that ages count
// from its clock and time zones are the ones it knows.

#include "query/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "query/talk.h"

#define CONNECT_TIMEOUT_MS 10000

// A day's end is its last microsecond, so that "as of" it includes nothing of the next day; today
// has not ended, so its end is now. A day to come stays in the future, which is refused.
#define DAY_START(text) "(" text "::date::timestamp AT TIME ZONE $7::text)"
#define DAY_END(text)                                                                              \
    "((" text "::date + 1)::timestamp AT TIME ZONE $7::text - interval '1 microsecond')"
#define RESOLVE(kind, text, day)                                                                   \
    "CASE " kind "::text WHEN 'instant' THEN " text "::text::timestamptz"                          \
    " WHEN 'age' THEN now() - " text "::interval WHEN 'day' THEN " day " END"

// The last column only asks for the zone, so that a wrong one is refused though no date needs it.
static const char first_sql[] =
    "WITH instant AS MATERIALIZED (SELECT now() AS now_at,"
    " " RESOLVE(
        "$1", "$2",
        "greatest(" DAY_START("$2") ", least(" DAY_END(
            "$2") ", now()))") " AS as_of,"
                               " " RESOLVE(
                                   "$3", "$4",
                                   DAY_START(
                                       "$4")) " AS since,"
                                              " " RESOLVE(
                                                  "$5", "$6",
                                                  DAY_END(
                                                      "$6")) " AS until),"
                                                             " asked AS (SELECT DISTINCT least(at, "
                                                             "now_at) AS at FROM instant,"
                                                             "  LATERAL (VALUES (coalesce(as_of, "
                                                             "until, now_at)), (since)) AS "
                                                             "borders(at)"
                                                             "  WHERE at IS NOT NULL),"
                                                             " unknown AS MATERIALIZED (SELECT "
                                                             "DISTINCT scope.cluster, "
                                                             "scope.namespace, scope.kind,"
                                                             "   scope.environment, scope.aspect, "
                                                             "scope.last_observed_at, scope.reason"
                                                             "  FROM asked, LATERAL "
                                                             "modeltrail_v1.unknown_scopes(asked."
                                                             "at,"
                                                             "   string_to_array($8::text, ','), "
                                                             "string_to_array($9::text, ','),"
                                                             "   string_to_array($10::text, ',')) "
                                                             "AS scope"
                                                             "  WHERE $11::text IS NULL OR "
                                                             "scope.aspect = $11)"
                                                             "SELECT to_json(now_at) #>> '{}', "
                                                             "to_json(as_of) #>> '{}', "
                                                             "to_json(since) #>> '{}',"
                                                             " to_json(until) #>> '{}', as_of > "
                                                             "now_at, since > coalesce(until, "
                                                             "now_at),"
                                                             " (SELECT count(*) FROM unknown),"
                                                             " (SELECT string_agg(concat_ws(' ', "
                                                             "coalesce(nullif(concat_ws('/', "
                                                             "cluster, namespace), ''),"
                                                             "   environment), kind, '(' || reason "
                                                             "|| ')'), '; ') FROM (SELECT * FROM "
                                                             "unknown ORDER BY cluster, namespace, "
                                                             "kind LIMIT 3) AS few),"
                                                             " (SELECT "
                                                             "coalesce(json_agg(row_to_json("
                                                             "unknown) ORDER BY cluster, "
                                                             "namespace, kind, aspect), '[]')"
                                                             "  FROM unknown)"
                                                             ", now_at AT TIME ZONE $7::text"
                                                             " FROM instant";

enum first_field {
    FIRST_NOW,
    FIRST_AS_OF,
    FIRST_SINCE,
    FIRST_UNTIL,
    FIRST_IS_FUTURE,
    FIRST_IS_REVERSED,
    FIRST_UNKNOWN_COUNT,
    FIRST_UNKNOWN_TEXT,
    FIRST_UNKNOWN_JSON,
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
    if (!database_open(conninfo.data, "modeltrail", CONNECT_TIMEOUT_MS, out, err))
        return false;
    database_set_timeout(*out, 0); // a person may wait, and has ^C
    return true;
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
    session->unknown_count = strtoul(PQgetvalue(rows, 0, FIRST_UNKNOWN_COUNT), NULL, 10);
    session->unknown_text = xstrdup(PQgetvalue(rows, 0, FIRST_UNKNOWN_TEXT));
    session->unknown_json = xstrdup(PQgetvalue(rows, 0, FIRST_UNKNOWN_JSON));
}

// Only the database can tell these: it has the clock and the zones.
static enum exit_code check_first(const PGresult *rows, struct error *err)
{
    if (*PQgetvalue(rows, 0, FIRST_IS_FUTURE) == 't') {
        fail(err, REACT_STOP, "--as-of %s is in the future (the database's clock says %s)",
             PQgetvalue(rows, 0, FIRST_AS_OF), PQgetvalue(rows, 0, FIRST_NOW));
        return EXIT_USAGE;
    }
    if (*PQgetvalue(rows, 0, FIRST_IS_REVERSED) == 't') {
        fail(err, REACT_STOP, "--since %s lies behind the end of the range",
             PQgetvalue(rows, 0, FIRST_SINCE));
        return EXIT_USAGE;
    }
    return EXIT_YES;
}

enum exit_code session_explain(struct error *err)
{
    enum exit_code code = exit_code_of(err);
    if (code == EXIT_SCHEMA) {
        struct error inner = *err;
        fail(err, REACT_STOP,
             "this database's schema is not supported (%.200s); hint: run "
             "modeltrail-store migrate of this version, or check the database name",
             inner.text);
    } else if (code == EXIT_PERMISSION) {
        fail_in(err, "not allowed");
        if (strstr(err->text, "; hint: ") == NULL)
            strncat(err->text, "; hint: GRANT modeltrail_reader TO the role",
                    sizeof(err->text) - strlen(err->text) - 1);
    }
    return code;
}

// Coverage is read before the answer, so that the answer rests on at least what was covered.
static enum exit_code ask_first(struct session *session, const struct flags *flags,
                                const char *aspect, struct error *err)
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
    };
    SCOPED(PQclear) PGresult *rows = NULL;
    if (!database_query(session->db, first_sql, 11, params, &rows, err))
        return session_explain(err);
    enum exit_code code = check_first(rows, err);
    if (code == EXIT_YES)
        read_first(session, rows);
    return code;
}

enum exit_code session_open(const struct flags *flags, const char *aspect, struct session **out,
                            struct error *err)
{
    struct session *session = xcalloc(1, sizeof(*session));
    enum exit_code code = EXIT_YES;
    if (!session_connect(flags, &session->db, err))
        code = exit_code_of(err);
    if (code == EXIT_YES)
        code = ask_first(session, flags, aspect, err);
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

void session_talk(const struct session *session, bool rests_on_coverage)
{
    if (session->as_of[0] != '\0')
        talk_note("as of %s", session->as_of);
    if (session->since[0] != '\0' || session->until[0] != '\0')
        talk_note("from %s until %s", session->since[0] ? session->since : "the beginning",
                  session->until[0] ? session->until : "now");
    if (rests_on_coverage && !session_is_complete(session))
        talk_note("incomplete: %zu scope%s not covered: %s%s", session->unknown_count,
                  session->unknown_count == 1 ? " is" : "s are", session->unknown_text,
                  session->unknown_count > 3 ? "; ..." : "");
}
