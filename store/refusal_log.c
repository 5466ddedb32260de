// One line for a refusal, and a number for its repetitions.

#include "store/refusal_log.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "common/timestamp.h"

#define REPEAT_MS 1000

void refusal_log_add(struct refusal_log *log, const char *collector, enum nack_reason reason,
                     const char *message)
{
    int64_t now = monotonic_ms();
    SCOPED(xfree_char) char *said = xasprintf("%s: %s", collector, message);
    if (strncmp(said, log->said, sizeof(log->said) - 1) == 0 && now - log->said_ms < REPEAT_MS) {
        log->unlogged++;
        return;
    }
    char unlogged[16];
    snprintf(unlogged, sizeof(unlogged), "%u", log->unlogged);
    log_line(LOG_WARN, "frame refused", "collector", collector, "reason", nack_reason_name(reason),
             "message", message, "unlogged_before", unlogged, NULL);
    snprintf(log->said, sizeof(log->said), "%s", said);
    log->said_ms = now;
    log->unlogged = 0;
}
