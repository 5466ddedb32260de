// Counting what flies. Two frames, so that the store has the next one while it commits the first;
// few bytes, since the store must hold what all its collectors have in flight.

#include "collector/flight.h"

#define FRAME_BODY_BYTES ((size_t)1024 * 1024) // of 4 MiB allowed: encrypting takes several copies
// What a store of version 1, which tells no window, must be able to hold.
#define WINDOW_V1 ((int64_t)(FLIGHTS * FRAME_BODY_BYTES))

void flights_begin(struct flights *flights, int64_t acked, int64_t window)
{
    *flights =
        (struct flights){.acked = acked, .sent = acked, .window = window > 0 ? window : WINDOW_V1};
}

void flights_end(struct flights *flights)
{
    flights->count = 0;
    flights->held = false;
}

bool flights_may_send(const struct flights *flights)
{
    return flights->count < FLIGHTS && !flights->held;
}

static int64_t flying_bytes(const struct flights *flights)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < flights->count; i++)
        bytes += flights->frames[i].bytes;
    return bytes;
}

// Half of the window a frame, or the first would leave no room for a second.
size_t flights_frame_bytes(const struct flights *flights)
{
    int64_t half = flights->window / FLIGHTS;
    int64_t left = flights->window - flying_bytes(flights);
    int64_t bytes = left < half ? left : half;
    if (bytes > (int64_t)FRAME_BODY_BYTES)
        bytes = FRAME_BODY_BYTES;
    return bytes > 0 ? (size_t)bytes : 0;
}

// One event is always read, however large. Alone it may go, or it never would.
bool flights_hold(struct flights *flights, size_t bytes)
{
    flights->held = flights->count > 0 && bytes > flights_frame_bytes(flights);
    return flights->held;
}

void flights_add(struct flights *flights, int64_t events, size_t bytes)
{
    flights->sent += events;
    flights->frames[flights->count++] = (struct flight){flights->sent, (int64_t)bytes};
}

// Acks are cumulative: all frames that end at or before it have landed.
void flights_ack(struct flights *flights, int64_t seq)
{
    flights->acked = seq;
    flights->held = false;
    size_t kept = 0;
    for (size_t i = 0; i < flights->count; i++) {
        if (flights->frames[i].last > seq)
            flights->frames[kept++] = flights->frames[i];
    }
    flights->count = kept;
}
