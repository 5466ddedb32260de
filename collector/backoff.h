#pragma once

#include <stdint.h>

// Waiting times between attempts: 0.8 s to 30 s, doubled each time, with jitter, so that many
// collectors do not come back in step, however long the trouble lasts.

#define BACKOFF_MIN_MS 800
#define BACKOFF_MAX_MS 30000
#define BACKOFF_ASKED_MAX_S 600

struct backoff {
    int64_t base_ms; // the most that the next wait may be; 0 = start anew
};

// Gives the next waiting time, between BACKOFF_MIN_MS and BACKOFF_MAX_MS.
int64_t backoff_next_ms(struct backoff *backoff);

// How long to wait when the other side asks for so many seconds: that, but no absurd time, and a
// tenth more at most, so that not all whom it asked come back at once.
int64_t backoff_asked_ms(int64_t asked_s);

// Starts anew after a success.
void backoff_reset(struct backoff *backoff);

// A random number in [low, high]; not for secrets.
int64_t backoff_random(int64_t low, int64_t high);
