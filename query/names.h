#pragma once

#include <stdbool.h>

#include "query/question.h"

// Explains an empty answer on stderr: names that were never seen get the nearest known one as a
// hint. False when an environment or cluster that the options name is not known at all: nothing
// was ever observed there, so that nothing found there is no "no" (R22).
bool names_hint(const struct session *session, const struct flags *flags,
                const struct question *question);
