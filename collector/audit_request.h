#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/audit_line.h"
#include "collector/kinds.h"
#include "collector/outbox.h"
#include "common/error.h"

// A write request on one of our kinds, or on a namespace, as an audit line tells it.

struct audit_request {
    const struct kind *kind; // NULL: a namespace
    char *verb;
    char *subresource;  // NULL: the object itself
    char *namespace;    // NULL: cluster-wide
    char *name;         // NULL: unknown (deletecollection)
    char *api_version;  // "serving.kserve.io/v1beta1"
    char *uid;          // NULL: not told
    int64_t position;   // resulting resourceVersion, 0: not told
    int64_t generation; // that it led to; 0: not told, or, below RequestResponse, not raised
    int code;           // 0: not told
    bool dry_run;
    bool maybe_dry_run; // the line does not tell: dry_run is false, and the answer proves nothing
    bool has_object;    // the answer is the object itself, as it is stored now
    bool removes;       // a delete answered with Status: the object is gone
};

// Reads what the line asks for. *ours is false, and nothing to free, when it is no write on our
// kinds.
bool audit_request_read(const struct audit_line *line, struct audit_request *request, bool *ours,
                        struct error *err) WARN_UNUSED;
void audit_request_reset(struct audit_request *request);

// The namespace that it is about, borrowed: a Namespace's is itself. NULL: cluster-wide.
const char *audit_request_namespace(const struct audit_request *request);

// True when the request was carried out and changed something.
bool audit_request_succeeded(const struct audit_request *request);

// How a request came to be known.
#define VIA_AUDIT_LOG "audit_log"
#define VIA_AUDIT_WEBHOOK "audit_webhook"
#define VIA_ADMISSION "admission"

// Appends `request.audited`, or `request.reviewed` when it is known via admission (docs/events.md).
// REJECT when the line lacks who asked, or is too large.
bool audit_request_emit(struct outbox *outbox, const struct audit_line *line,
                        const struct audit_request *request, const char *via,
                        struct error *err) WARN_UNUSED;
