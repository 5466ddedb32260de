#pragma once

#include <stdint.h>

#include "common/buffer.h"
#include "common/digest.h"

// 128 bits: nobody finds a short body by trying all of them.
#define SALT_BYTES 16

// What a log entry commits to: the event's place and kind, and the digest of its salted body.
// Texts are borrowed. Anything that is added here changes every leaf from then on, so it needs
// another type of leaf and not another member.
struct envelope {
    const char *collector;
    int64_t epoch;
    int64_t seq;
    const char *event_id;
    const char *type;
    int64_t time; // microseconds; TIMESTAMP_NONE is null
    uint8_t body_digest[DIGEST_BYTES];
};

// SHA-256(salt || body): with the salt erased nobody can tell the body from its digest.
void envelope_body_digest(const uint8_t salt[SALT_BYTES], const void *body, size_t length,
                          uint8_t digest[DIGEST_BYTES]);

// Appends the canonical JSON form (docs/architecture.md, "Leaf hash").
void envelope_write(const struct envelope *envelope, struct buffer *out);

// SHA-256(0x00 || canonical form): the leaf hash of RFC 6962. `scratch` is cleared and used.
void envelope_leaf_hash(const struct envelope *envelope, struct buffer *scratch,
                        uint8_t leaf[DIGEST_BYTES]);
