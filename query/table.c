// libsmartcols, with its own escaping switched off: it knows nothing of bidirectional characters
// and would escape our escapes again.

#include "query/table.h"

#include <langinfo.h>
#include <libsmartcols.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/text.h"

struct table {
    struct libscols_table *inner;
    struct libscols_line *line;
};

// The width of a character is asked of the C library, which in the C locale knows ASCII only; all
// our text is UTF-8.
static void use_utf8(void)
{
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

// libsmartcols fails for want of memory only.
static void *checked(void *memory)
{
    if (memory == NULL) {
        fputs("error: out of memory\n", stderr);
        abort();
    }
    return memory;
}

struct table *table_new(bool with_headings, bool with_colour)
{
    use_utf8();
    struct table *table = xcalloc(1, sizeof(*table));
    table->inner = checked(scols_new_table());
    scols_table_enable_noheadings(table->inner, !with_headings);
    scols_table_enable_colors(table->inner, with_colour);
    scols_table_enable_noencoding(table->inner, 1);
    checked(scols_table_set_column_separator(table->inner, "  ") == 0 ? table : NULL);
    // A narrow terminal wraps lines; it never costs characters of a name.
    scols_table_set_termforce(table->inner, SCOLS_TERMFORCE_NEVER);
    return table;
}

void table_free(struct table *table)
{
    if (table == NULL)
        return;
    scols_unref_table(table->inner);
    free(table);
}

void table_add_column(struct table *table, const char *heading, bool align_right)
{
    int flags = align_right ? SCOLS_FL_RIGHT : 0;
    SCOPED_BUFFER visible = {0};
    text_append_visible(&visible, heading, strlen(heading));
    checked(scols_table_new_column(table->inner, visible.data ? visible.data : "", 0, flags));
}

void table_add_row(struct table *table)
{
    table->line = checked(scols_table_new_line(table->inner, NULL));
}

// Escaping happens here, at the last step, so that no caller can forget it.
void table_set(struct table *table, size_t column, const char *text, const char *colour)
{
    SCOPED_BUFFER visible = {0};
    if (text == NULL || *text == '\0')
        text = "-";
    text_append_visible(&visible, text, strlen(text));
    checked(scols_line_set_data(table->line, column, visible.data) == 0 ? table : NULL);
    if (colour != NULL)
        scols_cell_set_color(scols_line_get_cell(table->line, column), colour);
}

void table_print(struct table *table, FILE *to)
{
    scols_table_set_stream(table->inner, to);
    scols_print_table(table->inner);
}
