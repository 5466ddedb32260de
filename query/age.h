#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/buffer.h"

// Appends how long `at` lies before `now`, both microseconds, in the largest unit that still tells:
// 45s, 12m, 7h, 30d. What lies ahead is 0s.
void age_append(struct buffer *out, int64_t at, int64_t now);
