#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <zmq.h>

#include "store/config.h"
#include "store/listener.h"

// All listeners of a store. One is the rule; while the store's key is exchanged there may be two,
// with one key each. Which ones there are may change while the store runs.

struct listeners;

// None is open yet. The ZAP handler must run in the context before one is.
struct listeners *listeners_new(void *zmq_context);
void listeners_free(struct listeners *listeners);

// Reads the key files of what the configuration wants, and finds out which listeners have to go:
// those that it does not name, or names with another key. Nothing changes yet, and on failure
// nothing will.
bool listeners_prepare(struct listeners *listeners, const struct store_config *config,
                       struct error *err) WARN_UNUSED;

// True when the peer's listener is about to go, or gone.
bool listeners_is_leaving(const struct listeners *listeners, const struct peer *peer);

// Closes and opens what listeners_prepare found, and logs what was opened. False when one could not
// be opened; the others are.
bool listeners_change(struct listeners *listeners, struct error *err) WARN_UNUSED;

// False when nobody can reach the store any more.
bool listeners_any(const struct listeners *listeners);

// Poll items of all sockets and monitors, of the sockets only with `reads`: at most LISTENERS_MAX
// of each. Gives how many.
#define LISTENERS_MAX 8
size_t listeners_items(struct listeners *listeners, bool reads, zmq_pollitem_t *items);

// Like listener_receive, of all of them in turn, so that none can hold off another.
bool listeners_receive(struct listeners *listeners, struct peer *peer, char *user, size_t user_size,
                       struct buffer *payload);

// Like listener_send, to the peer's own listener; false when that is closed.
bool listeners_send(struct listeners *listeners, const struct peer *peer,
                    const struct buffer *payload);

// Reads all monitors and logs failed handshakes.
void listeners_log_handshakes(struct listeners *listeners);
