#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"

// Appends the text with each private key in PEM replaced by [redacted]; one that is cut short goes
// to the end of the text. Certificates and public keys stay. False, and nothing appended, when
// there was nothing to take out.
bool redact_private_keys(const char *text, size_t length, struct buffer *out);
