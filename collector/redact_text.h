#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"

// Takes secrets out of one text: an argument, a URI, a line of configuration.

#define REDACTED "[redacted]"

// Appends the text without credentials and query strings of the URIs in it, and with the values of
// assignments to secret names (--password=x, --token x, "api_key": "x", TOKEN=x) replaced by
// [redacted], and private keys in PEM. In the path of a URI such a value ends at the next '/', and
// inside an rclone remote (:s3,key=x:bucket/path) at ',' or ':', so that artifacts stay distinct.
// False, and nothing appended, when there was nothing to take out.
bool redact_text(const char *text, size_t length, struct buffer *out);

// The same for URIs only.
bool redact_uris(const char *text, size_t length, struct buffer *out);

// The same as redact_text, and without the values that an API server's messages quote ("Invalid
// value: ..."): which field they were meant for is said in words only.
bool redact_message(const char *text, size_t length, struct buffer *out);

// True when an argument is only the name of a secret (--token), whose value is the next argument.
bool redact_names_next(const char *text, size_t length);
