#pragma once

#include "query/question.h"

// Says on stderr, behind an empty answer, what was perhaps meant: the known name nearest to one
// that was never seen.
void names_hint(const struct session *session, const struct flags *flags,
                const struct question *question);
