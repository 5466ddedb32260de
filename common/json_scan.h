#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

// A pull scanner over JSON text (RFC 8259) that tells byte ranges and never builds a tree. It is
// what bytes from outside meet first (docs/rules.md 29): it checks grammar, depth, UTF-8, and
// refuses an escaped NUL or a lone surrogate, which cJSON and PostgreSQL would each treat in their
// own way.

// Far deeper than the objects that we read, and shallow enough for cJSON, which recurses.
#define JSON_MAX_DEPTH 256

enum json_token_kind {
    JSON_OBJECT_BEGIN,
    JSON_OBJECT_END,
    JSON_ARRAY_BEGIN,
    JSON_ARRAY_END,
    JSON_KEY,    // range includes the quotes
    JSON_STRING, // range includes the quotes
    JSON_NUMBER,
    JSON_LITERAL, // true, false, null
    JSON_DONE,    // the one value and trailing space were read
};

struct json_token {
    enum json_token_kind kind;
    size_t from;    // first byte
    size_t to;      // behind the last byte
    unsigned depth; // open objects and arrays around the token; a begin and its end have the same
};

struct json_scan {
    const char *bytes;
    size_t length;
    size_t at;
    unsigned depth;
    unsigned max_depth;
    unsigned expect; // internal
    // Bits of levels that are closed are stale; push sets its own.
    uint64_t in_object[JSON_MAX_DEPTH / 64]; // one bit an open level: object or array
};

// Starts a scan; max_depth is at most JSON_MAX_DEPTH. The bytes must stay where they are.
void json_scan_init(struct json_scan *scan, const char *bytes, size_t length, unsigned max_depth);

// Reads the next token. False with REJECT and the byte offset when the text is not acceptable JSON.
// {"a":[1]} gives OBJECT_BEGIN (depth 0), KEY (1), ARRAY_BEGIN (1), NUMBER (2), ARRAY_END (1),
// OBJECT_END (0), DONE.
bool json_scan_next(struct json_scan *scan, struct json_token *token,
                    struct error *err) WARN_UNUSED;

// Skips the value that `begin` opened (nothing for scalars); *to is behind its last byte.
bool json_scan_skip(struct json_scan *scan, const struct json_token *begin, size_t *to,
                    struct error *err) WARN_UNUSED;

// Reads it all: true when the bytes are one acceptable JSON value no deeper than max_depth.
bool json_check(const char *bytes, size_t length, unsigned max_depth,
                struct error *err) WARN_UNUSED;
