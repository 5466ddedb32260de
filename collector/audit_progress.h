#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "collector/audit_event.h"
#include "collector/tail.h"
#include "common/error.h"

// How far an audit log has been read, and what was found on the way: the cursor that moves in the
// transaction of the events.

struct audit_progress {
    struct tail_place place;
    int64_t since;     // from when on the log was read without a break; NONE before the first event
    int64_t through;   // time of the newest event read
    int64_t lost_from; // end of what was read before a break; NONE without one
    int64_t torn_from; // begin of the gap that an unusable line opened; NONE without one
    char vendor_cluster[256]; // whose events were read first; "" before, and where it is not told
    struct audit_gaps gaps;
};

// Nothing was read yet.
void audit_progress_init(struct audit_progress *progress);

// Forgets the place and what was covered, for an input that does not go on where another ended.
// Gaps stay: what they hide is still hidden.
void audit_progress_restart(struct audit_progress *progress);

// Gives the cursor's text, which the caller frees, and reads it back. STOP when it is none of ours.
char *audit_progress_print(const struct audit_progress *progress);
bool audit_progress_parse(const char *text, struct audit_progress *progress,
                          struct error *err) WARN_UNUSED;
