#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/audit_coverage.h"
#include "collector/outbox.h"
#include "collector/span.h"
#include "common/buffer.h"
#include "common/error.h"

// An AdmissionReview (admission.k8s.io/v1): a write that an API server is about to do, told by it
// before it is done. It may still fail: a review is intent, and has no result.

// The envelope, whose bytes must stay where they are.
struct admission_review {
    struct span uid;     // of the review, a JSON string
    struct span request; // the object `request`
};

// Reads the envelope and checks all of it. REJECT when it is no review with a request.
bool admission_review_read(const char *bytes, size_t length, struct admission_review *review,
                           struct error *err) WARN_UNUSED;

// Appends `request.reviewed` (docs/events.md), or nothing when the review is about none of our
// kinds or namespaces. `at` is when it came. REJECT when it lacks what makes it one, or who asks.
bool admission_review_emit(struct outbox *outbox, const struct admission_review *review,
                           const struct audit_coverage *coverage, int64_t at,
                           struct error *err) WARN_UNUSED;

// Appends the answer that lets the write pass.
void admission_review_allow(const struct admission_review *review, struct buffer *out);
