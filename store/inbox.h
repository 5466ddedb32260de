#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "store/batch.h"
#include "store/session.h"

// Data frames that were taken from connections and wait for their transaction.

// An entry owns copies: the message that brought its lines is used again for the next one, while
// the entry waits for a database that may be away.
struct inbox_entry {
    struct peer peer;
    char collector[NAME_MAX_BYTES + 1];
    struct batch_part part; // its collector and lines point into this entry
    char *lines;
    struct batch_event *read; // of the first lines
};

struct inbox {
    struct inbox_entry *entries;
    size_t count;
    size_t capacity;
    // Of lines alone: they are what is large.
    size_t bytes;
    int64_t events;
};

// Copies the frame's lines into the inbox, and takes `read`, the events of the first read_count of
// them (NULL: none). `allowed` stays the caller's and must outlive the entry.
void inbox_add(struct inbox *inbox, const struct session *session, const struct allowed *allowed,
               const struct frame *data, struct batch_event *read, size_t read_count);

// True when a transaction's worth has come together, by events or by bytes.
bool inbox_is_full(const struct inbox *inbox);

// True when an entry is this collector's.
bool inbox_has(const struct inbox *inbox, const char *collector);

// The parts of all entries, in order, for batch_store. The caller frees the array.
struct batch_part *inbox_parts(struct inbox *inbox);

// Forgets all entries, which were committed or given up.
void inbox_clear(struct inbox *inbox);

// The same, and frees the list.
void inbox_reset(struct inbox *inbox);

// Frees the array of inbox_parts; for SCOPED(xfree_part).
void xfree_part(struct batch_part *parts);
DEFINE_CLEANUP(struct batch_part, xfree_part)
