#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/memory.h"

// A table for people: aligned columns, two spaces between them (libsmartcols). Texts are copied and
// escaped, so that a terminal only shows them.

struct table;

struct table *table_new(bool with_headings, bool with_colour);
void table_free(struct table *table);
DEFINE_CLEANUP(struct table, table_free)

void table_add_column(struct table *table, const char *heading, bool align_right);

// Starts the next row; cells go into it by column number. NULL is shown as "-".
void table_add_row(struct table *table);

// `colour` is a name that libsmartcols knows, such as "red", or NULL.
void table_set(struct table *table, size_t column, const char *text, const char *colour);

void table_print(struct table *table, FILE *to);
