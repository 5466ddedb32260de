// Open addressing over digests, which are their own hash values.

#include "store/fold_keyset.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

#define FIRST_CAPACITY 16

static const uint8_t free_slot[FOLD_KEY_BYTES];

// The key's slot, or the free one where it would go.
// Ends, because the set is never more than three quarters full.
static size_t slot_of(const struct fold_keyset *set, const uint8_t *key)
{
    uint64_t hash;
    memcpy(&hash, key, sizeof(hash));
    size_t at = (size_t)hash & (set->capacity - 1);
    while (memcmp(set->slots[at], free_slot, FOLD_KEY_BYTES) != 0 &&
           memcmp(set->slots[at], key, FOLD_KEY_BYTES) != 0)
        at = (at + 1) & (set->capacity - 1);
    return at;
}

bool fold_keyset_has(const struct fold_keyset *set, const uint8_t *key)
{
    return set->count > 0 && memcmp(set->slots[slot_of(set, key)], key, FOLD_KEY_BYTES) == 0;
}

// Slots depend on the capacity, so every key is placed anew.
static void grow(struct fold_keyset *set)
{
    struct fold_keyset larger = {.capacity = set->capacity ? set->capacity * 2 : FIRST_CAPACITY};
    larger.slots = xcalloc(larger.capacity, FOLD_KEY_BYTES);
    for (size_t i = 0; i < set->capacity; i++) {
        if (memcmp(set->slots[i], free_slot, FOLD_KEY_BYTES) != 0)
            fold_keyset_add(&larger, set->slots[i]);
    }
    fold_keyset_reset(set);
    *set = larger;
}

bool fold_keyset_add(struct fold_keyset *set, const uint8_t *key)
{
    if ((set->count + 1) * 4 > set->capacity * 3)
        grow(set);
    size_t at = slot_of(set, key);
    if (memcmp(set->slots[at], key, FOLD_KEY_BYTES) == 0)
        return false;
    memcpy(set->slots[at], key, FOLD_KEY_BYTES);
    set->count++;
    return true;
}

static int compare_keys(const void *left, const void *right)
{
    return memcmp(left, right, FOLD_KEY_BYTES);
}

// The order of slots depends on the order of adding; a checkpoint must not.
uint8_t (*fold_keyset_sorted(const struct fold_keyset *set))[FOLD_KEY_BYTES]
{
    if (set->count == 0)
        return NULL;
    uint8_t(*keys)[FOLD_KEY_BYTES] = xcalloc(set->count, FOLD_KEY_BYTES);
    size_t used = 0;
    for (size_t i = 0; i < set->capacity; i++) {
        if (memcmp(set->slots[i], free_slot, FOLD_KEY_BYTES) != 0)
            memcpy(keys[used++], set->slots[i], FOLD_KEY_BYTES);
    }
    qsort(keys, used, FOLD_KEY_BYTES, compare_keys);
    return keys;
}

void fold_keyset_reset(struct fold_keyset *set)
{
    free(set->slots);
    *set = (struct fold_keyset){0};
}
