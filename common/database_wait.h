#pragma once

#include <stdbool.h>
#include <stdint.h>

// A wait for a socket of PostgreSQL, which hears a signal and lets other work be done meanwhile.
// One such wait serves a connection from its first step to its end: what the watch has said once
// holds for all that follows. Instants are of the monotonic clock, in ms.

// A descriptor that every wait of a connection looks at as well, so that a signal is heard while
// the server is silent. When it is readable `ready` is called once: how many ms all calls together
// may still take from then on, or -1 for as long as before. fd -1: none.
struct database_watch {
    int fd;
    int (*ready)(void *context);
    void *context;
};

// Work for the time in which a call waits for the server: one short piece per call, false when
// there is none left for now. It must not use the database. NULL is none.
struct database_idle {
    bool (*work)(void *context);
    void *context;
};

// In the caller's storage.
struct database_wait {
    struct database_watch watch;
    struct database_idle idle;
    int64_t limit_ms; // when all must be over, whatever a single deadline is; 0: none
};

// The instant in `timeout_ms` from now; 0, which is no deadline, for none.
int64_t database_wait_deadline(int timeout_ms);

// The earlier of the deadline and the limit; 0: none.
int64_t database_wait_end(const struct database_wait *wait, int64_t deadline);

// Sets the limit to `ms` from now; -1 takes it away.
void database_wait_limit(struct database_wait *wait, int ms);

// Waits until one of the events (poll(2)) is there at the socket, or the socket is broken. False
// when the deadline (0: none) or the limit comes first. Idle work that never ends does not prolong
// it.
bool database_wait_for(struct database_wait *wait, int fd, short events, int64_t deadline);
