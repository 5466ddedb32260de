#pragma once

#include <stdbool.h>

#include "common/buffer.h"

// Appends one CSV field (RFC 4180). With `guard`, text that a spreadsheet would run as a formula
// (it begins with = + - @, tab or carriage return) gets a leading apostrophe. NULL is empty.
void delimited_append_csv(struct buffer *out, const char *text, bool guard);

// Appends one TSV field: backslash, tab, newline and carriage return become \\ \t \n \r. NULL is
// empty.
void delimited_append_tsv(struct buffer *out, const char *text);
