// The mark of one observed scope and its spelling as a cursor. Who moves it is in
// kubernetes_record.c.

#include "collector/stream_mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/timestamp.h"

void stream_mark_init(struct stream_mark *mark)
{
    *mark = (struct stream_mark){
        .since = TIMESTAMP_NONE,
        .through = TIMESTAMP_NONE,
        .gap_from = TIMESTAMP_NONE,
        .unusable_from = TIMESTAMP_NONE,
        .suspect_rv = INT64_MAX,
        .watched_through = TIMESTAMP_NONE,
    };
}

void stream_mark_write(const struct stream_mark *mark, struct buffer *out)
{
    buffer_printf(out,
                  "2 %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
                  " %d %d %d %s",
                  mark->unusable_from, mark->rv, mark->high_rv, mark->since, mark->through,
                  mark->gap_from, mark->gap_said, mark->tainted, mark->extractor, mark->reason);
}

bool stream_mark_read(const char *text, struct stream_mark *mark)
{
    int gap_said;
    int tainted;
    int reason_at = -1;
    int head = 0;
    stream_mark_init(mark);
    // Version 1 had no gap of unusable objects.
    if (sscanf(text, "2 %" SCNd64 "%n", &mark->unusable_from, &head) != 1 || head == 0)
        head = text[0] == '1' ? 1 : 0;
    const char *rest = text + head;
    int read =
        sscanf(rest, " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %d %d %d%n",
               &mark->rv, &mark->high_rv, &mark->since, &mark->through, &mark->gap_from, &gap_said,
               &tainted, &mark->extractor, &reason_at);
    if (head == 0 || read != 8 || reason_at < 0 || mark->rv < 0) {
        stream_mark_init(mark);
        return false;
    }
    mark->gap_said = gap_said != 0;
    mark->tainted = tainted != 0;
    const char *reason = rest + reason_at;
    snprintf(mark->reason, sizeof(mark->reason), "%s", *reason == ' ' ? reason + 1 : reason);
    return true;
}

void stream_mark_open_gap(struct stream_mark *mark, int64_t at, const char *reason)
{
    if (mark->gap_from != TIMESTAMP_NONE)
        return;
    mark->gap_from = mark->since != TIMESTAMP_NONE ? mark->through : at;
    mark->gap_said = false;
    snprintf(mark->reason, sizeof(mark->reason), "%s", reason);
}

static void move(int64_t *at, int64_t by_us)
{
    if (*at != TIMESTAMP_NONE)
        *at += by_us;
}

void stream_mark_clock_set(struct stream_mark *mark, int64_t by_us)
{
    move(&mark->since, by_us);
    move(&mark->through, by_us);
    move(&mark->watched_through, by_us);
}

bool stream_mark_list_is_clean(const struct stream_mark *mark, int64_t rv)
{
    return rv >= mark->list_floor && rv < mark->suspect_rv;
}
