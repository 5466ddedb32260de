#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"
#include "common/error.h"

// What base64 of gzip (RFC 4648, RFC 1952) may become: some times what CloudWatch Logs packs.
#define AUDIT_UNPACK_MAX ((size_t)64 * 1024 * 1024)

// Appends what the text packs. REJECT when it is not base64 of gzip, ends too early, or expands
// beyond AUDIT_UNPACK_MAX.
bool audit_unpack(const char *base64, size_t length, struct buffer *out,
                  struct error *err) WARN_UNUSED;
