#pragma once

#include "common/error.h"

// What the program says to people, on stderr; stdout is data. One line each, strings from outside
// escaped.

// "error: ..." and, when the message has one, "hint: ..." on a line of its own.
void talk_error(const struct error *err);

void talk_note(const char *format, ...) PRINTF_LIKE(1, 2);
void talk_hint(const char *format, ...) PRINTF_LIKE(1, 2);
