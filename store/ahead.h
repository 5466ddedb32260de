#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"
#include "common/event.h"
#include "store/batch_event.h"
#include "store/listeners.h"

// Messages taken from the listeners before their turn, with the lines of data frames read: what the
// store does while PostgreSQL works on the batch before. Handling them is left to the loop, in the
// order in which they came. Bounded, so that the store's memory is.

// More than what two frames of a handful of collectors need; further ones wait in ZeroMQ's queues.
#define AHEAD_MESSAGES 16

struct ahead_message {
    struct peer peer;
    char user[NAME_MAX_BYTES + 1]; // the collector's name that ZAP gave the connection
    struct buffer payload;
    struct batch_event *events; // of a data frame's first lines; NULL: none were read
    size_t event_count;
};

// Zeroed storage ({0}) is empty.
struct ahead {
    struct ahead_message messages[AHEAD_MESSAGES];
    size_t count;
    size_t bytes;       // of their payloads
    size_t data_bytes;  // of what was read of them
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

// Frees what the message owns.
void ahead_message_reset(struct ahead_message *message);

// Forgets all messages; their senders send them again after the next hello.
void ahead_reset(struct ahead *ahead);
