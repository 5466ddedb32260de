// What waits for an outbox, and how much of it a step takes.

#include "collector/record_queue.h"

#include <stdlib.h>

#include "collector/clock.h"
#include "collector/kubernetes_stream.h"

// What waits for an outbox is bounded in both ways: many small objects and few large ones.
#define QUEUE_MAX_BYTES ((size_t)1024 * 1024)
#define QUEUE_MAX_RECORDS 500
// A step's share (source.h), so that no source keeps the loop from the others.
#define STEP_MAX_RECORDS 200
#define STEP_MAX_BYTES ((size_t)4 * 1024 * 1024)

struct record *record_push(struct record_queue *queue, enum record_kind kind, struct stream *stream,
                           const void *bytes, size_t length)
{
    struct record *record = xcalloc(1, sizeof(*record));
    record->kind = kind;
    record->stream = stream;
    record->at = clock_now();
    if (length > 0)
        buffer_append(&record->bytes, bytes, length);
    if (queue->last != NULL)
        queue->last->next = record;
    else
        queue->first = record;
    queue->last = record;
    if (queue->next == NULL)
        queue->next = record;
    queue->count++;
    queue->bytes += length;
    return record;
}

bool record_queue_is_full(const struct record_queue *queue)
{
    return queue->count >= QUEUE_MAX_RECORDS || queue->bytes >= QUEUE_MAX_BYTES;
}

static void forget_first(struct record_queue *queue)
{
    struct record *record = queue->first;
    queue->first = record->next;
    if (queue->first == NULL)
        queue->last = NULL;
    queue->count--;
    queue->bytes -= record->bytes.length;
    buffer_reset(&record->bytes);
    free(record->text);
    free(record);
}

void record_queue_settle(struct record_queue *queue, bool committed)
{
    for (; committed && queue->written > 0; queue->written--)
        forget_first(queue);
    queue->written = 0;
    queue->next = queue->first;
}

void record_queue_clock_set(struct record_queue *queue, int64_t by_us)
{
    for (struct record *record = queue->first; record != NULL; record = record->next)
        record->at += by_us;
}

void record_queue_reset(struct record_queue *queue)
{
    while (queue->first != NULL)
        forget_first(queue);
    *queue = (struct record_queue){0};
}

// Each touched stream's cursor once a step, behind its events and in their transaction. A scope in
// which nothing was ever seen needs none: it is listed anew.
static bool write_cursors(const struct record_queue *queue, struct outbox *outbox,
                          struct error *err)
{
    size_t left = queue->written;
    for (struct record *record = queue->first; left > 0; record = record->next, left--) {
        struct stream *stream = record->stream;
        if (!stream->cursor_dirty || stream->staged.high_rv == 0)
            continue;
        SCOPED_BUFFER text = {0};
        stream_mark_write(&stream->staged, &text);
        if (!outbox_set_cursor(outbox, stream->cursor_key, text.data, err))
            return false;
        stream->cursor_dirty = false;
    }
    return true;
}

bool record_queue_write(struct record_queue *queue, struct outbox *outbox, struct error *err)
{
    size_t bytes = 0;
    while (queue->next != NULL && queue->written < STEP_MAX_RECORDS && bytes < STEP_MAX_BYTES) {
        struct record *record = queue->next;
        if (!record_write(outbox, record, err))
            return false;
        bytes += record->bytes.length;
        record->stream->cursor_dirty |= record_moves_cursor(record);
        queue->next = record->next;
        queue->written++;
    }
    return write_cursors(queue, outbox, err);
}
