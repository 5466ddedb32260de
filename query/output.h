#pragma once

#include <stdio.h>

#include "query/question.h"

// The one layer that prints answers, in every format of modeltrail(1).

// Prints the answer to `to`.
void output_print(const struct session *session, const struct flags *flags,
                  const struct answer *answer, FILE *to);

// Appends a cell as people read it: instants as ages or, when `absolute`, in full; numbers short.
void output_append_cell(const struct session *session, const struct column *column,
                        const char *text, bool absolute, struct buffer *out);

// True when tables may use colour: stdout is a terminal and NO_COLOR is not set.
bool output_has_colour(void);
