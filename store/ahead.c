// Receiving and reading while PostgreSQL works. What is read here depends on nothing but the bytes:
// whether a message may be heard at all is decided when its turn comes.

#include "store/ahead.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

// About two frames of the largest size. It is asked before a message is taken, so one more may go
// over.
#define BYTES_ENOUGH ((size_t)8 * 1024 * 1024)
// A tree takes up to some thirty times the bytes that it was read from.
#define DATA_BYTES_ENOUGH ((size_t)4 * 1024 * 1024)

bool ahead_is_empty(const struct ahead *ahead)
{
    return ahead->count == 0;
}

void ahead_message_reset(struct ahead_message *message)
{
    buffer_reset(&message->payload);
    batch_events_free(message->events, message->event_count);
    message->events = NULL;
    message->event_count = 0;
}

static bool receive(struct ahead_message *message, struct listeners *listeners)
{
    return listeners_receive(listeners, &message->peer, message->user, sizeof(message->user),
                             &message->payload);
}

static bool take_message(struct ahead *ahead, struct listeners *listeners)
{
    if (ahead->count == AHEAD_MESSAGES || ahead->bytes >= BYTES_ENOUGH ||
        !receive(&ahead->messages[ahead->count], listeners))
        return false;
    ahead->bytes += ahead->messages[ahead->count++].payload.length;
    return true;
}

// True when the message being read has a line that is not read yet.
// Also begins the message: its events are allocated when it is first looked at. A frame that is no
// good is left alone, since the answer to it depends on the session.
static bool has_line(struct ahead *ahead)
{
    struct ahead_message *message = &ahead->messages[ahead->reading];
    struct error ignored; // the loop will meet it again and answer
    const struct buffer *payload = &message->payload;
    if (message->events == NULL) {
        ahead->offset = 0;
        if (payload->length == 0 ||
            !frame_parse(payload->data, payload->length, &ahead->frame, &ignored) ||
            ahead->frame.kind != FRAME_DATA || ahead->frame.count < 1 ||
            ahead->frame.count > FRAME_MAX_EVENTS || ahead->frame.seq < 1 ||
            ahead->frame.seq > INT64_MAX - FRAME_MAX_EVENTS)
            return false;
        message->events = xcalloc((size_t)ahead->frame.count, sizeof(*message->events));
    }
    return message->event_count < (size_t)ahead->frame.count &&
           ahead->offset < ahead->frame.body_length;
}

// Epoch and number are only what the frame claims; that is enough for the event's id, which is
// checked against the line. Collector and line are set again when its batch comes (the message may
// move until then).
static void read_line(struct ahead *ahead)
{
    struct ahead_message *message = &ahead->messages[ahead->reading];
    const char *line = ahead->frame.body + ahead->offset;
    size_t left = ahead->frame.body_length - ahead->offset;
    const char *end = memchr(line, '\n', left);
    size_t length = end != NULL ? (size_t)(end - line) : left;
    struct batch_event *event = &message->events[message->event_count];
    event->collector = message->user;
    event->epoch = ahead->frame.epoch;
    event->seq = ahead->frame.seq + (int64_t)message->event_count;
    event->line = line;
    event->length = length;
    batch_event_read(event);
    ahead->offset += length + 1;
    ahead->data_bytes += event->text != NULL ? strlen(event->text) : 0;
    message->event_count++;
}

// Reads what it has before it takes more: a message that is not read saves no time later.
bool ahead_work(struct ahead *ahead, struct listeners *listeners)
{
    if (ahead->data_bytes >= DATA_BYTES_ENOUGH)
        return false;
    while (ahead->reading < ahead->count) {
        if (has_line(ahead)) {
            read_line(ahead);
            return true;
        }
        ahead->reading++;
    }
    return take_message(ahead, listeners);
}

// Moves the first message out. Lines of it that are not read by now are read with its batch.
// Sixteen messages are moved down by hand: a ring would save little and cost a second index.
static void shift(struct ahead *ahead, struct ahead_message *message)
{
    *message = ahead->messages[0];
    ahead->bytes -= message->payload.length;
    for (size_t i = 0; i < message->event_count; i++) {
        const char *text = message->events[i].text;
        ahead->data_bytes -= text != NULL ? strlen(text) : 0;
    }
    ahead->count--;
    memmove(ahead->messages, ahead->messages + 1, ahead->count * sizeof(*ahead->messages));
    ahead->messages[ahead->count] = (struct ahead_message){0};
    if (ahead->reading > 0)
        ahead->reading--;
}

bool ahead_take(struct ahead *ahead, struct listeners *listeners, struct ahead_message *message)
{
    ahead_message_reset(message);
    if (ahead->count == 0)
        return receive(message, listeners);
    shift(ahead, message);
    return true;
}

void ahead_reset(struct ahead *ahead)
{
    for (size_t i = 0; i < ahead->count; i++)
        ahead_message_reset(&ahead->messages[i]);
    *ahead = (struct ahead){0};
}
