#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/kinds.h"
#include "collector/outbox.h"
#include "common/error.h"

// Turns one Kubernetes object, as bytes from the API or an audit log, into a `workload.observed`
// event (docs/events.md): checked, redacted by byte ranges, read by its kind's extractor.

// How and when the object was seen.
struct sighting {
    const char *cluster;
    const struct kind *kind;
    int64_t seen_at;    // collector clock, time of the list, or audit requestReceivedTimestamp
    const char *source; // "collector_clock", "listing", "audit", "admission"
    int64_t not_before; // lower bound, or TIMESTAMP_NONE
    bool removed;       // a watch DELETED
};

// What a source must know of an object. uid and resource_version are "" when missing.
struct object_head {
    char uid[40];
    char resource_version[24];
    int64_t position; // 0 when the resourceVersion is not a decimal integer
    char name[256];
    char namespace[256];
};

// Reads uid, resourceVersion, name and namespace of an object without building a tree. REJECT when
// the bytes are not acceptable JSON (docs/rules.md 29).
bool object_head_read(const char *bytes, size_t length, struct object_head *head,
                      struct error *err) WARN_UNUSED;

// Appends the event. REJECT when the object cannot be used (no acceptable JSON, no uid, a
// resourceVersion that is no integer, more placements than an event can carry): the caller then
// emits input_rejected; `head` is filled then too, as far as the bytes were acceptable JSON. RETRY
// from the outbox.
bool observation_emit(struct outbox *outbox, const struct sighting *sighting, const char *bytes,
                      size_t length, struct object_head *head, struct error *err) WARN_UNUSED;

// Appends an `input.rejected` event for bytes that could not be used: reason, SHA-256 and length,
// never the bytes themselves, which nobody could redact. `where` says what they were: "kubernetes
// models.mlops.seldon.io watch", "audit_log /var/log/audit.log@1234".
bool input_rejected_emit(struct outbox *outbox, const char *where, const char *reason,
                         const char *bytes, size_t length, struct error *err) WARN_UNUSED;
