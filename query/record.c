// One row as a page, for `show`.

#include "query/record.h"

#include <string.h>

#include "common/text.h"
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

// The line breaks are the layout's; whatever stands inside a line is from outside.
static void print_document(const struct column *column, const char *text, FILE *to)
{
    fprintf(to, "\n%s\n", column->name);
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        SCOPED_BUFFER line = {0};
        text_append_visible(&line, text, length);
        fprintf(to, "  %s\n", line.data ? line.data : "");
        text += length + (text[length] == '\n');
    }
}

// Called once for the plain columns and once for the documents behind them.
static void print_row(const struct session *session, const struct flags *flags,
                      const struct answer *answer, size_t row, bool documents, FILE *to)
{
    for (size_t i = 0; i < answer->selection.count; i++) {
        const struct column *column = answer->selection.columns[i];
        const char *text = answer_cell(answer, row, i);
        if ((column->kind == COLUMN_DOCUMENT) != documents)
            continue;
        if (documents && text != NULL)
            print_document(column, text, to);
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
