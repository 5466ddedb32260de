// Exponential back-off with jitter. Knows nothing of what is being tried.

#include "collector/backoff.h"

#include <stddef.h>
#include <sys/random.h>

#include "common/timestamp.h"

int64_t backoff_random(int64_t low, int64_t high)
{
    uint64_t bits;
    // Early in boot there may be no entropy yet; jitter may then come from the clock.
    if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) != (ssize_t)sizeof(bits))
        bits = (uint64_t)timestamp_now() * 6364136223846793005u >> 16;
    if (high <= low)
        return low;
    return low + (int64_t)(bits % (uint64_t)(high - low + 1));
}

// Half of the wait is drawn, at the longest one too: there the whole fleet waits for a server.
int64_t backoff_next_ms(struct backoff *backoff)
{
    if (backoff->base_ms < 2 * BACKOFF_MIN_MS)
        backoff->base_ms = 2 * BACKOFF_MIN_MS;
    int64_t wait_ms = backoff_random(backoff->base_ms / 2, backoff->base_ms);
    backoff->base_ms *= 2;
    if (backoff->base_ms > BACKOFF_MAX_MS)
        backoff->base_ms = BACKOFF_MAX_MS;
    return wait_ms;
}

int64_t backoff_asked_ms(int64_t asked_s)
{
    if (asked_s > BACKOFF_ASKED_MAX_S)
        asked_s = BACKOFF_ASKED_MAX_S;
    return asked_s * 1000 + backoff_random(0, asked_s * 100);
}

void backoff_reset(struct backoff *backoff)
{
    backoff->base_ms = 0;
}
