// One line of a Kubernetes watch: to its object's head, and to the event that the object becomes.
// A secret that was planted in the line must not come out of it.

#include <stdlib.h>

#include "collector/gitops_object.h"
#include "collector/observation.h"
#include "collector/span.h"
#include "collector/watch_line.h"
#include "common/timestamp.h"
#include "tests/fuzz/outbox.h"
#include "tests/fuzz/planted.h"

#define SEEN_AT INT64_C(1780000000000000)

// The kind that the object says it has, or else any.
static const struct kind *choose_kind(const struct watch_line *line, uint32_t number)
{
    static const char *const keys[] = {"kind"};
    struct span said;
    struct error err;
    size_t count;
    const struct kind *kinds = kinds_watched(&count);
    if (!span_members((struct span){line->object, line->object_length}, keys, &said, 1, &err))
        return &kinds[number % count];
    for (size_t i = 0; i < count; i++) {
        if (span_is(said, kinds[i].kind))
            return &kinds[i];
    }
    return &kinds[number % count];
}

// Into a workload's event, or into that of a GitOps tool's object.
static bool emit(struct outbox *outbox, const struct sighting *sighting,
                 const struct watch_line *line, struct object_head *head, struct error *err)
{
    const char *bytes = line->object;
    size_t length = line->object_length;
    return sighting->kind->tool == NULL
               ? observation_emit(outbox, sighting, bytes, length, head, err)
               : gitops_observed_emit(outbox, sighting, "scope", bytes, length, head, err);
}

static void observe(struct outbox *outbox, const struct watch_line *line, uint32_t number)
{
    struct object_head head;
    struct object_head again;
    struct error err = {0};
    struct error cause;
    const struct sighting sighting = {.kind = choose_kind(line, number),
                                      .seen_at = SEEN_AT,
                                      .source = "collector_clock",
                                      .not_before = number & 1 ? SEEN_AT - 1000 : TIMESTAMP_NONE,
                                      .removed = line->type == WATCH_DELETED};
    bool read = object_head_read(line->object, line->object_length, &head, &err);
    if (emit(outbox, &sighting, line, &again, &err)) {
        MUST(read && outbox->count == 1);
        MUST(head.position > 0 && again.position == head.position);
        MUST(strcmp(head.name, again.name) == 0 && head.name[0] != '\0');
        return;
    }
    MUST(err.react == REACT_REJECT && outbox->count == 0);
    cause = err;
    MUST(input_rejected_emit(outbox, "watch", cause.text, line->object, line->object_length, &err));
}

static void take_line(const char *bytes, size_t length, uint32_t number, bool planted)
{
    OUTBOX outbox = {0};
    struct watch_line line;
    struct error err = {0};
    if (!watch_line_parse(bytes, length, &line, &err)) {
        struct error cause = err;
        MUST(err.react == REACT_REJECT);
        MUST(input_rejected_emit(&outbox, "watch", cause.text, bytes, length, &err));
    } else {
        MUST(line.object >= bytes && line.object_length <= length);
        MUST(line.object[0] == '{' && line.object[line.object_length - 1] == '}');
        observe(&outbox, &line, number);
    }
    check_clean(planted ? bytes : NULL, length, &outbox.lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    take_planted(bytes, length, take_line);
    return 0;
}
