#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

// A range of JSON text inside somebody else's bytes: what lets an audit line of megabytes be read
// without a tree of the objects in it.

struct span {
    const char *bytes; // NULL: there is no such member
    size_t length;
};

// Reads one JSON object and gives the values of the wanted keys (the first of doubled ones). Checks
// the whole text by docs/rules.md 29. REJECT when it is not acceptable or no object.
bool span_members(struct span object, const char *const keys[], struct span values[], size_t count,
                  struct error *err) WARN_UNUSED;

// The string that a span holds, decoded; NULL when it is missing or no string. The caller frees it.
char *span_text(struct span value);

// True when the span is exactly this string.
bool span_is(struct span value, const char *text);

// The positive integer that a span holds as a number or a string of digits; 0 when it is none. Read
// from its digits, since a double would bend large ones.
int64_t span_integer(struct span value);

// True for the literal true.
bool span_is_true(struct span value);

// True for an object or array with something in it.
bool span_has_content(struct span value);
