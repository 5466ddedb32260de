#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// How far a connection to the store has come, and what flies: frames that were sent and not yet
// acknowledged, at most FLIGHTS of them, and no more bytes in them than the store's window. Knows
// numbers only.

#define FLIGHTS 2

struct flight {
    int64_t last; // event
    int64_t bytes;
};

struct flights {
    int64_t acked;  // newest event that the store has
    int64_t sent;   // newest event that was sent
    int64_t window; // bytes that may fly
    struct flight frames[FLIGHTS];
    size_t count;
    bool held; // the next event does not fit beside what flies
};

// Begins behind the event that the store has. A window of 0 is that of a store which tells none.
void flights_begin(struct flights *flights, int64_t acked, int64_t window);

// Forgets what flies, as when the connection has ended.
void flights_end(struct flights *flights);

// True when another frame may be tried now, rather than after an ack.
bool flights_may_send(const struct flights *flights);

// How many bytes of lines the next frame should have at most.
size_t flights_frame_bytes(const struct flights *flights);

// True when a body of so many bytes must wait for an ack, which is remembered until one comes.
bool flights_hold(struct flights *flights, size_t bytes);

// Notes that a frame with the next `events` events was sent.
void flights_add(struct flights *flights, int64_t events, size_t bytes);

// Notes that the store has everything up to event seq, which may stand inside of a frame.
void flights_ack(struct flights *flights, int64_t seq);
