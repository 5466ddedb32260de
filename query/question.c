// Asking: the statement around a resource's body, its parameters, and what an empty answer means.

#include "query/question.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "query/names.h"
#include "query/talk.h"

#define PARAMETER_COUNT 12

// Names every parameter once, so that PostgreSQL knows the types of those a statement leaves out.
static const char parameters_sql[] =
    "WITH parameters AS (SELECT $1::timestamptz, $2::timestamptz, $3::timestamptz, $4::text,"
    " $5::text, $6::text, $7::text, $8::bigint, $9::text, $10::text, $11::text, $12::json) ";

// The column that identifies a row, for -o name.
static const struct column *key_column(const struct resource *resource)
{
    const struct column *column = resource->columns;
    while (column->name != NULL && strcmp(column->name, resource->key) != 0)
        column++;
    return column;
}

// Machines get every column, people those that fit; --columns overrules both.
static bool choose_columns(const struct resource *resource, const struct flags *flags,
                           struct selection *selection, struct error *err)
{
    enum column_level level = COLUMN_ALL;
    if (flags->format == FORMAT_TABLE)
        level = COLUMN_TABLE;
    else if (flags->format == FORMAT_WIDE)
        level = COLUMN_WIDE;
    if (!selection_make(resource->columns, level, flags->columns, selection, err))
        return false;
    if (flags->format == FORMAT_NAME) {
        selection->columns[0] = key_column(resource);
        selection->count = 1;
    }
    return true;
}

// Puts the select list around the resource's body. Both come from fixed tables; what a person typed
// is bound as parameters in run().
static void compose(const struct question *question, const struct selection *selection,
                    enum format format, struct buffer *sql)
{
    bool is_json = format == FORMAT_JSON || format == FORMAT_JSONL;
    buffer_append_text(sql, parameters_sql);
    buffer_append_text(sql, "SELECT ");
    if (is_json)
        buffer_append_text(sql, "row_to_json(item)::text");
    else if (format == FORMAT_NAME && question->resource->name != NULL)
        buffer_append_text(sql, question->resource->name);
    else
        selection_append_cells(selection, format_is_for_people(format), sql);
    if (question->aside != NULL)
        buffer_printf(sql, ", answer.%s", question->aside);
    buffer_printf(sql, " FROM (%s) AS answer", question->sql);
    if (is_json) {
        buffer_append_text(sql, ", LATERAL (SELECT ");
        selection_append_names(selection, sql);
        buffer_append_text(sql, ") AS item");
    }
}

// An instant that was not asked for is NULL to the statement.
static const char *given(const char *instant)
{
    return *instant != '\0' ? instant : NULL;
}

// One row more than the limit is fetched, to know that there are more.
static enum exit_code run(const struct session *session, const struct flags *flags,
                          const struct question *question, const char *sql, PGresult **rows,
                          struct error *err)
{
    SCOPED(xfree_char) char *limit = NULL;
    if (flags->limit_rows > 0)
        limit = xasprintf("%lld", (long long)flags->limit_rows + 1);
    const char *params[PARAMETER_COUNT] = {
        given(session->as_of), given(session->since), given(session->until), flags->environment,
        flags->cluster,        flags->namespace,      flags->workload,       limit,
        question->word,        question->model,       question->version,     question->extra,
    };
    if (!session_query(session->db, sql, PARAMETER_COUNT, params, rows, err))
        return session_explain(err);
    return EXIT_YES;
}

static bool starts_group(const struct answer *answer, size_t row)
{
    return row == 0 || !text_equal(answer_cell(answer, row, 0), answer_cell(answer, row - 1, 0));
}

// Keeps `limit` rows, or rows of as many groups; 0 is all.
static void cut(struct answer *answer, size_t limit, bool by_groups)
{
    size_t total = (size_t)PQntuples(answer->rows);
    size_t seen = 0;
    for (answer->count = 0; answer->count < total; answer->count++) {
        seen += !by_groups || starts_group(answer, answer->count);
        if (limit > 0 && seen > limit) {
            answer->is_cut = true;
            return;
        }
    }
}

enum exit_code question_ask(const struct session *session, const struct flags *flags,
                            const struct question *question, struct answer *answer,
                            struct error *err)
{
    *answer = (struct answer){.resource = question->resource};
    if (!choose_columns(question->resource, flags, &answer->selection, err))
        return EXIT_USAGE;
    SCOPED_BUFFER sql = {0};
    compose(question, &answer->selection, flags->format, &sql);
    enum exit_code code = run(session, flags, question, sql.data, &answer->rows, err);
    if (code != EXIT_YES)
        return code;
    cut(answer, (size_t)flags->limit_rows, question->limits_groups);
    return EXIT_YES;
}

void answer_reset(struct answer *answer)
{
    PQclear(answer->rows);
    *answer = (struct answer){0};
}

const char *answer_cell(const struct answer *answer, size_t row, size_t column)
{
    if (PQgetisnull(answer->rows, (int)row, (int)column))
        return NULL;
    return PQgetvalue(answer->rows, (int)row, (int)column);
}

const char *answer_aside(const struct answer *answer, size_t row)
{
    return answer_cell(answer, row, (size_t)PQnfields(answer->rows) - 1);
}

// What a "no" rests on. One about all times is about those in which somebody looked, and says so.
static void append_ground(const struct session *session, bool is_no, struct buffer *out)
{
    char since[INSTANT_TEXT];
    session_instant(session->observed_since, since);
    buffer_append_text(out, "");
    if (!is_no)
        buffer_append_text(out, "; unknown, because the scope was not covered");
    else if (since[0] != '\0')
        buffer_printf(out, " in all that was observed, without a gap since %s", since);
}

enum exit_code question_conclude(const struct session *session, const struct flags *flags,
                                 const struct question *question, const struct answer *answer)
{
    if (answer->is_cut)
        talk_note("only the first %lld rows are shown; raise --limit for more",
                  (long long)flags->limit_rows);
    if (answer->count > 0)
        return EXIT_YES;
    const char *one = question->resource->one;
    bool is_no = question->resource->aspect == NULL || session_is_complete(session);
    SCOPED_BUFFER rest = {0};
    append_ground(session, is_no, &rest);
    if (question->word != NULL)
        talk_note("no %s found for '%.200s'%s", one, question->word, rest.data);
    else
        talk_note("no %s found%s", one, rest.data);
    names_hint(session, flags, question);
    return is_no ? EXIT_NO : EXIT_UNKNOWN;
}
