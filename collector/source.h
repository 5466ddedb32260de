#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <zmq.h>

#include "collector/outbox.h"
#include "common/buffer.h"

// A source watches one outside thing and fills outboxes. The collector's loop waits for all sources
// and the store's socket in one zmq_poll; no source blocks or waits by itself.

struct source {
    const struct source_class *class;
    // The implementation's own members follow: struct kubernetes { struct source source; ... }.
};

struct source_class {
    const char *name; // "kubernetes", "audit_log"
    // Fills at most `capacity` poll items (fd and events) and returns their count.
    size_t (*descriptors)(struct source *source, zmq_pollitem_t *items, size_t capacity);
    // Milliseconds until the source wants a step without any descriptor being ready; -1 = never.
    long (*timeout_ms)(struct source *source);
    // Does a bounded piece of work (at most about 200 events or 4 MiB) and never blocks. `ready`
    // are the items given by descriptors() with their revents. Errors: RETRY = the outbox failed,
    // nothing of this step is durable, the same must be offered again in a later step; STOP = a
    // person must act. Trouble with the outside (HTTP errors, missing files) is the source's own
    // business: it backs off, logs once a change, emits scope.gap events.
    bool (*step)(struct source *source, const zmq_pollitem_t *ready, size_t count,
                 struct outbox *outbox, struct error *err);
    // Called after the step's outbox was committed, or rolled back (then state must be as before
    // it).
    void (*settled)(struct source *source, bool committed);
    // The clock was set by so much (collector/clock.h; 0: only to be saved again): moves the
    // instants that the source remembers and writes those that its cursors hold. NULL: it remembers
    // none of our clock. RETRY from the outbox.
    bool (*clock_set)(struct source *source, int64_t by_us, struct outbox *outbox,
                      struct error *err);
    // Appends the source's looks (docs/events.md, beat) to a JSON array.
    void (*looks)(struct source *source, cJSON *array);
    // Appends what is wrong with the source, for people; nothing while all is well.
    void (*trouble)(const struct source *source, struct buffer *out);
    // True when the source has read all there is (--once).
    bool (*is_finished)(const struct source *source);
    void (*close)(struct source *source);
};

// The sooner of two waits in ms, of which -1 never ends.
static inline long source_sooner(long left, long right)
{
    if (left < 0)
        return right;
    return right < 0 || left < right ? left : right;
}
