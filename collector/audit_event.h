#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/audit_coverage.h"
#include "collector/audit_line.h"
#include "collector/audit_unknown.h"
#include "collector/outbox.h"
#include "common/error.h"

// State gaps that were said: of kinds, so that each is said once, and of objects, until they end.
struct audit_gaps {
    uint64_t kinds; // bit = index in kinds_all
    struct audit_unknown unknown;
};

// Appends what one audit line gives: an observation, a request, a namespace's labels, or nothing
// when it is not about our kinds or not about the coverage's namespaces. `where` names the line in
// input.rejected events. REJECT when the line cannot be used at all.
bool audit_event_emit(struct outbox *outbox, const struct audit_line *line,
                      const struct audit_coverage *coverage, const char *where,
                      struct audit_gaps *gaps, struct error *err) WARN_UNUSED;
