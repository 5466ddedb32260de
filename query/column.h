#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"
#include "common/error.h"

// What an answer's columns are called, how each is shown, and which of them a person asked for.

#define COLUMNS_MAX 96

enum column_kind {
    COLUMN_TEXT,
    COLUMN_TIME,   // timestamptz; relative in tables, RFC 3339 elsewhere
    COLUMN_NUMBER, // right-aligned; never guarded in CSV
    COLUMN_BOOLEAN,
    COLUMN_LIST, // text[]; joined by ", " in tables, JSON elsewhere
    COLUMN_JSON,
    COLUMN_DOCUMENT, // JSON that people see laid out over many lines (`show`)
    COLUMN_CHAIN,    // links, which people see as a table (query/chain.h)
    COLUMN_DIFF,     // differences, which people see one a line (query/object_diff.h)
};

// The narrowest format that shows a column unasked.
enum column_level { COLUMN_TABLE, COLUMN_WIDE, COLUMN_ALL };

struct column {
    const char *name; // the view's name (docs/sql.md)
    enum column_kind kind;
    enum column_level level;
    const char *heading; // in tables; NULL: the name in capitals
};

struct selection {
    const struct column *columns[COLUMNS_MAX];
    size_t count;
};

// Chooses columns of `table` (ends with a NULL name): those in `names` ("a,b,c", any order), or
// with NULL those shown at `level`. An unknown name is an error that says what is near.
bool selection_make(const struct column *table, enum column_level level, const char *names,
                    struct selection *out, struct error *err) WARN_UNUSED;

// Appends the select list: the bare columns for row_to_json, or each as the text of one cell.
void selection_append_names(const struct selection *selection, struct buffer *sql);
void selection_append_cells(const struct selection *selection, bool for_people, struct buffer *sql);

// Appends the heading that a table shows for the column.
void column_append_heading(const struct column *column, struct buffer *out);
