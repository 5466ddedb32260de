#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"

// The newest SHA-256 digests of what was recorded, to know what comes again. What was added counts
// once it is settled; until then it may be taken back.

struct recent_digests;

// Remembers the newest `capacity`, a power of two.
struct recent_digests *recent_digests_new(size_t capacity);
void recent_digests_free(struct recent_digests *recent);

// True for one that was added and is not forgotten.
bool recent_digests_has(const struct recent_digests *recent, const uint8_t digest[DIGEST_BYTES]);
void recent_digests_add(struct recent_digests *recent, const uint8_t digest[DIGEST_BYTES]);

// Keeps what was added since the last time, or takes it back.
void recent_digests_settle(struct recent_digests *recent, bool keeps);
