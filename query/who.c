// `who`: what one person did, whatever name the API server knew them by. Changes and requests are
// one list, because one that was refused, or moved no model, is something that a person did too.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query/command.h"
#include "query/talk.h"

static const struct column activity_columns[] = {
    {"at", COLUMN_TIME, COLUMN_TABLE, "when"},
    {"activity", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"outcome", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"environment", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"cluster", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"namespace", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"workload", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"model", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"from_version", COLUMN_TEXT, COLUMN_TABLE, "from"},
    {"to_version", COLUMN_TEXT, COLUMN_TABLE, "to"},
    {"applied_by", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"id", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"person", COLUMN_TEXT, COLUMN_WIDE, NULL},
    {"component", COLUMN_TEXT, COLUMN_WIDE, NULL},
    {"code", COLUMN_NUMBER, COLUMN_WIDE, NULL},
    {"message", COLUMN_TEXT, COLUMN_WIDE, NULL},
    {"attribution", COLUMN_TEXT, COLUMN_WIDE, NULL},
    {"evidence", COLUMN_TEXT, COLUMN_WIDE, NULL},
    {"via", COLUMN_TEXT, COLUMN_WIDE, NULL},
    {"impersonated", COLUMN_TEXT, COLUMN_ALL, NULL},
    {"event_id", COLUMN_TEXT, COLUMN_ALL, NULL},
    {0},
};

// In the words of the activities: what moved no model is neither a change nor an attempt.
static const struct column count_columns[] = {
    {"environment", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"changes", COLUMN_NUMBER, COLUMN_TABLE, NULL},
    {"attempts", COLUMN_NUMBER, COLUMN_TABLE, NULL},
    {"other_requests", COLUMN_NUMBER, COLUMN_TABLE, "others"},
    {"first_at", COLUMN_TIME, COLUMN_TABLE, "first"},
    {"last_at", COLUMN_TIME, COLUMN_TABLE, "last"},
    {0},
};

// An address is one, in whatever case.
#define IS_ADDRESS "$9 ~ '^[^@[:space:]]+@[^@[:space:]]+$'"

// clang-format off
// Who bears the name $9 now, worked out once for all arms: as it stands, else as an address in
// another case. What was done is somebody's by the mapping of its instant, so it is found by person;
// and by the principal that was asked for, whoever had it then. `principal` is the accountable one
// of a request: what a proxy did in somebody's name is theirs.
#define SQL_BEARERS                                                                                \
    "WITH bearer AS MATERIALIZED ("                                                                \
    "SELECT array_agg(person) || $9 AS persons FROM ("                                             \
    "  SELECT person, dense_rank() OVER (ORDER BY $9 NOT IN (principal, person)) AS place"         \
    "  FROM modeltrail_v1.identities"                                                              \
    "  WHERE $9 IN (principal, person)"                                                            \
    "     OR " IS_ADDRESS " AND lower($9) IN (lower(principal), lower(person))"                    \
    " ) AS named WHERE place = 1) "
#define THEIRS(person)                                                                             \
    "(" person " = ANY ((SELECT persons FROM bearer)::text[]) OR principal = $9)"

// What a person did: changes that are credited to them, requests that were refused, failed or dry
// runs, and accepted ones that moved no model, for those have no change to stand for them. The
// columns of all three arms are those of activity_columns. OFFSET keeps the planner from counting
// the changes of everybody's requests.
#define SQL_ACTIVITY                                                                               \
    "SELECT * FROM ("                                                                              \
    "SELECT happened_at AS at, change_type AS activity, 'done' AS outcome, environment, cluster,"  \
    "  namespace, workload, model, from_version, to_version, applied_by, change_id AS id,"         \
    "  deployed_by AS person, component, NULL::integer AS code, NULL AS message, attribution,"     \
    "  evidence, via, impersonated, event_id"                                                      \
    " FROM modeltrail_v1.changes WHERE " THEIRS("deployed_by")                                     \
    " UNION ALL "                                                                                  \
    "SELECT attempted_at, verb, outcome, environment, cluster,"                                    \
    "  namespace, workload, NULL, NULL, NULL, applied_by, attempt_id,"                             \
    "  person, NULL, code, message, NULL,"                                                         \
    "  NULL, via, impersonated, event_id"                                                          \
    " FROM modeltrail_v1.attempts WHERE " THEIRS("person")                                         \
    " UNION ALL "                                                                                  \
    "SELECT requested_at, concat_ws(' ', verb, subresource), coalesce(outcome, 'unknown'),"        \
    "  environment, cluster,"                                                                      \
    "  namespace, workload, NULL, NULL, NULL, applied_by, request_id,"                             \
    "  person, NULL, code, message, NULL,"                                                         \
    "  evidence, via, impersonated, event_id"                                                      \
    " FROM (SELECT * FROM modeltrail_v1.requests WHERE " THEIRS("person") " OFFSET 0) AS own"      \
    " WHERE coalesce(outcome, 'accepted') = 'accepted' AND changes = 0"                            \
    ") AS activity WHERE " SQL_IN_SCOPE " AND " SQL_IN_RANGE("at")

static const char who_sql[] = SQL_BEARERS SQL_ACTIVITY " ORDER BY at DESC, id" SQL_LIMIT;

static const char counts_sql[] =
    SQL_BEARERS
    "SELECT environment, count(*) FILTER (WHERE outcome = 'done') AS changes,"
    "  count(*) FILTER (WHERE outcome IN ('refused', 'failed', 'dry_run')) AS attempts,"
    "  count(*) FILTER (WHERE outcome IN ('accepted', 'unknown')) AS other_requests,"
    "  min(at) AS first_at, max(at) AS last_at"
    " FROM (" SQL_ACTIVITY ") AS counted GROUP BY environment ORDER BY environment" SQL_LIMIT;
// clang-format on

static const struct resource activity_resource = {
    .kind = "ActivityList",
    .one = "activity",
    .key = "id",
    .aspect = "actor",
    .flags = FLAGS_SCOPE | FLAG_RANGE,
    .live = who_sql,
    .columns = activity_columns,
};

static const struct resource counts_resource = {
    .kind = "ActivityCountList",
    .one = "activity",
    .key = "environment",
    .aspect = "actor",
    .flags = FLAGS_SCOPE | FLAG_RANGE,
    .live = counts_sql,
    .columns = count_columns,
};

static int compare_texts(const void *left, const void *right)
{
    const char *const *a = left;
    const char *const *b = right;
    return strcmp(*a, *b);
}

// "dev 3, prod 1": the aside of each row is its environment. It is talk, for it is no row.
static enum exit_code print_counts(const struct answer *answer, bool for_people)
{
    if (answer->count == 0 || !for_people)
        return EXIT_YES;
    const char **names = xcalloc(answer->count, sizeof(*names));
    for (size_t i = 0; i < answer->count; i++) {
        const char *name = answer_aside(answer, i);
        names[i] = name != NULL ? name : "-";
    }
    qsort(names, answer->count, sizeof(*names), compare_texts);
    SCOPED_BUFFER line = {0};
    for (size_t i = 0, same = 1; i < answer->count; i++, same++) {
        if (i + 1 < answer->count && strcmp(names[i], names[i + 1]) == 0)
            continue;
        buffer_append_text(&line, line.length ? ", " : "");
        buffer_printf(&line, "%s %zu", names[i], same);
        same = 0;
    }
    free(names);
    talk_note("by environment: %s", line.data);
    return EXIT_YES;
}

enum exit_code who_run(const struct call *call, struct error *err)
{
    bool counts = call->flags.counts;
    struct question question = {
        .resource = counts ? &counts_resource : &activity_resource,
        .sql = counts ? counts_sql : who_sql,
        .word = call->words[0],
        .sort = "person",
        .aside = counts ? NULL : "environment",
    };
    return command_answer(&call->flags, &question, counts ? NULL : print_counts, err);
}
