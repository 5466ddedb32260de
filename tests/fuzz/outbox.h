#pragma once

// Stands in for the spool: makes each event's line as the spool does, checks it, and keeps the
// lines, so that a target can look for what must not be in them.

#include <string.h>

#include "collector/outbox.h"
#include "common/buffer.h"
#include "common/event.h"
#include "common/json_scan.h"
#include "tests/fuzz/fuzz.h"

struct outbox {
    struct buffer lines;
    size_t count;
};

const char *outbox_cluster(const struct outbox *outbox)
{
    (void)outbox;
    return "c1";
}

bool outbox_event(struct outbox *outbox, const char *type, const char *subject, int64_t time,
                  const char *data, size_t length, struct error *err)
{
    const struct event_head head = {.collector = "eu-1",
                                    .epoch = 3,
                                    .seq = 7,
                                    .type = type,
                                    .cluster = "c1",
                                    .subject = subject,
                                    .time = time};
    SCOPED_BUFFER line = {0};
    event_write(&line, &head, data, length);
    struct error problem = {0};
    if (!json_check(line.data, line.length, JSON_MAX_DEPTH, &problem)) {
        fprintf(stderr, "%s\n%s\n", problem.text, line.data);
        abort();
    }
    MUST(memchr(line.data, '\n', line.length) == NULL);
    if (line.length > EVENT_MAX_BYTES)
        return fail(err, REACT_REJECT, "event of %zu bytes is too large", line.length);
    buffer_append(&outbox->lines, line.data, line.length);
    outbox->count++;
    return true;
}

// Nothing is remembered of objects: each is as new.
bool outbox_get_known(struct outbox *outbox, const char *scope, const char *uid, int64_t *position,
                      struct error *err)
{
    (void)outbox, (void)scope, (void)uid, (void)err;
    *position = 0;
    return true;
}

bool outbox_set_known(struct outbox *outbox, const char *scope, const char *uid, int64_t position,
                      struct error *err)
{
    (void)outbox, (void)scope, (void)uid, (void)position, (void)err;
    return true;
}

bool outbox_forget_known(struct outbox *outbox, const char *scope, const char *uid,
                         struct error *err)
{
    (void)outbox, (void)scope, (void)uid, (void)err;
    return true;
}

static inline void outbox_reset(struct outbox *outbox)
{
    buffer_reset(&outbox->lines);
}
#define OUTBOX __attribute__((cleanup(outbox_reset))) struct outbox
