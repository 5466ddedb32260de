#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/event.h"
#include "store/batch_event.h"
#include "store/listeners.h"

// Messages taken from the listeners before their turn, with the lines of data frames read: what the
// store does while PostgreSQL works on the batch before, or does not answer. Handling them is left
// to the loop, in the order in which they came.
//
// Nothing is left in ZeroMQ's queues for long: a connection that ends leaves there what it has
// sent, and collectors that wait for a stalled database come and go. Of each collector only what
// can still matter is kept, so that this is bounded: its data (no more than its window, since a new
// connection is welcomed only when that of the older one is committed) and the newest hello.

#define AHEAD_NONSENSE (-1)

struct ahead_message {
    struct peer peer;
    char user[NAME_MAX_BYTES + 1]; // the collector's name that ZAP gave the connection
    struct buffer payload;
    int64_t received_ms;        // by the monotonic clock: it may wait here for long
    int kind;                   // enum frame_kind; AHEAD_NONSENSE: the payload is no frame
    struct batch_event *events; // of a data frame's first lines; NULL: none were read
    size_t event_count;
};

// Zeroed storage ({0}) is empty.
struct ahead {
    size_t bytes_most; // of payloads; set by the owner. One message more may go over
    struct ahead_message *messages;
    size_t count;
    size_t capacity;
    size_t bytes;       // of their payloads
    size_t tree_bytes;  // of what was read of them
    size_t reading;     // the message whose lines are read now
    struct frame frame; // its frame, when it is data
    size_t offset;      // of the next line in the frame's body
};

// Does one short piece: takes a message or reads a line. False when there is nothing to do, or
// enough was done.
bool ahead_work(struct ahead *ahead, struct listeners *listeners);

// Gives the next message, one taken before or else from a listener; false when there is none. The
// message is reset first and owns what it gets.
bool ahead_take(struct ahead *ahead, struct listeners *listeners, struct ahead_message *message);

// True when no message was taken before its turn.
bool ahead_is_empty(const struct ahead *ahead);

// True when no more is taken before its turn.
bool ahead_is_full(const struct ahead *ahead);

// Frees what the message owns.
void ahead_message_reset(struct ahead_message *message);

// Forgets all messages; their senders send them again after the next hello.
void ahead_reset(struct ahead *ahead);
