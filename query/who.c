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

// The names of everyone who bears the name $9. An array is worked out once, before the rest is
// planned around it. `principal` is the accountable one of a request: what a proxy did in
// somebody's name is theirs.
#define NAMES                                                                                      \
    "ARRAY(SELECT other.principal FROM modeltrail_v1.identities AS named"                          \
    " JOIN modeltrail_v1.identities AS other USING (person)"                                       \
    " WHERE $9 IN (named.principal, named.person) UNION SELECT $9)"

// clang-format off
// What a person did: changes that are credited to them, requests that were refused, failed or dry
// runs, and accepted ones that moved no model, for those have no change to stand for them. The
// columns of all three arms are those of activity_columns. OFFSET keeps the planner from counting
// the changes of everybody's requests.
static const char who_sql[] =
    "SELECT * FROM ("
    "SELECT happened_at AS at, change_type AS activity, 'done' AS outcome, environment, cluster,"
    "  namespace, workload, model, from_version, to_version, applied_by, change_id AS id,"
    "  deployed_by AS person, component, NULL::integer AS code, NULL AS message, attribution,"
    "  evidence, via, impersonated, event_id"
    " FROM modeltrail_v1.changes WHERE principal = ANY (" NAMES ")"
    " UNION ALL "
    "SELECT attempted_at, verb, outcome, environment, cluster,"
    "  namespace, workload, NULL, NULL, NULL, applied_by, attempt_id,"
    "  person, NULL, code, message, NULL,"
    "  NULL, via, impersonated, event_id"
    " FROM modeltrail_v1.attempts WHERE principal = ANY (" NAMES ")"
    " UNION ALL "
    "SELECT requested_at, concat_ws(' ', verb, subresource), coalesce(outcome, 'unknown'),"
    "  environment, cluster,"
    "  namespace, workload, NULL, NULL, NULL, applied_by, request_id,"
    "  person, NULL, code, message, NULL,"
    "  evidence, via, impersonated, event_id"
    " FROM (SELECT * FROM modeltrail_v1.requests WHERE principal = ANY (" NAMES ") OFFSET 0) AS own"
    " WHERE coalesce(outcome, 'accepted') = 'accepted' AND changes = 0"
    ") AS activity WHERE " SQL_IN_SCOPE " AND " SQL_IN_RANGE("at")
    " ORDER BY at DESC, id" SQL_LIMIT;
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
    struct question question = {
        .resource = &activity_resource,
        .sql = who_sql,
        .word = call->words[0],
        .sort = "person",
        .aside = "environment",
    };
    return command_answer(&call->flags, &question, print_counts, err);
}
