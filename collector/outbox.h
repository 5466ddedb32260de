#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

// Where sources put what they found. An outbox is an open transaction of the spool: events and the
// cursors that move past them become durable together, or not at all (docs/architecture.md,
// invariant 1).

struct outbox;

// The cluster that the collector speaks for, borrowed.
const char *outbox_cluster(const struct outbox *outbox);

// Appends one event: type (common/event.h), subject (NAMESPACE/Kind/name or NULL), when it happened
// (microseconds or TIMESTAMP_NONE), printed JSON data. Sequence, epoch and chain are the spool's
// business. RETRY when the spool is full or its disk fails: the source must stop reading and offer
// the same again later; REJECT when the event is larger than EVENT_MAX_BYTES (send less of it).
bool outbox_event(struct outbox *outbox, const char *type, const char *subject, int64_t time,
                  const char *data, size_t length, struct error *err) WARN_UNUSED;

// Remembers a source's place (resourceVersion, file offset ...), in the same transaction. NULL
// deletes.
bool outbox_set_cursor(struct outbox *outbox, const char *key, const char *value,
                       struct error *err) WARN_UNUSED;

// Gives the remembered value or NULL; the caller frees it.
bool outbox_get_cursor(struct outbox *outbox, const char *key, char **value,
                       struct error *err) WARN_UNUSED;

// Known objects (an optimisation only, and the memory that makes not_before and went-back checks
// possible): uid -> position, per scope key such as "c1/models.mlops.seldon.io/risk-dev".
bool outbox_set_known(struct outbox *outbox, const char *scope, const char *uid, int64_t position,
                      struct error *err) WARN_UNUSED;
bool outbox_forget_known(struct outbox *outbox, const char *scope, const char *uid,
                         struct error *err) WARN_UNUSED;
// Which known objects a list has spoken of, and which of them it names.
struct known_range {
    const char *uid_from; // inclusive; "" = unbounded
    const char *uid_to;
    int64_t position; // later ones are none of its business
    bool (*names)(const void *context, const char *uid);
    const void *context;
};

// Forgets the known objects of the range that are not named.
bool outbox_forget_unnamed(struct outbox *outbox, const char *scope,
                           const struct known_range *range, struct error *err) WARN_UNUSED;

// *position = 0 when the uid is not known.
bool outbox_get_known(struct outbox *outbox, const char *scope, const char *uid, int64_t *position,
                      struct error *err) WARN_UNUSED;
