#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

#include "common/buffer.h"
#include "common/curve_key.h"
#include "common/error.h"
#include "common/memory.h"

// One connection to one store address: a DEALER with CURVE, and its monitor. It is never repaired;
// whoever sees it fail closes it and opens another, so that nothing half-sent survives.

struct link;

// Begins to connect. RETRY when the address cannot be used. The caller closes with link_close.
bool link_open(void *zmq_context, const char *address, const uint8_t store_key[CURVE_KEY_BYTES],
               const struct curve_key *key, struct link **out, struct error *err) WARN_UNUSED;
void link_close(struct link *link);
DEFINE_CLEANUP(struct link, link_close)

#define LINK_DESCRIPTORS 2

// Fills LINK_DESCRIPTORS poll items.
void link_descriptors(struct link *link, zmq_pollitem_t *items);

// Reads what the monitor reported. Once the connection failed: RETRY with the reason, or REJECT
// when the store does not know this collector's key.
bool link_check(struct link *link, struct error *err) WARN_UNUSED;

// Sends the buffer as one frame and takes its memory. RETRY when the socket takes no more.
bool link_send(struct link *link, struct buffer *frame, struct error *err) WARN_UNUSED;

// What was sent may still leave for a second after link_close, which the end of the context waits
// for.
void link_linger(struct link *link);

// Receives one frame if there is one: *received tells. Multipart messages are refused. The caller
// closes the message when one was received.
bool link_receive(struct link *link, zmq_msg_t *message, bool *received,
                  struct error *err) WARN_UNUSED;
