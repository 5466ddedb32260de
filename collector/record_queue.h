#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "collector/kubernetes_record.h"
#include "collector/outbox.h"
#include "common/error.h"

// The records between network and outbox, in order. The network side only appends; a step writes
// records into its outbox, and they are forgotten once that is durable, so a failed outbox costs
// nothing but a rewind.

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
