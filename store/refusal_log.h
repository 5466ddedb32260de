#pragma once

#include <stdint.h>

#include "common/event.h"

// Refused frames in the log. A collector that is refused tries again at once: without a bound, one
// that is misconfigured would fill it.

// Zeroed storage ({0}) has logged nothing yet.
struct refusal_log {
    char said[320]; // the refusal that was logged last, when, and how many like it were not
    int64_t said_ms;
    unsigned unlogged;
};

// Says each refusal once; of the same one again and again only one a second, with the number of the
// others. Remembers the last one only: two collectors that are refused in turn are both told each
// time.
void refusal_log_add(struct refusal_log *log, const char *collector, enum nack_reason reason,
                     const char *message);
