#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/outbox.h"
#include "common/buffer.h"
#include "common/error.h"

// What the network side found, one thing at a time: what it says goes into an outbox, and moves the
// mark of its stream.

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

// Writes what the record says into the outbox and into its stream's staged mark; a refused step
// takes both back. RETRY from the outbox.
bool record_write(struct outbox *outbox, struct record *record, struct error *err) WARN_UNUSED;

// True when the stream's cursor is to be written behind it.
bool record_moves_cursor(const struct record *record);
