// One line of an audit log: to the request, the observation and the gaps that it becomes. A secret
// that was planted in the line must not come out of it.

#include <stdlib.h>

#include "collector/audit_event.h"
#include "collector/audit_line.h"
#include "collector/observation.h"
#include "tests/fuzz/outbox.h"
#include "tests/fuzz/planted.h"

// As audit_source.c takes a line.
static void emit_line(struct outbox *outbox, const char *bytes, size_t length, uint32_t number)
{
    static const char *const namespaces[] = {"risk", "risk-dev"};
    const struct audit_coverage coverage = {
        .namespaces = namespaces, .namespace_count = number & 1 ? 2 : 0, .complete = number & 2};
    struct audit_gaps gaps = {0};
    struct audit_line line;
    struct error err = {0};
    int64_t at;
    bool read = audit_line_read(bytes, length, &line, &err);
    MUST(audit_line_time(bytes, length, &at) == read);
    if (read && audit_event_emit(outbox, &line, &coverage, "audit_log", &gaps, &err))
        return;
    struct error cause = err;
    MUST(err.react == REACT_REJECT);
    MUST(input_rejected_emit(outbox, "audit_log", cause.text, bytes, length, &err));
}

static void take_line(const char *bytes, size_t length, uint32_t number, bool planted)
{
    OUTBOX outbox = {0};
    emit_line(&outbox, bytes, length, number);
    check_clean(planted ? bytes : NULL, length, &outbox.lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    take_planted(bytes, length, take_line);
    return 0;
}
