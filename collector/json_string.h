#pragma once

#include <stddef.h>

#include "common/buffer.h"

// Appends the text of a JSON string token (range with its quotes, already accepted by json_scan).
void json_string_decode(const char *token, size_t length, struct buffer *out);
