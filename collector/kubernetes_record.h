#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/outbox.h"
#include "common/buffer.h"
#include "common/error.h"

// What the network side found, in order, until an outbox took it. The network side only appends; a
// step writes records into its outbox, and they are forgotten once that is durable, so a failed
// outbox costs nothing but a rewind.

struct stream;

enum record_kind {
    RECORD_LIST_BEGIN, // a list request goes out
    RECORD_LISTED_OBJECT,
    RECORD_MEMBERS, // one uid range of a completed list
    RECORD_LISTED,  // the list completed
    RECORD_WATCHED_OBJECT,
    RECORD_BOOKMARK,
    RECORD_LOST,     // history did not suffice (410)
    RECORD_REFUSED,  // 403
    RECORD_TAINTED,  // a resourceVersion went back
    RECORD_ABSENT,   // the kind is not installed
    RECORD_EMPTIED,  // an absent kind's objects are gone at this position
    RECORD_WATCHED,  // time for scope.watched
    RECORD_REJECTED, // bytes that cannot be used
};

struct record {
    struct record *next;
    enum record_kind kind;
    struct stream *stream;
    int64_t at;       // when it was seen or listed
    int64_t position; // resourceVersion, 0 where there is none
    bool removed;     // RECORD_WATCHED_OBJECT: DELETED
    bool incomplete;  // RECORD_LISTED: some object could not even be identified
    char uid[40];
    char uid_to[40];     // RECORD_MEMBERS
    struct buffer bytes; // the object, the binary uids, or the rejected bytes
    char *text;          // reason
};

struct record_queue {
    struct record *first;
    struct record *last;
    struct record *next; // the first one that the current step has not written
    size_t count;
    size_t bytes;
    size_t written; // by the current step
};

// Appends an empty record and returns it, for the caller to fill; with `length` bytes copied.
struct record *record_push(struct record_queue *queue, enum record_kind kind, struct stream *stream,
                           const void *bytes, size_t length);

// True while transfers must wait.
bool record_queue_is_full(const struct record_queue *queue);

// Writes a bounded number of records into the outbox. False with the outbox's error; the rest
// stays.
bool record_queue_write(struct record_queue *queue, struct outbox *outbox,
                        struct error *err) WARN_UNUSED;

// Forgets what was written (committed), or takes it back (rolled back).
void record_queue_settle(struct record_queue *queue, bool committed);

// The wall clock was set: moves the instants of what still waits.
void record_queue_clock_set(struct record_queue *queue, int64_t by_us);

void record_queue_reset(struct record_queue *queue);
