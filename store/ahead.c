// Receiving and reading while PostgreSQL works. What is read here depends on nothing but the bytes:
// whether a message may be heard at all is decided when its turn comes.

#include "store/ahead.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "common/timestamp.h"

// Some six thousand usual events.
#define TREE_BYTES_ENOUGH ((size_t)24 * 1024 * 1024)
// One that is all tree takes sixty times its bytes: larger ones are read with their batch, where
// only one is there at a time.
#define TREE_BYTES_LARGE ((size_t)2 * 1024 * 1024)
// Besides the bytes, for many small ones. Collectors that keep to docs/events.md have at most four
// each: two frames, a hello and a beat.
#define MESSAGES_ENOUGH 8192

bool ahead_is_empty(const struct ahead *ahead)
{
    return ahead->count == 0;
}

bool ahead_is_full(const struct ahead *ahead)
{
    return ahead->count >= MESSAGES_ENOUGH || ahead->bytes >= ahead->bytes_most;
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
    message->received_ms = monotonic_ms();
    return listeners_receive(listeners, &message->peer, message->user, sizeof(message->user),
                             &message->payload);
}

// Takes the message out of the list; what it owns is the caller's then.
// Moved down by hand: a ring would save little and cost a second index.
static void take_out(struct ahead *ahead, size_t index, struct ahead_message *message)
{
    *message = ahead->messages[index];
    ahead->bytes -= message->payload.length;
    for (size_t i = 0; i < message->event_count; i++)
        ahead->tree_bytes -= message->events[i].memory_bytes;
    ahead->count--;
    memmove(ahead->messages + index, ahead->messages + index + 1,
            (ahead->count - index) * sizeof(*ahead->messages));
    // One that was half read is followed by one that is not begun.
    if (ahead->reading > index)
        ahead->reading--;
}

// Data stays, since a welcome counts what an older connection brought. Of two hellos the older has
// no use, nor has a beat before a hello; of two beats the newer says more; of two messages that are
// no frames one is answer enough.
static bool displaces(const struct ahead_message *newer, const struct ahead_message *older)
{
    return strcmp(newer->user, older->user) == 0 && older->kind != FRAME_DATA &&
           (newer->kind == FRAME_HELLO || newer->kind == older->kind);
}

static void drop_displaced(struct ahead *ahead, const struct ahead_message *newer)
{
    if (newer->kind == FRAME_DATA)
        return;
    for (size_t i = ahead->count; i-- > 0;) {
        struct ahead_message dropped;
        if (!displaces(newer, &ahead->messages[i]))
            continue;
        take_out(ahead, i, &dropped);
        ahead_message_reset(&dropped);
    }
}

// Where a message belongs: at the end, but a hello goes before what others sent. So it is answered
// in time however much data waits, and behind its own collector's data all the same.
static size_t place_of(const struct ahead *ahead, const struct ahead_message *message)
{
    if (message->kind != FRAME_HELLO)
        return ahead->count;
    size_t at = ahead->count;
    while (at > 0 && strcmp(ahead->messages[at - 1].user, message->user) != 0)
        at--;
    while (at < ahead->count && ahead->messages[at].kind == FRAME_HELLO)
        at++;
    return at;
}

static void put(struct ahead *ahead, const struct ahead_message *message)
{
    size_t at = place_of(ahead, message);
    ahead->messages =
        xgrow(ahead->messages, &ahead->capacity, ahead->count + 1, sizeof(*ahead->messages));
    memmove(ahead->messages + at + 1, ahead->messages + at,
            (ahead->count - at) * sizeof(*ahead->messages));
    ahead->messages[at] = *message;
    ahead->count++;
    ahead->bytes += message->payload.length;
    // A hello has no lines; what is being read has moved.
    if (message->kind == FRAME_HELLO && ahead->reading >= at)
        ahead->reading++;
}

static bool take_message(struct ahead *ahead, struct listeners *listeners)
{
    struct ahead_message message = {0};
    struct frame frame;
    struct error ignored; // the loop will meet it again and answer
    if (ahead_is_full(ahead) || !receive(&message, listeners))
        return false;
    const struct buffer *payload = &message.payload;
    bool is_frame =
        payload->length > 0 && frame_parse(payload->data, payload->length, &frame, &ignored);
    message.kind = is_frame ? (int)frame.kind : AHEAD_NONSENSE;
    drop_displaced(ahead, &message);
    put(ahead, &message);
    return true;
}

// True when the message being read has a line that is not read yet.
// Also begins the message: its events are allocated when it is first looked at. A frame that is no
// good is left alone, since the answer to it depends on the session.
static bool has_line(struct ahead *ahead)
{
    struct ahead_message *message = &ahead->messages[ahead->reading];
    struct error ignored;
    const struct buffer *payload = &message->payload;
    if (message->events == NULL) {
        ahead->offset = 0;
        if (message->kind != FRAME_DATA ||
            !frame_parse(payload->data, payload->length, &ahead->frame, &ignored) ||
            ahead->frame.count < 1 || ahead->frame.count > FRAME_MAX_EVENTS ||
            ahead->frame.seq < 1 || ahead->frame.seq > INT64_MAX - FRAME_MAX_EVENTS)
            return false;
        message->events = xcalloc((size_t)ahead->frame.count, sizeof(*message->events));
    }
    return message->event_count < (size_t)ahead->frame.count &&
           ahead->offset < ahead->frame.body_length;
}

// Epoch and number are only what the frame claims; that is enough for the event's id, which is
// checked against the line. Collector and line are set again when its batch comes (the message may
// move until then). False when the line is left to its batch, and so are those behind it.
static bool read_line(struct ahead *ahead)
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
    if (event->memory_bytes > TREE_BYTES_LARGE) {
        batch_event_reset(event);
        return false;
    }
    ahead->offset += length + 1;
    ahead->tree_bytes += event->memory_bytes;
    message->event_count++;
    return true;
}

static bool read_next(struct ahead *ahead)
{
    if (ahead->tree_bytes >= TREE_BYTES_ENOUGH)
        return false;
    while (ahead->reading < ahead->count) {
        bool found = has_line(ahead);
        if (!found || !read_line(ahead))
            ahead->reading++;
        if (found)
            return true;
    }
    return false;
}

// Takes first, which is quick: a hello may be among what waits.
bool ahead_work(struct ahead *ahead, struct listeners *listeners)
{
    return take_message(ahead, listeners) || read_next(ahead);
}

// Lines of the message that are not read by now are read with its batch.
bool ahead_take(struct ahead *ahead, struct listeners *listeners, struct ahead_message *message)
{
    ahead_message_reset(message);
    if (ahead->count == 0)
        return receive(message, listeners);
    take_out(ahead, 0, message);
    return true;
}

void ahead_reset(struct ahead *ahead)
{
    for (size_t i = 0; i < ahead->count; i++)
        ahead_message_reset(&ahead->messages[i]);
    free(ahead->messages);
    *ahead = (struct ahead){.bytes_most = ahead->bytes_most};
}
