#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Half a digest: a clash is out of reach at 128 bits, and checkpoints hold all of these keys.
#define FOLD_KEY_BYTES 16

// A set of the first 16 bytes of SHA-256 digests. Zeroed storage is the empty set.
struct fold_keyset {
    uint8_t (*slots)[FOLD_KEY_BYTES]; // an all-zero slot is free: no digest begins so
    size_t count;
    size_t capacity; // 0 or a power of two
};

// True when the key was added.
bool fold_keyset_has(const struct fold_keyset *set, const uint8_t *key);

// False when the key was there already.
bool fold_keyset_add(struct fold_keyset *set, const uint8_t *key);

// The keys ascending, freed by the caller; NULL for the empty set.
uint8_t (*fold_keyset_sorted(const struct fold_keyset *set))[FOLD_KEY_BYTES];

// Frees the set and leaves it empty.
void fold_keyset_reset(struct fold_keyset *set);
