// A table without chains: each digest has one place, where it displaces what was there. That is all
// the memory of a repeat needs, and nothing has to be aged. Who displaces others on purpose makes
// repeats be sent, which the store knows; that two things have one digest, nobody can bring about.

#include "collector/recent_digests.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

struct recent_digests {
    size_t capacity;
    uint8_t (*places)[DIGEST_BYTES]; // zeros: empty
    size_t *added;                   // places that are not settled
    size_t added_count;
    size_t added_capacity;
};

struct recent_digests *recent_digests_new(size_t capacity)
{
    struct recent_digests *recent = xcalloc(1, sizeof(*recent));
    recent->capacity = capacity;
    recent->places = xcalloc(capacity, sizeof(*recent->places));
    return recent;
}

void recent_digests_free(struct recent_digests *recent)
{
    if (recent == NULL)
        return;
    free(recent->places);
    free(recent->added);
    free(recent);
}

static size_t place_of(const struct recent_digests *recent, const uint8_t digest[DIGEST_BYTES])
{
    size_t number;
    memcpy(&number, digest, sizeof(number));
    return number & (recent->capacity - 1);
}

bool recent_digests_has(const struct recent_digests *recent, const uint8_t digest[DIGEST_BYTES])
{
    return memcmp(recent->places[place_of(recent, digest)], digest, DIGEST_BYTES) == 0;
}

void recent_digests_add(struct recent_digests *recent, const uint8_t digest[DIGEST_BYTES])
{
    size_t place = place_of(recent, digest);
    memcpy(recent->places[place], digest, DIGEST_BYTES);
    recent->added = xgrow(recent->added, &recent->added_capacity, recent->added_count + 1,
                          sizeof(*recent->added));
    recent->added[recent->added_count++] = place;
}

// What was displaced meanwhile is forgotten with it: it would have been a chance to leave one out.
void recent_digests_settle(struct recent_digests *recent, bool keeps)
{
    for (size_t i = 0; i < recent->added_count && !keeps; i++)
        memset(recent->places[recent->added[i]], 0, DIGEST_BYTES);
    recent->added_count = 0;
}
