#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"

// Appends the text with the values that it gives to names of secrets (secret_name.h) replaced by
// [redacted]: --password=x, --token x, "api_key": "x", TOKEN=x, a YAML block, the password of
// --user. In the path of a URI such a value ends at the next '/', and inside an rclone remote
// (:s3,key=x:bucket/path) at ',' or ':', so that artifacts stay distinct. False, and nothing
// appended, when there was nothing to take out.
bool redact_assignments(const char *text, size_t length, struct buffer *out);
