#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"

// Takes out of a message what redact_text takes out of any text, and the values that an API
// server's messages quote ("Invalid value: ..."): which field they were meant for is said in words
// only. False, and nothing appended, when there was nothing to take out.
bool redact_message(const char *text, size_t length, struct buffer *out);
