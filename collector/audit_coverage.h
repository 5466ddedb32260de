#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/outbox.h"
#include "common/error.h"

// What an audit log, or a webhook, covers (docs/rules.md 21): who acted, from its first to its last
// event; and the state of all kinds too, when the configuration says that the log is complete.

struct audit_coverage {
    const char *const *namespaces; // namespace_count 0: the whole cluster
    size_t namespace_count;
    bool complete;
    const char *source; // of scope.watched, and `via` of requests; NULL: audit_log
};

// The source's name.
const char *audit_coverage_source(const struct audit_coverage *coverage);

// True when the namespace (NULL: none) is one of those.
bool audit_coverage_has(const struct audit_coverage *coverage, const char *namespace);

// Appends scope.watched for each aspect and namespace.
bool audit_watched_emit(struct outbox *outbox, const struct audit_coverage *coverage, int64_t since,
                        int64_t through, struct error *err) WARN_UNUSED;

// Appends scope.gap for each aspect and namespace.
bool audit_gap_emit(struct outbox *outbox, const struct audit_coverage *coverage, int64_t from,
                    int64_t to, const char *reason, struct error *err) WARN_UNUSED;

// Appends one state gap, open when `to` is TIMESTAMP_NONE; namespace and resource NULL = all.
bool audit_state_gap_emit(struct outbox *outbox, const char *namespace, const char *resource,
                          int64_t from, int64_t to, const char *reason,
                          struct error *err) WARN_UNUSED;

// Appends the looks of a beat.
void audit_looks_add(cJSON *array, const struct audit_coverage *coverage, const char *cluster,
                     int64_t since, int64_t through);
