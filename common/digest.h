#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES 32
#define DIGEST_HEX 65 // 64 digits and NUL

// SHA-256 of the bytes.
void digest_sha256(const void *bytes, size_t length, uint8_t digest[DIGEST_BYTES]);

// SHA-256 of two byte strings, one behind the other.
// Saves making a copy of a line only to put something in front of it.
void digest_pair(const void *first, size_t first_length, const void *second, size_t second_length,
                 uint8_t digest[DIGEST_BYTES]);

// Chain step (docs/architecture.md, invariant 2): next = SHA-256(previous || event line). In place
// is allowed.
void digest_chain(const uint8_t previous[DIGEST_BYTES], const void *line, size_t length,
                  uint8_t next[DIGEST_BYTES]);

// Lower-case hex; `hex` has room for 2 * length + 1.
void hex_encode(const uint8_t *bytes, size_t length, char *hex);

// Reads exactly 2 * length hex digits followed by NUL; false otherwise.
bool hex_decode(const char *hex, uint8_t *bytes, size_t length);
