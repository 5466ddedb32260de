#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/audit_coverage.h"
#include "collector/audit_line.h"
#include "collector/outbox.h"
#include "common/error.h"

// Kinds whose state gap was already said in this run, so that it is said once.
struct audit_gaps {
    uint64_t kinds; // bit = index in kinds_all
};

// Appends what one audit line gives: an observation, a request, a namespace's labels, or nothing
// when it is not about our kinds or not about the coverage's namespaces. `where` names the line in
// input.rejected events. REJECT when the line cannot be used at all.
bool audit_event_emit(struct outbox *outbox, const struct audit_line *line,
                      const struct audit_coverage *coverage, const char *where,
                      struct audit_gaps *gaps, struct error *err) WARN_UNUSED;
