#pragma once

#include "query/question.h"

// Prints each row of the answer for people as lines "name: value"; documents come last, laid out.
// Columns that are NULL are left out of the narrow format.
void record_print(const struct session *session, const struct flags *flags,
                  const struct answer *answer, FILE *to);
