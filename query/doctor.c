// `doctor`: one line per check, with what to do about it. What the database knows is checked in one
// statement; that the database answers at all is the first check. Only key files lie here, and what
// was found of them goes through the statement like the rest.

#include <string.h>

#include "query/command.h"
#include "query/doctor_attribution.h"
#include "query/key_files.h"

// The migration that brought the last view this program reads.
#define SCHEMA_VERSION_MIN "20"

// clang-format off
// One row about the rows of `source`: bad is an SQL condition over them, detail and next_step are SQL
// texts, verdict is the status when it is bad.
#define CHECK(name, source, bad, verdict, detail, next_step)                                       \
    "SELECT '" name "' AS check_name,"                                                             \
    " CASE WHEN " bad " THEN " verdict " ELSE 'ok' END AS status,"                                 \
    " " detail " AS detail,"                                                                       \
    " CASE WHEN " bad " THEN '" next_step "' END AS next_step"                                     \
    " FROM " source
#define NAMES(text) "string_agg(" text ", ', ' ORDER BY " text ")"
#define SCOPE                                                                                      \
    "coalesce(nullif(concat_ws('/', cluster, namespace), ''), environment, 'everything')"          \
    " || coalesce(' ' || kind, '') || ' (' || coalesce(collector || ': ', '') || reason || ')'"

#define UNSAFE_NAMES "('fsync', 'synchronous_commit', 'full_page_writes')"
#define UNSAFE_SETTINGS                                                                            \
    "SELECT name || ' = ' || setting AS setting FROM pg_catalog.pg_settings"                       \
    " WHERE setting = 'off' AND name IN " UNSAFE_NAMES                                             \
    " UNION ALL SELECT one || coalesce(' for role ' || r.rolname, '')"                             \
    "  || coalesce(' in database ' || d.datname, '')"                                              \
    " FROM pg_catalog.pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS one"                  \
    " LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole"                                        \
    " LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase"                                 \
    " WHERE s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database"                          \
    "  WHERE datname = current_database()))"                                                       \
    " AND split_part(one, '=', 1) IN " UNSAFE_NAMES " AND lower(split_part(one, '=', 2)) IN"       \
    " ('off', 'false', 'no', '0')" // kept as typed, and PostgreSQL minds no case

// The server's own word: of several hosts, or behind a pooler, only it knows which one it is.
#define SERVER                                                                                     \
    "coalesce('at ' || CASE family(inet_server_addr()) WHEN 6"                                     \
    "  THEN '[' || host(inet_server_addr()) || ']' ELSE host(inet_server_addr()) END"              \
    "  || ':' || inet_server_port(),"                                                              \
    "  'on a unix socket, port ' || current_setting('port'))"

// Whom a COMMIT waits for, and who is there. Without pg_monitor a role sees of other roles' standbys
// only that they are there, so each may be one that confirms. A standby commits nothing itself.
#define REPLICATION                                                                                \
    "SELECT one.*, names <> '' AND confirming < needed AND NOT pg_is_in_recovery() AS is_stuck"    \
    " FROM (SELECT names, count(r.pid) AS standbys,"                                               \
    "  count(r.pid) FILTER (WHERE coalesce(r.sync_state, 'sync') IN ('sync', 'quorum'))"           \
    "   AS confirming,"                                                                            \
    "  coalesce(substring(lower(names) FROM"                                                       \
    "   '^[[:space:]]*(?:(?:first|any)[[:space:]])?[[:space:]]*([0-9]+)[[:space:]]*[(]'),"         \
    "   '1')::bigint AS needed"                                                                    \
    "  FROM current_setting('synchronous_standby_names') AS names"                                 \
    "  LEFT JOIN pg_catalog.pg_stat_replication r ON true GROUP BY names) AS one"

static const char *const checks[] = {
    "SELECT 'connection' AS check_name, 'ok' AS status,"
    " format('PostgreSQL %s %s, database %s, role %s', current_setting('server_version'),"
    "  " SERVER ", current_database(), current_user)"
    " || CASE WHEN pg_is_in_recovery() THEN coalesce('; a standby, its last transaction is '"
    "  || extract(epoch FROM now() - pg_last_xact_replay_timestamp())::bigint || ' s old',"
    "  '; a standby without a transaction since it started') ELSE '' END AS detail,"
    " NULL AS next_step",

    CHECK("schema", "modeltrail_v1.status",
          "coalesce(schema_version, 0) < " SCHEMA_VERSION_MIN,
          "CASE WHEN schema_version IS NULL THEN 'warn' ELSE 'fail' END",
          "coalesce('migration ' || schema_version, 'migrations were run by hand')",
          "run modeltrail-store migrate"),

    // The configuration that it goes on with may welcome a key that was taken back.
    CHECK("stores", "modeltrail_v1.status",
          "store_trouble IS NOT NULL", "'fail'",
          "coalesce(store_trouble, 'none is in trouble')",
          "mend what it names, then send that store SIGHUP: until then the configuration that it had holds"),

    CHECK("coverage", "modeltrail_v1.unknown_scopes(now()) WHERE aspect = 'state'",
          "count(*) > 0", "'fail'",
          "coalesce('not covered: ' || " NAMES(SCOPE) ","
          " 'every scope was looked at within three minutes')",
          "see modeltrail list coverage; are its collectors running?"),

    CHECK("actors", "modeltrail_v1.unknown_scopes(now()) WHERE aspect = 'actor'",
          "count(*) > 0", "'warn'",
          "coalesce('no live who-source for: ' || " NAMES(SCOPE) ","
          " 'who-sources cover every scope')",
          "give a collector an audit_log or admission source"),

    CHECK("collectors", "modeltrail_v1.collectors WHERE is_allowed OR is_live",
          "count(*) FILTER (WHERE NOT is_live) > 0 OR count(*) = 0", "'fail'",
          "CASE WHEN count(*) = 0 THEN 'none is known' ELSE"
          " format('%s of %s spoke within three minutes',"
          "  count(*) FILTER (WHERE is_live), count(*))"
          " || coalesce('; silent: ' || string_agg(collector || ' (' || trouble || ')', ', '"
          "  ORDER BY collector) FILTER (WHERE NOT is_live), '')"
          " || coalesce('; in trouble: ' || string_agg(collector || ' (' || trouble || ')', ', '"
          "  ORDER BY collector) FILTER (WHERE is_live AND trouble IS NOT NULL), '') END",
          "read their logs: a stopped process, a refused key, or a fork"),

    CHECK("clocks", "(SELECT collector, clock_skew,"
          "  greatest(clock_skew, -clock_skew) > interval '5 seconds' AS is_off"
          " FROM modeltrail_v1.collectors WHERE is_live) AS live",
          "count(*) FILTER (WHERE is_off) > 0", "'warn'",
          "CASE WHEN count(*) = 0 THEN 'no collector is live'"
          " ELSE coalesce('off by more than 5 s: ' || string_agg(collector || ' (' || clock_skew || ')', ', '"
          "  ORDER BY collector) FILTER (WHERE is_off),"
          "  format('%s of %s live collectors agree with the database within 5 s',"
          "   count(*) FILTER (WHERE NOT is_off), count(*))"
          "  || coalesce('; ' || nullif(count(*) FILTER (WHERE is_off IS NULL), 0)"
          "   || ' did not tell their time', '')) END",
          "compare their clocks and the database server''s with a time server"),

    CHECK("forks", "modeltrail_v1.collectors WHERE refused_since IS NOT NULL",
          "count(*) > 0", "'fail'",
          "coalesce('refused: ' || " NAMES(
              "collector || CASE WHEN fork_since IS NOT NULL THEN ' as a fork' ELSE '' END || ' since '"
              " || to_char(refused_since AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
              " || ' (' || refused_reason || ')'") ", 'none is refused')",
          "of a fork: stop the other collector of this name, or move its spool file away so that it begins anew"),

    // What is long over must not keep anybody from seeing what is not.
    CHECK("gaps", "modeltrail_v1.collectors WHERE gaps > 0",
          "count(*) > 0", "CASE WHEN sum(recent_gaps) > 0 THEN 'fail' ELSE 'warn' END",
          "coalesce('reported by ' || " NAMES("collector || ' (' || gaps || CASE WHEN recent_gaps > 0"
              " THEN ', ' || recent_gaps || ' open or of the last day' ELSE ', none of the last day' END || ')'") ","
          " 'none reported')",
          "see modeltrail list coverage for what was not observed"),

    CHECK("allow-list", "modeltrail_v1.collectors WHERE is_live AND NOT is_allowed",
          "count(*) > 0", "'warn'",
          "coalesce('does not name: ' || " NAMES("collector") ", 'names every live collector')",
          "compare the configurations of the stores"),

    CHECK("quarantine", "modeltrail_v1.collectors WHERE quarantined > 0",
          "count(*) > 0", "CASE WHEN sum(recent_quarantined) > 0 THEN 'fail' ELSE 'warn' END",
          "coalesce('events of ' || " NAMES("collector || ' (' || quarantined ||"
              " CASE WHEN recent_quarantined > 0 THEN ', ' || recent_quarantined || ' of the last day'"
              " ELSE ', none of the last day' END || ')'") ", 'empty')",
          "see modeltrail list events --columns event_id,quarantine_reason"),

    // The running values, and those that other roles get in this database.
    CHECK("settings", "(" UNSAFE_SETTINGS ") AS unsafe",
          "count(*) > 0", "'fail'",
          "coalesce('unsafe: ' || " NAMES("setting") ", 'writes survive a crash')",
          "set them to on: an acknowledged event could be lost"),

    "SELECT 'replication' AS check_name,"
    " CASE WHEN is_stuck THEN 'fail' WHEN names = '' AND standbys > 0 THEN 'warn' ELSE 'ok' END AS status,"
    " CASE WHEN is_stuck THEN format('COMMIT waits for %s: %s must confirm, %s can',"
    "   names, needed, confirming)"
    "  WHEN standbys = 0 THEN 'no standby is fed from here'"
    "  WHEN names = '' THEN standbys || ' asynchronous: a failover may lose what was acknowledged'"
    "  ELSE standbys || ' fed from here, COMMIT waits for ' || names END AS detail,"
    " CASE WHEN is_stuck THEN 'start the standbys that are named, or take them out of synchronous_standby_names;"
    " until then nothing is stored'"
    "  WHEN names = '' AND standbys > 0"
    "  THEN 'set synchronous_standby_names, or see that spools retain what a failover may lose' END AS next_step"
    " FROM (" REPLICATION ") AS server",

    ("SELECT 'keys' AS check_name, CASE WHEN $10 = '' THEN 'ok' ELSE 'fail' END AS status, $9::text AS detail,"
     " nullif($10::text, '') AS next_step"),
};
// clang-format on

static void append_check(struct buffer *sql, size_t place, const char *check)
{
    buffer_printf(sql, "%sSELECT %zu AS place, answer_%zu.* FROM (%s) AS answer_%zu",
                  place ? " UNION ALL " : "", place, place, check, place);
}

// All checks as one statement, in their order.
static void append_checks(struct buffer *sql)
{
    size_t place = 0;
    buffer_append_text(sql, "SELECT * FROM (");
    for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++)
        append_check(sql, place++, checks[i]);
    for (size_t i = 0; i < DOCTOR_ATTRIBUTION_CHECKS; i++)
        append_check(sql, place++, doctor_attribution_checks[i]);
    buffer_append_text(sql, ") AS checks ORDER BY place, detail");
}

static const struct column check_columns[] = {
    {"status", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"check_name", COLUMN_TEXT, COLUMN_TABLE, "check"},
    {"detail", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"next_step", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {0},
};

static const struct resource check_resource = {
    .kind = "CheckList",
    .one = "check",
    .key = "check_name",
    .columns = check_columns,
};

// A failed check is a "no" to the question whether all is well, in every format.
static enum exit_code judge(const struct answer *answer, bool for_people)
{
    (void)for_people;
    for (size_t i = 0; i < answer->count; i++) {
        if (strcmp(answer_aside(answer, i), "fail") == 0)
            return EXIT_NO;
    }
    return EXIT_YES;
}

enum exit_code doctor_run(const struct call *call, struct error *err)
{
    SCOPED_BUFFER sql = {0};
    SCOPED_BUFFER keys = {0};
    append_checks(&sql);
    SCOPED_BUFFER next_step = {0};
    key_files_check(call->words, (size_t)call->word_count, &keys, &next_step);
    struct question question = {
        .resource = &check_resource,
        .sql = sql.data,
        .word = keys.data,
        .model = next_step.data,
        .aside = "status",
    };
    return command_answer(&call->flags, &question, judge, err);
}
