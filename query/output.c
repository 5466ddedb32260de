// Printing answers. Cells and items are PostgreSQL's text; this file only lays them out, so that a
// value reads the same in every format.

#include "query/output.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/text.h"
#include "common/timestamp.h"
#include "query/age.h"
#include "query/delimited.h"
#include "query/json_safe.h"
#include "query/record.h"
#include "query/table.h"

bool output_has_colour(void)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    bool wanted = no_color == NULL || *no_color == '\0';
    return wanted && isatty(STDOUT_FILENO) && !(term != NULL && strcmp(term, "dumb") == 0);
}

// The words that ask for a look, and those that say all is well.
static const char *colour_of(const struct column *column, const char *text)
{
    static const char *const marks[][2] = {
        {"serving", "green"}, {"ok", "green"},    {"failed", "red"},       {"fail", "red"},
        {"missing", "red"},   {"refused", "red"}, {"ambiguous", "yellow"}, {"pending", "yellow"},
        {"stale", "yellow"},  {"warn", "yellow"}, {"lingering", "yellow"}, {"inferred", "yellow"},
    };
    static const char *const columns[] = {"state", "status", "attribution", "observation",
                                          "outcome"};
    bool is_marked = false;
    for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++)
        is_marked = is_marked || strcmp(column->name, columns[i]) == 0;
    for (size_t i = 0; is_marked && text != NULL && i < sizeof(marks) / sizeof(*marks); i++) {
        if (strcmp(text, marks[i][0]) == 0)
            return marks[i][1];
    }
    return NULL;
}

// "50.000" is 50 to a person.
static void append_number(const char *text, struct buffer *out)
{
    size_t length = strlen(text);
    if (strchr(text, '.') != NULL) {
        while (length > 0 && text[length - 1] == '0')
            length--;
        if (length > 0 && text[length - 1] == '.')
            length--;
    }
    buffer_append(out, text, length);
}

void output_append_cell(const struct session *session, const struct column *column,
                        const char *text, bool absolute, struct buffer *out)
{
    int64_t at;
    int64_t now;
    bool is_instant = column->kind == COLUMN_TIME && timestamp_parse(text, &at);
    if (is_instant && absolute) {
        char utc[TIMESTAMP_TEXT];
        timestamp_format(at, utc);
        buffer_append_text(out, utc);
    } else if (is_instant && timestamp_parse(session->now, &now)) {
        age_append(out, at, now);
    } else if (column->kind == COLUMN_NUMBER) {
        append_number(text, out);
    } else {
        buffer_append_text(out, text);
    }
}

// Rows and columns for people. An empty answer prints nothing: what it means is said on stderr.
static void print_table(const struct session *session, const struct flags *flags,
                        const struct answer *answer, FILE *to)
{
    // Beside a past instant "3d" could count from either end.
    bool absolute = flags->format == FORMAT_WIDE || session->as_of[0] != '\0';
    SCOPED(table_free) struct table *table = table_new(!flags->no_headers, output_has_colour());
    for (size_t i = 0; i < answer->selection.count; i++) {
        SCOPED_BUFFER heading = {0};
        column_append_heading(answer->selection.columns[i], &heading);
        table_add_column(table, heading.data, answer->selection.columns[i]->kind == COLUMN_NUMBER);
    }
    for (size_t row = 0; row < answer->count; row++) {
        table_add_row(table);
        for (size_t i = 0; i < answer->selection.count; i++) {
            const struct column *column = answer->selection.columns[i];
            const char *text = answer_cell(answer, row, i);
            SCOPED_BUFFER cell = {0};
            if (text != NULL)
                output_append_cell(session, column, text, absolute, &cell);
            table_set(table, i, cell.data, colour_of(column, text));
        }
    }
    if (answer->count > 0)
        table_print(table, to);
}

// One JSON text a row, as PostgreSQL printed it.
static void print_items(const struct answer *answer, const char *separator, FILE *to)
{
    for (size_t row = 0; row < answer->count; row++) {
        SCOPED_BUFFER item = {0};
        json_append_safe(&item, answer_cell(answer, row, 0));
        fprintf(to, "%s%s", row ? separator : "", item.data);
    }
}

// The coverage travels inside the object, so that a program cannot miss what a person reads on
// stderr.
static void print_envelope(const struct session *session, const struct answer *answer, FILE *to)
{
    SCOPED_BUFFER unknown = {0};
    json_append_safe(&unknown, session->unknown_json);
    fprintf(to, "{\"apiVersion\":\"modeltrail/v1\",\"kind\":\"%s\",\"as_of\":\"%s\",",
            answer->resource->kind, session->as_of[0] ? session->as_of : session->now);
    if (session->since[0] != '\0')
        fprintf(to, "\"since\":\"%s\",", session->since);
    if (session->until[0] != '\0')
        fprintf(to, "\"until\":\"%s\",", session->until);
    if (session->observed_since[0] != '\0')
        fprintf(to, "\"observed_since\":\"%s\",", session->observed_since);
    if (session->is_standby && session->replayed_until[0] != '\0')
        fprintf(to, "\"standby\":{\"replayed_until\":\"%s\"},", session->replayed_until);
    else if (session->is_standby)
        fputs("\"standby\":{\"replayed_until\":null},", to);
    fprintf(to, "\"truncated\":%s,", answer->is_cut ? "true" : "false");
    fprintf(to, "\"coverage\":{\"complete\":%s,\"unknown_scopes\":%s},",
            session_is_complete(session) ? "true" : "false", unknown.data);
    fputs("\"items\":[\n", to);
    print_items(answer, ",\n", to);
    fputs("\n]}\n", to);
}

// On a terminal a cell must not speak to the terminal; in a file it is kept as it is.
static void append_for_screen(struct buffer *out, const char *text, bool is_screen)
{
    if (text != NULL && is_screen)
        text_append_visible(out, text, strlen(text));
    else if (text != NULL)
        buffer_append_text(out, text);
}

// Only text can be taken for a formula; numbers, instants and booleans are ours.
static void append_field(struct buffer *line, const struct column *column, const char *text,
                         enum format format)
{
    bool is_text = column->kind == COLUMN_TEXT || column->kind == COLUMN_LIST;
    if (format == FORMAT_CSV)
        delimited_append_csv(line, text, is_text);
    else
        delimited_append_tsv(line, text);
}

// CSV and TSV have all columns unless some were chosen: files are for programs, which pick by name.
static void print_delimited(const struct flags *flags, const struct answer *answer, FILE *to)
{
    bool is_screen = isatty(STDOUT_FILENO);
    const char *separator = flags->format == FORMAT_CSV ? "," : "\t";
    const char *end = flags->format == FORMAT_CSV ? "\r\n" : "\n";
    SCOPED_BUFFER line = {0};
    for (size_t i = 0; !flags->no_headers && i < answer->selection.count; i++)
        buffer_printf(&line, "%s%s", i ? separator : "", answer->selection.columns[i]->name);
    if (!flags->no_headers)
        fprintf(to, "%s%s", line.data, end);
    for (size_t row = 0; row < answer->count; row++) {
        buffer_clear(&line);
        for (size_t i = 0; i < answer->selection.count; i++) {
            SCOPED_BUFFER cell = {0};
            const char *text = answer_cell(answer, row, i);
            append_for_screen(&cell, text, is_screen);
            buffer_append_text(&line, i ? separator : "");
            append_field(&line, answer->selection.columns[i], text ? cell.data : NULL,
                         flags->format);
        }
        buffer_append_text(&line, end);
        fwrite(line.data, 1, line.length, to);
    }
}

// A name may hold a newline; in a list of one name a line it must not make two. Rows that share
// their name stand together, and are named once.
static void print_names(const struct answer *answer, FILE *to)
{
    for (size_t row = 0; row < answer->count; row++) {
        const char *text = answer_cell(answer, row, 0);
        if (row > 0 && text_equal(text, answer_cell(answer, row - 1, 0)))
            continue;
        SCOPED_BUFFER name = {0};
        if (text != NULL)
            text_append_visible(&name, text, strlen(text));
        if (name.length > 0)
            fprintf(to, "%s\n", name.data);
    }
}

void output_print(const struct session *session, const struct flags *flags,
                  const struct answer *answer, FILE *to)
{
    switch (flags->format) {
    case FORMAT_TABLE:
    case FORMAT_WIDE:
        if (answer->resource->is_record) {
            record_print(session, flags, answer, to);
            break;
        }
        print_table(session, flags, answer, to);
        break;
    case FORMAT_JSON:
        print_envelope(session, answer, to);
        break;
    case FORMAT_JSONL:
        print_items(answer, "\n", to);
        if (answer->count > 0)
            fputc('\n', to);
        break;
    case FORMAT_CSV:
    case FORMAT_TSV:
        print_delimited(flags, answer, to);
        break;
    case FORMAT_NAME:
        print_names(answer, to);
        break;
    }
}
