#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"

// Takes secrets out of one text: an argument, a URI, a line of configuration.

#define REDACTED "[redacted]"

// Appends the text without credentials and query strings of the URIs in it (redact_uri.h), without
// private keys (redact_private_key.h), and without what is assigned to names of secrets
// (redact_assignment.h). False, and nothing appended, when there was nothing to take out.
bool redact_text(const char *text, size_t length, struct buffer *out);

// True when an argument is only the name of a secret (--token), whose value is the next argument.
bool redact_names_next(const char *text, size_t length);
