#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/event.h"
#include "store/allow_list.h"
#include "store/listener.h"

// What the store remembers of each connected collector (docs/rules.md 26). It is a convenience of
// one process: PostgreSQL's marks decide.

struct session {
    struct peer peer;
    char collector[NAME_MAX_BYTES + 1];
    char program[64];
    int wire; // version spoken
    int64_t epoch;
    int64_t received;            // highest seq taken from this connection or acknowledged before
    uint8_t chain[DIGEST_BYTES]; // at received
    int64_t acked;               // the highest seq that this connection was told to be stored
    // The database's clock less this machine's, at the last beat.
    int64_t database_ahead_us;
    int64_t lag_us; // of the collector's clock
    // Not the end of the session: without it, the frames that follow would each be answered.
    bool refused; // a nack was sent that only a new hello clears
};

// Sessions move when others end, so a pointer is good until then.
struct session_table {
    struct session *items;
    size_t count;
    size_t capacity;
};

// The session of a connection; NULL when it has said no hello. Borrowed until the next add or drop.
struct session *session_find(struct session_table *table, const struct peer *peer);

// Begins a session; one that the same collector had on another connection ends.
struct session *session_begin(struct session_table *table, const struct peer *peer,
                              const char *collector);

// Forgets the peer's session; its next data frame is answered with a gap, and it says hello.
void session_end(struct session_table *table, const struct peer *peer);

// Advances the connection's idea of seq and chain over the frame's lines; false when the body does
// not have as many lines as the header says.
bool session_advance(struct session *session, const struct frame *data);

// How far the sender's clock is behind, in microseconds, when a frame that it sent at `at` comes in
// now (0: it did not say). 0: not noticeably.
int64_t session_lag(struct session *session, int64_t at);

// How many speak wire version 1, which knows no window; one collector is left out (NULL: none).
size_t session_count_old(const struct session_table *table, const char *but_collector);

// Frees all sessions.
void session_table_reset(struct session_table *table);
