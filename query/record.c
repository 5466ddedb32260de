// One row as a page, for `show`.

#include "query/record.h"

#include <string.h>

#include "common/text.h"
#include "query/chain.h"
#include "query/object_diff.h"
#include "query/output.h"

#define NAME_WIDTH 20

static void print_line(const struct session *session, const struct column *column, const char *text,
                       FILE *to)
{
    SCOPED_BUFFER cell = {0};
    SCOPED_BUFFER visible = {0};
    if (text != NULL)
        output_append_cell(session, column, text, true, &cell);
    else
        buffer_append_char(&cell, '-');
    text_append_visible(&visible, cell.data, cell.length);
    fprintf(to, "%-*s  %s\n", NAME_WIDTH, column->name, visible.data ? visible.data : "");
}

static bool is_document(const struct column *column)
{
    return column->kind == COLUMN_DOCUMENT || column->kind == COLUMN_CHAIN ||
           column->kind == COLUMN_DIFF;
}

// The line breaks are the layout's; whatever stands inside a line is from outside.
static void print_lines(const char *text, FILE *to)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        SCOPED_BUFFER line = {0};
        text_append_visible(&line, text, length);
        fprintf(to, "  %s\n", line.data ? line.data : "");
        text += length + (text[length] == '\n');
    }
}

// One line for each difference; that there is none is said in `diff_note`.
static void print_diff(const char *text, FILE *to)
{
    SCOPED_BUFFER lines = {0};
    struct error err = {0};
    if (object_diff_append_lines(text, &lines, &err) && lines.data != NULL)
        print_lines(lines.data, to);
}

static void print_document(const struct session *session, const struct column *column,
                           const char *text, FILE *to)
{
    fprintf(to, "\n%s\n", column->name);
    if (column->kind == COLUMN_CHAIN)
        chain_print(session, text, to);
    else if (column->kind == COLUMN_DIFF)
        print_diff(text, to);
    else
        print_lines(text, to);
}

// Called once for the plain columns and once for the documents behind them.
static void print_row(const struct session *session, const struct flags *flags,
                      const struct answer *answer, size_t row, bool documents, FILE *to)
{
    for (size_t i = 0; i < answer->selection.count; i++) {
        const struct column *column = answer->selection.columns[i];
        const char *text = answer_cell(answer, row, i);
        if (is_document(column) != documents)
            continue;
        if (documents && text != NULL)
            print_document(session, column, text, to);
        else if (!documents && (text != NULL || flags->format == FORMAT_WIDE))
            print_line(session, column, text, to);
    }
}

void record_print(const struct session *session, const struct flags *flags,
                  const struct answer *answer, FILE *to)
{
    for (size_t row = 0; row < answer->count; row++) {
        print_row(session, flags, answer, row, false, to);
        print_row(session, flags, answer, row, true, to);
    }
}
