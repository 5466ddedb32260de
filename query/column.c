// Column tables and the choice among them. SQL is put together from these fixed names only; what a
// person typed is compared with them and never becomes SQL.

#include "query/column.h"

#include <ctype.h>
#include <string.h>

#include "query/nearest.h"

static const struct column *find_column(const struct column *table, const char *name, size_t length)
{
    for (; table->name != NULL; table++) {
        if (strlen(table->name) == length && strncmp(table->name, name, length) == 0)
            return table;
    }
    return NULL;
}

// True when the name is that which tables print above the column, in any case.
static bool is_heading(const struct column *column, const char *name, size_t length)
{
    SCOPED_BUFFER heading = {0};
    column_append_heading(column, &heading);
    if (heading.length != length)
        return false;
    for (size_t i = 0; i < length; i++) {
        char letter = name[i] == '_' ? ' ' : (char)toupper((unsigned char)name[i]);
        if (heading.data[i] != letter)
            return false;
    }
    return true;
}

// A name goes before a heading, for a heading may be another column's name.
static const struct column *find_named(const struct column *table, const char *name, size_t length)
{
    const struct column *found = find_column(table, name, length);
    for (; found == NULL && table->name != NULL; table++) {
        if (is_heading(table, name, length))
            found = table;
    }
    return found;
}

// "id" means deployment_id where no heading is called so.
static const char *ending_with(const char *const *names, size_t count, const char *word)
{
    size_t length = strlen(word);
    for (size_t i = 0; length > 0 && i < count; i++) {
        size_t whole = strlen(names[i]);
        if (whole > length && names[i][whole - length - 1] == '_' &&
            strcmp(names[i] + whole - length, word) == 0)
            return names[i];
    }
    return NULL;
}

// One near name is a better hint than the whole list.
static bool fail_unknown(const struct column *table, const char *name, size_t length,
                         struct error *err)
{
    const char *names[COLUMNS_MAX];
    size_t count = 0;
    SCOPED_BUFFER known = {0};
    for (; table->name != NULL && count < COLUMNS_MAX; table++) {
        buffer_printf(&known, "%s%s", count ? ", " : "", table->name);
        names[count++] = table->name;
    }
    SCOPED_BUFFER wanted = {0};
    buffer_append(&wanted, name, length < 60 ? length : 60);
    const char *near = ending_with(names, count, wanted.data);
    if (near == NULL)
        near = nearest_word(wanted.data, names, count);
    if (near != NULL)
        return fail(err, REACT_STOP, "no column '%s'; hint: did you mean '%s'?", wanted.data, near);
    return fail(err, REACT_STOP, "no column '%s'; hint: there are %.400s", wanted.data, known.data);
}

static bool is_selected(const struct selection *selection, const struct column *column)
{
    for (size_t i = 0; i < selection->count; i++) {
        if (selection->columns[i] == column)
            return true;
    }
    return false;
}

// Reads "a,b,c"; a column twice would be one member twice in JSON. An empty name between commas is
// an unknown one.
static bool select_named(const struct column *table, const char *names, struct selection *out,
                         struct error *err)
{
    while (true) {
        size_t length = strcspn(names, ",");
        const struct column *column = find_named(table, names, length);
        if (column == NULL)
            return fail_unknown(table, names, length, err);
        if (is_selected(out, column))
            return fail(err, REACT_STOP, "column '%s' is named twice; hint: leave one out",
                        column->name);
        if (out->count == COLUMNS_MAX)
            return fail(err, REACT_STOP, "more than %d columns", COLUMNS_MAX);
        out->columns[out->count++] = column;
        if (names[length] == '\0')
            return true;
        names += length + 1;
    }
}

bool selection_make(const struct column *table, enum column_level level, const char *names,
                    struct selection *out, struct error *err)
{
    out->count = 0;
    if (names != NULL)
        return select_named(table, names, out, err);
    for (; table->name != NULL && out->count < COLUMNS_MAX; table++) {
        if (table->level <= level)
            out->columns[out->count++] = table;
    }
    return true;
}

void selection_append_names(const struct selection *selection, struct buffer *sql)
{
    for (size_t i = 0; i < selection->count; i++)
        buffer_printf(sql, "%s%s", i ? ", " : "", selection->columns[i]->name);
}

// to_json prints instants as RFC 3339 whatever DateStyle is, the same text that -o json shows.
static const char *cell_expression(enum column_kind kind, bool for_people)
{
    switch (kind) {
    case COLUMN_TIME:
        return "to_json(%s) #>> '{}'";
    case COLUMN_LIST:
        return for_people ? "array_to_string(%s, ', ')" : "to_json(%s)::text";
    case COLUMN_DOCUMENT:
        return for_people ? "jsonb_pretty(%s::jsonb)" : "%s::text";
    case COLUMN_TEXT:
    case COLUMN_NUMBER:
    case COLUMN_BOOLEAN:
    case COLUMN_JSON:
    case COLUMN_CHAIN:
    case COLUMN_DIFF:
        return "%s::text";
    }
    return "%s::text";
}

void selection_append_cells(const struct selection *selection, bool for_people, struct buffer *sql)
{
    for (size_t i = 0; i < selection->count; i++) {
        const char *expression = cell_expression(selection->columns[i]->kind, for_people);
        const char *hole = strstr(expression, "%s");
        buffer_append_text(sql, i ? ", " : "");
        buffer_append(sql, expression, (size_t)(hole - expression));
        buffer_append_text(sql, selection->columns[i]->name);
        buffer_append_text(sql, hole + 2);
    }
}

void column_append_heading(const struct column *column, struct buffer *out)
{
    const char *text = column->heading ? column->heading : column->name;
    for (; *text; text++)
        buffer_append_char(out, *text == '_' ? ' ' : (char)toupper((unsigned char)*text));
}
