#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"

// URIs in running text, and what is secret in them.

struct uri {
    const char *scheme;
    const char *authority; // behind "://"
    const char *end;
};

// Finds the next URI of the text from `at` on; false when there is none. One ends where text does,
// or where the next one of a list begins.
bool uri_find(const char *text, const char *at, const char *end, struct uri *uri);

// Appends the text without credentials and query strings of the URIs in it. False, and nothing
// appended, when there was nothing to take out.
bool redact_uris(const char *text, size_t length, struct buffer *out);
