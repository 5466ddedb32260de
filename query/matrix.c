// `matrix`: models x environments. For people the rows are pivoted; other formats get one row per
// model and environment, as the view has them.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "query/command.h"
#include "query/output.h"
#include "query/table.h"
#include "query/talk.h"

static const struct column matrix_columns[] = {
    {"model", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"environment", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"status", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"versions", COLUMN_LIST, COLUMN_TABLE, NULL},
    {"workloads", COLUMN_NUMBER, COLUMN_TABLE, NULL},
    {"clusters", COLUMN_LIST, COLUMN_TABLE, NULL},
    {"stale_clusters", COLUMN_LIST, COLUMN_TABLE, NULL},
    {"deployments", COLUMN_NUMBER, COLUMN_WIDE, NULL},
    {"serving", COLUMN_NUMBER, COLUMN_WIDE, NULL},
    {"failed", COLUMN_NUMBER, COLUMN_WIDE, NULL},
    {"pending", COLUMN_NUMBER, COLUMN_WIDE, NULL},
    {"environment_order", COLUMN_NUMBER, COLUMN_ALL, NULL},
    {0},
};

// clang-format off
// What is not plainly live says so; several versions speak for themselves.
#define CELL                                                                                       \
    "array_to_string(versions, ', ') || coalesce(' (' || nullif(concat_ws(', ',"                   \
    " CASE WHEN status NOT IN ('live', 'mixed') THEN status END,"                                  \
    " CASE WHEN pending = deployments THEN 'pending' END,"                                         \
    " CASE WHEN failed > 0 THEN 'failed' END,"                                                     \
    " CASE WHEN cardinality(stale_clusters) > 0 THEN 'stale' END), '') || ')', '') AS cell"
#define ORDER " ORDER BY model, environment_order NULLS LAST, environment"

// A limit counts rows; in the pivot a row is a model, which must not be cut in the middle.
#define ROWS(cells) "SELECT *, " CELL " FROM (" cells ") AS cells" ORDER SQL_LIMIT
#define LINES(cells)                                                                               \
    "SELECT * FROM (SELECT *, " CELL ", dense_rank() OVER (ORDER BY model) AS line"                \
    " FROM (" cells ") AS cells) AS lines WHERE $8::bigint IS NULL OR line <= $8" ORDER

#define FROM_VIEW                                                                                  \
    "SELECT * FROM modeltrail_v1.matrix WHERE " SQL_IN("environment", "$4")

// The view's rows, worked out for any instant and any part of the clusters.
#define FROM_DEPLOYMENTS(source)                                                                   \
    "SELECT model, environment, max(environment_order) AS environment_order,"                      \
    " CASE WHEN bool_and(is_stopped) THEN 'stopped'"                                               \
    " WHEN bool_or(role = 'canary' AND NOT is_stopped AND state <> 'lingering') THEN 'canary'"     \
    " WHEN bool_and(is_stopped OR state = 'lingering') THEN 'lingering'"                           \
    " ELSE (ARRAY['shadow', 'live', 'mixed'])[1 + least(2, count(DISTINCT"                         \
    " coalesce(version, unknown_revision, '')) FILTER (WHERE NOT is_stopped"                       \
    " AND role NOT IN ('canary', 'shadow') AND state <> 'lingering'))] END AS status,"             \
    " array_agg(DISTINCT coalesce(version, 'unknown') ORDER BY coalesce(version, 'unknown'))"      \
    " AS versions, count(DISTINCT (cluster, resource, workload_uid))::integer AS workloads,"       \
    " array_agg(DISTINCT cluster ORDER BY cluster) AS clusters,"                                   \
    " coalesce(array_agg(DISTINCT cluster ORDER BY cluster)"                                       \
    " FILTER (WHERE observation = 'stale'), '{}') AS stale_clusters,"                              \
    " count(*)::integer AS deployments,"                                                           \
    " (count(*) FILTER (WHERE state = 'serving'))::integer AS serving,"                            \
    " (count(*) FILTER (WHERE state = 'failed'))::integer AS failed,"                              \
    " (count(*) FILTER (WHERE state = 'pending'))::integer AS pending"                             \
    " FROM " source " WHERE " SQL_IN_SCOPE " GROUP BY model, environment"
#define FROM_PART FROM_DEPLOYMENTS("modeltrail_v1.deployments")
#define FROM_PAST FROM_DEPLOYMENTS("modeltrail_v1.deployments_at($1::timestamptz)")
// clang-format on

static const char *const rows_sql[] = {ROWS(FROM_VIEW), ROWS(FROM_PART), ROWS(FROM_PAST)};
static const char *const lines_sql[] = {LINES(FROM_VIEW), LINES(FROM_PART), LINES(FROM_PAST)};

// An empty column is an answer too, so declared environments are shown though nothing is in them.
static const char declared_sql[] =
    "SELECT environment, environment_order FROM modeltrail_v1.environments"
    " WHERE is_declared AND " SQL_IN("environment", "$1");

static const struct resource matrix_resource = {
    .kind = "MatrixList",
    .one = "deployment",
    .key = "model",
    .aspect = "state",
    .live = ROWS(FROM_VIEW),
    .columns = matrix_columns,
};

struct stage {
    const char *name;  // borrowed
    const char *order; // decimal; NULL: behind the others
};

struct stages {
    struct stage *items;
    size_t count;
    size_t capacity;
};

// A handful of stages: searching them is cheaper than any index.
static void stages_add(struct stages *stages, const char *name, const char *order)
{
    for (size_t i = 0; i < stages->count; i++) {
        if (strcmp(stages->items[i].name, name) == 0)
            return;
    }
    stages->items =
        xgrow(stages->items, &stages->capacity, stages->count + 1, sizeof(*stages->items));
    stages->items[stages->count++] = (struct stage){.name = name, .order = order};
}

// By promotion order; those without one behind, by name.
static int compare_stages(const void *left, const void *right)
{
    const struct stage *a = left;
    const struct stage *b = right;
    if (a->order == NULL || b->order == NULL) {
        if (a->order != b->order)
            return a->order == NULL ? 1 : -1;
    } else {
        long difference = atol(a->order) - atol(b->order);
        if (difference != 0)
            return difference < 0 ? -1 : 1;
    }
    return strcmp(a->name, b->name);
}

// The pivot's own selection of the answer's cells.
enum pivot { PIVOT_MODEL, PIVOT_ENVIRONMENT, PIVOT_ORDER };
#define PIVOT_COLUMNS "model,environment,environment_order"

static size_t stage_index(const struct stages *stages, const char *name)
{
    size_t i = 0;
    while (i < stages->count && strcmp(stages->items[i].name, name) != 0)
        i++;
    return i;
}

static const char *colour_of_cell(const char *cell)
{
    if (strstr(cell, "failed") != NULL)
        return "red";
    return strchr(cell, '(') != NULL ? "yellow" : NULL;
}

// Rows come sorted by model, so a new name begins a new line; cells nobody fills stay "-".
static void print_pivot(const struct answer *answer, const struct stages *stages, bool headings)
{
    SCOPED(table_free) struct table *table = table_new(headings, output_has_colour());
    table_add_column(table, "MODEL", false);
    for (size_t i = 0; i < stages->count; i++)
        table_add_column(table, stages->items[i].name, false);
    const char *model = NULL;
    for (size_t row = 0; row < answer->count; row++) {
        const char *name = answer_cell(answer, row, PIVOT_MODEL);
        if (model == NULL || strcmp(model, name) != 0) {
            model = name;
            table_add_row(table);
            table_set(table, 0, model, NULL);
            for (size_t i = 0; i < stages->count; i++)
                table_set(table, i + 1, NULL, NULL);
        }
        const char *cell = answer_aside(answer, row);
        size_t column = stage_index(stages, answer_cell(answer, row, PIVOT_ENVIRONMENT));
        table_set(table, column + 1, cell, colour_of_cell(cell));
    }
    table_print(table, stdout);
}

// Gathers the stages of the answer and the declared ones, then prints.
static enum exit_code pivot(const struct session *session, const struct call *call,
                            const struct answer *answer, struct error *err)
{
    SCOPED(PQclear) PGresult *declared = NULL;
    const char *params[] = {call->flags.environment};
    if (!session_query(session->db, declared_sql, 1, params, &declared, err))
        return session_explain(err);
    struct stages stages = {0};
    for (int i = 0; i < PQntuples(declared); i++)
        stages_add(&stages, PQgetvalue(declared, i, 0),
                   PQgetisnull(declared, i, 1) ? NULL : PQgetvalue(declared, i, 1));
    for (size_t row = 0; row < answer->count; row++)
        stages_add(&stages, answer_cell(answer, row, PIVOT_ENVIRONMENT),
                   answer_cell(answer, row, PIVOT_ORDER));
    if (stages.count > 0)
        qsort(stages.items, stages.count, sizeof(*stages.items), compare_stages);
    if (answer->count > 0)
        print_pivot(answer, &stages, !call->flags.no_headers);
    free(stages.items);
    return EXIT_YES;
}

// The view answers the plain question faster; a part of a cell must be worked out from its rows.
static const char *statement_for(const struct flags *flags, bool is_pivot)
{
    int form = 0;
    if (flags->as_of != NULL)
        form = 2;
    else if (flags->cluster || flags->namespace || flags->workload)
        form = 1;
    return is_pivot ? lines_sql[form] : rows_sql[form];
}

enum exit_code matrix_run(const struct call *call, struct error *err)
{
    struct flags flags = call->flags;
    bool is_pivot = flags.format == FORMAT_TABLE && flags.columns == NULL;
    struct question question = {
        .resource = &matrix_resource,
        .sql = statement_for(&flags, is_pivot),
        .limits_groups = is_pivot,
        .aside = is_pivot ? "cell" : NULL,
    };
    if (!is_pivot)
        return command_answer(&flags, &question, NULL, err);
    flags.columns = PIVOT_COLUMNS;
    SCOPED(session_close) struct session *session = NULL;
    enum exit_code code = session_open(&flags, matrix_resource.aspect, false, &session, err);
    if (code != EXIT_YES)
        return code;
    SCOPED_ANSWER answer = {0};
    code = question_ask(session, &flags, &question, &answer, err);
    if (code != EXIT_YES)
        return code;
    session_talk(session, question.resource->aspect != NULL);
    code = pivot(session, call, &answer, err);
    return code == EXIT_YES ? question_conclude(session, &flags, &question, &answer) : code;
}
