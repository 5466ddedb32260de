#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/curve_key.h"

// The ROUTER socket (docs/rules.md 26, 27): CURVE always, ROUTER-made routing ids, one frame a
// message.

struct listener;

// ZeroMQ's own limit for routing ids.
#define ROUTING_ID_MAX 255

// A connection, as its ROUTER names it; it says nothing of who that is (ZAP's User-Id does).
struct peer {
    unsigned listener; // which ROUTER: two may name different peers alike
    uint8_t routing_id[ROUTING_ID_MAX];
    size_t length;
    uint8_t key[CURVE_KEY_BYTES]; // of the collector, as its handshake proved; zeroes: not known
};

// Binds the endpoint. The ZAP handler must run already in the same context.
bool listener_open(void *zmq_context, const char *endpoint, const struct curve_key *key,
                   struct listener **out, struct error *err) WARN_UNUSED;
void listener_close(struct listener *listener);

// The sockets to poll for input: the ROUTER and the monitor that tells of failed handshakes.
// Borrowed, and for polling alone: messages go through the functions below.
void *listener_socket(struct listener *listener);
void *listener_monitor(struct listener *listener);

// Its number, which no other listener of this process ever has, and where it listens with which
// public key.
unsigned listener_number(const struct listener *listener);
bool listener_is_at(const struct listener *listener, const char *endpoint,
                    const uint8_t public_key[CURVE_KEY_BYTES]);

// Takes one message without waiting. False when there is none. `user` is the collector's name that
// ZAP gave the connection, copied (NAME_MAX_BYTES + 1); `payload` replaces the buffer's content.
bool listener_receive(struct listener *listener, struct peer *peer, char *user, size_t user_size,
                      struct buffer *payload);

// Sends without waiting. False when the peer is gone or takes nothing: forget it, it will come
// again.
bool listener_send(struct listener *listener, const struct peer *peer,
                   const struct buffer *payload);

// Reads the monitor and logs failed handshakes, at most one line a second.
void listener_log_handshakes(struct listener *listener);
