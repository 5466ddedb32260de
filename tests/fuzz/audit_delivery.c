// One line of each vendor's delivery, whatever it is: to the events in it, and from there as a line
// of an audit log. A secret that was planted in it must not come out.

#include "collector/audit_delivery.h"
#include "collector/audit_event.h"
#include "collector/audit_line.h"
#include "collector/observation.h"
#include "tests/fuzz/outbox.h"
#include "tests/fuzz/planted.h"

struct decoding {
    struct outbox *outbox;
    struct audit_gaps gaps;
    size_t count;
    bool has_time;
};

static void emit_event(struct decoding *decoding, const struct audit_delivered *delivered)
{
    const struct audit_coverage coverage = {0};
    struct span event = delivered->event;
    struct audit_line line;
    struct error err = {.react = REACT_REJECT};
    bool read =
        delivered->problem == NULL && audit_line_read(event.bytes, event.length, &line, &err);
    decoding->has_time = decoding->has_time || read;
    if (read) {
        line.hides_dry_run = delivered->hides_dry_run;
        read = audit_event_emit(decoding->outbox, &line, &coverage, "here", &decoding->gaps, &err);
    }
    struct error cause = err;
    MUST(read || err.react == REACT_REJECT);
    MUST(read || input_rejected_emit(decoding->outbox, "here", cause.text, event.bytes,
                                     event.length, &err));
}

static bool take_event(void *context, const struct audit_delivered *delivered, struct error *err)
{
    struct decoding *decoding = context;
    (void)err;
    MUST(delivered->index == decoding->count++);
    emit_event(decoding, delivered);
    return true;
}

static void decode(const struct audit_delivery *delivery, const char *bytes, size_t length,
                   bool planted)
{
    OUTBOX outbox = {0};
    struct decoding decoding = {.outbox = &outbox};
    struct audit_taker taker = {take_event, &decoding};
    struct error err = {0};
    int64_t at;
    bool decoded = delivery->decode((struct span){bytes, length}, &taker, &err);
    MUST(decoded || err.react == REACT_REJECT);
    MUST(delivery->line_time(bytes, length, &at) == decoding.has_time);
    check_clean(planted ? bytes : NULL, length, &outbox.lines);
}

static void take_line(const char *bytes, size_t length, uint32_t number, bool planted)
{
    static const char *const formats[] = {"eks", "gke", "aks", "openshift"};
    (void)number;
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
        decode(audit_delivery_find(formats[i]), bytes, length, planted);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    take_planted(bytes, length, take_line);
    return 0;
}
