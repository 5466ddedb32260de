// What one transaction will store: bounded, so that the store's memory is.

#include "store/inbox.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

// Several frames of the largest size (FRAME_MAX_EVENTS): the more events of one workload come
// together, the fewer folds they cost. Asked before a frame is added, so one more may go over.
#define EVENTS_ENOUGH 6400
#define BYTES_ENOUGH ((size_t)8 * 1024 * 1024)

// The part's collector is left open: the entries may move (inbox_parts).
void inbox_add(struct inbox *inbox, const struct session *session, const struct allowed *allowed,
               const struct frame *data, struct batch_event *read, size_t read_count)
{
    inbox->entries =
        xgrow(inbox->entries, &inbox->capacity, inbox->count + 1, sizeof(*inbox->entries));
    struct inbox_entry *entry = &inbox->entries[inbox->count++];
    *entry = (struct inbox_entry){.peer = session->peer};
    memcpy(entry->collector, session->collector, sizeof(entry->collector));
    entry->lines = xmalloc(data->body_length);
    memcpy(entry->lines, data->body, data->body_length);
    entry->part = (struct batch_part){.allowed = allowed,
                                      .epoch = data->epoch,
                                      .first = data->seq,
                                      .count = data->count,
                                      .lines = entry->lines,
                                      .length = data->body_length,
                                      .read = read,
                                      .read_count = read_count};
    entry->read = read;
    memcpy(entry->part.chain, data->chain, DIGEST_BYTES);
    inbox->bytes += data->body_length;
    inbox->events += data->count;
}

bool inbox_is_full(const struct inbox *inbox)
{
    return inbox->events >= EVENTS_ENOUGH || inbox->bytes >= BYTES_ENOUGH;
}

bool inbox_has(const struct inbox *inbox, const char *collector)
{
    for (size_t i = 0; i < inbox->count; i++) {
        if (strcmp(inbox->entries[i].collector, collector) == 0)
            return true;
    }
    return false;
}

// Copies, so that a batch that failed finds its entries as they were.
struct batch_part *inbox_parts(struct inbox *inbox)
{
    struct batch_part *parts = xcalloc(inbox->count, sizeof(*parts));
    for (size_t i = 0; i < inbox->count; i++) {
        parts[i] = inbox->entries[i].part;
        // Set late: the array of entries may have moved while it grew.
        parts[i].collector = inbox->entries[i].collector;
    }
    return parts;
}

// The list keeps its memory: it is filled again in the next turn.
void inbox_clear(struct inbox *inbox)
{
    for (size_t i = 0; i < inbox->count; i++) {
        free(inbox->entries[i].lines);
        batch_events_free(inbox->entries[i].read, inbox->entries[i].part.read_count);
    }
    inbox->count = 0;
    inbox->bytes = 0;
    inbox->events = 0;
}

void inbox_reset(struct inbox *inbox)
{
    inbox_clear(inbox);
    free(inbox->entries);
    *inbox = (struct inbox){0};
}

void xfree_part(struct batch_part *parts)
{
    free(parts);
}
