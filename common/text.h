#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"

// True when the bytes are valid UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool text_is_utf8(const char *bytes, size_t length);

// Appends text from outside so that a terminal only shows it: control, bidirectional and other
// invisible format characters and invalid bytes become \x1b or \u202e forms.
void text_append_visible(struct buffer *out, const char *text, size_t length);

// Reads a whole decimal int64, no sign but '-', no spaces; false otherwise.
// Leading zeros are taken: "007" is 7.
bool text_to_int64(const char *text, int64_t *value);

// True when text starts with prefix.
bool text_starts_with(const char *text, const char *prefix);

// Cuts newlines at the end and makes spaces of the others, in place.
void text_one_line(char *text);

// NULL-safe equality.
bool text_equal(const char *left, const char *right);
