#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/outbox.h"
#include "common/error.h"

// The events that say what was looked at rather than what was found (docs/events.md): scope.listed,
// scope.watched, scope.gap, and namespace.observed.

#define UID_BYTES 16
#define UID_TEXT 37

struct scope {
    const char *resource;  // "models.mlops.seldon.io"
    const char *kind;      // "Model"
    const char *namespace; // NULL: the whole cluster
};

// All uids of one range of a list, sorted. uid_from and uid_to are "" where the range is unbounded.
struct listed_range {
    int64_t position;
    int64_t listed_at;
    int64_t watched_since;
    const uint8_t *members; // UID_BYTES each
    size_t count;
    const char *uid_from;
    const char *uid_to;
};

bool scope_listed_emit(struct outbox *outbox, const struct scope *scope,
                       const struct listed_range *range, struct error *err) WARN_UNUSED;

// installed false: the kind is not installed, so there is none of it.
bool scope_watched_emit(struct outbox *outbox, const struct scope *scope, int64_t since,
                        int64_t through, bool installed, struct error *err) WARN_UNUSED;

// to = TIMESTAMP_NONE while the gap is open.
bool scope_gap_emit(struct outbox *outbox, const struct scope *scope, int64_t from, int64_t to,
                    const char *reason, struct error *err) WARN_UNUSED;

// Sends the labels of a Namespace object, and whose GitOps it says it is. REJECT when the bytes
// cannot be used.
bool namespace_observed_emit(struct outbox *outbox, const char *bytes, size_t length, int64_t at,
                             bool removed, struct error *err) WARN_UNUSED;

// Reads a uid of the usual 36 characters; false otherwise.
bool uid_parse(const char *text, uint8_t uid[UID_BYTES]);

// Writes a uid in lower case.
void uid_format(const uint8_t uid[UID_BYTES], char text[UID_TEXT]);
