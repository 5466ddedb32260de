#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/error.h"

// Writes an event line again under another epoch and seq into out (cleared first); type, subject,
// time and the bytes of data stay.
bool spool_renumber(const char *collector, const char *cluster, int64_t epoch, int64_t seq,
                    const char *line, size_t length, struct buffer *out,
                    struct error *err) WARN_UNUSED;
