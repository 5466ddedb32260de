#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/span.h"
#include "common/error.h"

// One line of an audit log (audit.k8s.io/v1) as byte ranges; the objects in it are never made a
// tree.

struct audit_line {
    bool is_final;       // stage ResponseComplete or Panic: the request is answered
    int64_t received_at; // requestReceivedTimestamp
    int64_t staged_at;   // stageTimestamp; received_at when missing
    struct span stage;
    struct span level;
    struct span audit_id;
    struct span verb;
    struct span request_uri;
    struct span user;
    struct span impersonated;
    struct span source_ips;
    struct span user_agent;
    struct span object_ref;
    struct span response_status;
    struct span request_object;
    struct span response_object;
    struct span annotations;
    bool hides_dry_run; // the delivery does not say whether it was one; set by who decoded it
};

// Reads a line whose bytes must stay where they are. REJECT when it is no acceptable audit event.
bool audit_line_read(const char *bytes, size_t length, struct audit_line *line,
                     struct error *err) WARN_UNUSED;

// The same of an item of an EventList, which need not say what kind it is: the list does.
bool audit_item_read(const char *bytes, size_t length, struct audit_line *line,
                     struct error *err) WARN_UNUSED;

// Gives the line's stageTimestamp (else requestReceivedTimestamp); false when it is no audit event.
bool audit_line_time(const char *bytes, size_t length, int64_t *at);
