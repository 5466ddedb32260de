// Frames and event lines: the only place that knows their spelling.
// Whether a frame may be heard is for the store's session, and what `data` must hold for its type
// is for store/facts*.c.

#include "common/event.h"

#include <inttypes.h>
#include <string.h>

#include "common/json.h"
#include "common/text.h"
#include "common/timestamp.h"

static const char *const kind_names[] = {"hello", "welcome", "data", "ack", "beat", "nack"};
static const char *const reason_names[] = {"gap", "fork", "not_allowed", "too_large", "draining"};

const char *nack_reason_name(enum nack_reason reason)
{
    return reason_names[reason];
}

static bool find_name(const char *const *names, size_t count, const char *name, unsigned *index)
{
    for (size_t i = 0; name != NULL && i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            *index = (unsigned)i;
            return true;
        }
    }
    return false;
}

// No number on the wire is negative, so nobody behind the parser has to think of it.
static bool need_int64(const cJSON *header, const char *key, int64_t *value, struct error *err)
{
    if (!json_int64(header, key, value) || *value < 0)
        return fail(err, REACT_REJECT, "frame header lacks a valid '%s'", key);
    return true;
}

// Version 1 tells none.
static bool read_window(const cJSON *header, struct frame *frame, struct error *err)
{
    return json_get(header, "window") == NULL || need_int64(header, "window", &frame->window, err);
}

static bool need_chain(const cJSON *header, uint8_t chain[DIGEST_BYTES], struct error *err)
{
    const char *hex = json_text(header, "chain");
    if (hex == NULL || !hex_decode(hex, chain, DIGEST_BYTES))
        return fail(err, REACT_REJECT, "frame header lacks a valid 'chain'");
    return true;
}

// May cut within a character; who prints or stores the text checks it (mark_touch,
// text_append_visible).
static void copy_text(char *to, size_t size, const char *from)
{
    size_t length = from ? strnlen(from, size - 1) : 0;
    if (length > 0)
        memcpy(to, from, length);
    to[length] = '\0';
}

// Absent from older programs, and no reason to refuse a frame: a clock is measured by it, nothing
// else.
static int64_t read_at(const cJSON *header)
{
    const char *text = json_text(header, "at");
    int64_t at;
    return text != NULL && timestamp_parse(text, &at) && at > 0 ? at : 0;
}

// A version of a far future must still be understood well enough to refuse it by name, so large
// ones are cut to 1000 and not rejected.
static bool read_hello(const cJSON *header, struct frame *frame, struct error *err)
{
    const char *collector = json_text(header, "collector");
    if (collector == NULL || *collector == '\0' || strlen(collector) > NAME_MAX_BYTES)
        return fail(err, REACT_REJECT, "hello lacks a collector name of at most %d bytes",
                    NAME_MAX_BYTES);
    copy_text(frame->collector, sizeof(frame->collector), collector);
    copy_text(frame->program, sizeof(frame->program), json_text(header, "program"));
    frame->at = read_at(header);
    int64_t least;
    int64_t most;
    if (!need_int64(header, "wire_min", &least, err) || !need_int64(header, "wire_max", &most, err))
        return false;
    frame->wire_min = (int)(least > 1000 ? 1000 : least);
    frame->wire_max = (int)(most > 1000 ? 1000 : most);
    return need_int64(header, "epoch", &frame->epoch, err) &&
           need_int64(header, "next_seq", &frame->seq, err) &&
           need_chain(header, frame->chain, err);
}

static bool read_welcome(const cJSON *header, struct frame *frame, struct error *err)
{
    int64_t wire;
    if (!need_int64(header, "wire", &wire, err))
        return false;
    frame->wire_max = (int)(wire > 1000 ? 1000 : wire);
    return need_int64(header, "acked", &frame->seq, err) && read_window(header, frame, err) &&
           need_chain(header, frame->chain, err);
}

static bool read_nack(const cJSON *header, struct frame *frame, struct error *err)
{
    unsigned reason;
    if (!find_name(reason_names, sizeof(reason_names) / sizeof(*reason_names),
                   json_text(header, "reason"), &reason))
        return fail(err, REACT_REJECT, "nack lacks a known reason");
    frame->reason = (enum nack_reason)reason;
    copy_text(frame->message, sizeof(frame->message), json_text(header, "message"));
    if (!json_int64(header, "newest", &frame->epoch) || frame->epoch < 0)
        frame->epoch = 0;
    return need_int64(header, "acked", &frame->seq, err);
}

// Members of other kinds are not looked at, so that a newer program may send more.
static bool read_members(const cJSON *header, struct frame *frame, struct error *err)
{
    switch (frame->kind) {
    case FRAME_HELLO:
        return read_hello(header, frame, err);
    case FRAME_WELCOME:
        return read_welcome(header, frame, err);
    case FRAME_DATA:
        frame->at = read_at(header);
        return need_int64(header, "epoch", &frame->epoch, err) &&
               need_int64(header, "first", &frame->seq, err) &&
               need_int64(header, "n", &frame->count, err) && need_chain(header, frame->chain, err);
    case FRAME_ACK:
        return need_int64(header, "acked", &frame->seq, err) && read_window(header, frame, err);
    case FRAME_BEAT:
        frame->at = read_at(header);
        copy_text(frame->message, sizeof(frame->message), json_text(header, "trouble"));
        return need_int64(header, "epoch", &frame->epoch, err);
    case FRAME_NACK:
        return read_nack(header, frame, err);
    }
    return fail(err, REACT_REJECT, "unknown frame kind");
}

// Header and body are told apart before anything is parsed: the body of a data frame is lines that
// must keep their bytes (they are hashed as they are), and one bad line must not spoil the frame.
bool frame_parse(const char *bytes, size_t length, struct frame *frame, struct error *err)
{
    *frame = (struct frame){0};
    if (length > FRAME_MAX_BYTES)
        return fail(err, REACT_REJECT, "frame of %zu bytes is larger than %d", length,
                    FRAME_MAX_BYTES);
    const char *end = length ? memchr(bytes, '\n', length) : NULL;
    size_t header_length = end ? (size_t)(end - bytes) : length;
    // A header has some hundred bytes; the bound keeps a body without newline from becoming a tree.
    if (header_length > 65536)
        return fail(err, REACT_REJECT, "frame header of %zu bytes is too long", header_length);
    SCOPED(cJSON_Delete) cJSON *header = json_parse(bytes, header_length, 8, err);
    if (header == NULL)
        return fail_in(err, "frame header");
    unsigned kind;
    if (!find_name(kind_names, sizeof(kind_names) / sizeof(*kind_names), json_text(header, "kind"),
                   &kind))
        return fail(err, REACT_REJECT, "frame header lacks a known 'kind'");
    frame->kind = (enum frame_kind)kind;
    if (end != NULL) {
        frame->body = end + 1;
        frame->body_length = length - header_length - 1;
    }
    return read_members(header, frame, err);
}

static void write_chain(const struct frame *frame, struct buffer *out)
{
    char hex[DIGEST_HEX];
    hex_encode(frame->chain, DIGEST_BYTES, hex);
    buffer_printf(out, ",\"chain\":\"%s\"", hex);
}

static void write_text(const char *key, const char *text, struct buffer *out)
{
    buffer_printf(out, ",\"%s\":", key);
    buffer_append_json_string(out, text, strlen(text));
}

static void write_window(const struct frame *frame, struct buffer *out)
{
    if (frame->window > 0)
        buffer_printf(out, ",\"window\":\"%" PRId64 "\"", frame->window);
}

static void write_at(const struct frame *frame, struct buffer *out)
{
    char at[TIMESTAMP_TEXT];
    timestamp_format(frame->at, at);
    if (frame->at != 0)
        buffer_printf(out, ",\"at\":\"%s\"", at);
}

// By hand and not as a tree: a frame is written for each few events, and its members are few.
void frame_write(const struct frame *frame, struct buffer *out)
{
    buffer_printf(out, "{\"kind\":\"%s\"", kind_names[frame->kind]);
    switch (frame->kind) {
    case FRAME_HELLO:
        write_text("collector", frame->collector, out);
        write_text("program", frame->program, out);
        buffer_printf(out, ",\"wire_min\":%d,\"wire_max\":%d", frame->wire_min, frame->wire_max);
        buffer_printf(out, ",\"epoch\":\"%" PRId64 "\",\"next_seq\":\"%" PRId64 "\"", frame->epoch,
                      frame->seq);
        write_chain(frame, out);
        write_at(frame, out);
        break;
    case FRAME_WELCOME:
        buffer_printf(out, ",\"wire\":%d,\"acked\":\"%" PRId64 "\"", frame->wire_max, frame->seq);
        write_window(frame, out);
        write_chain(frame, out);
        break;
    case FRAME_DATA:
        buffer_printf(out, ",\"epoch\":\"%" PRId64 "\",\"first\":\"%" PRId64 "\",\"n\":%" PRId64,
                      frame->epoch, frame->seq, frame->count);
        write_chain(frame, out);
        write_at(frame, out);
        break;
    case FRAME_ACK:
        buffer_printf(out, ",\"acked\":\"%" PRId64 "\"", frame->seq);
        write_window(frame, out);
        break;
    case FRAME_BEAT:
        buffer_printf(out, ",\"epoch\":\"%" PRId64 "\"", frame->epoch);
        write_at(frame, out);
        if (frame->message[0] != '\0')
            write_text("trouble", frame->message, out);
        break;
    case FRAME_NACK:
        buffer_printf(out, ",\"acked\":\"%" PRId64 "\",\"reason\":\"%s\"", frame->seq,
                      reason_names[frame->reason]);
        write_text("message", frame->message, out);
        if (frame->epoch != 0)
            buffer_printf(out, ",\"newest\":\"%" PRId64 "\"", frame->epoch);
        break;
    }
    buffer_append_text(out, "}\n");
    if (frame->body_length > 0)
        buffer_append(out, frame->body, frame->body_length);
}

// The order of members is fixed, though readers need none: the line is hashed as it is, and the
// same event is the same bytes. A time that is not known is left out.
void event_write(struct buffer *out, const struct event_head *head, const char *data, size_t length)
{
    char time[TIMESTAMP_TEXT];
    timestamp_format(head->time, time);
    buffer_append_text(out, "{\"specversion\":\"1.0\",\"id\":");
    SCOPED(xfree_char)
    char *id = xasprintf("%s:%" PRId64 ":%" PRId64, head->collector, head->epoch, head->seq);
    buffer_append_json_string(out, id, strlen(id));
    SCOPED(xfree_char)
    char *source = xasprintf("/modeltrail/%s/%s", head->cluster, head->collector);
    write_text("source", source, out);
    write_text("type", head->type, out);
    if (head->subject != NULL)
        write_text("subject", head->subject, out);
    if (head->time != TIMESTAMP_NONE)
        write_text("time", time, out);
    buffer_append_text(out, ",\"datacontenttype\":\"application/json\",\"data\":");
    buffer_append(out, data, length);
    buffer_append_char(out, '}');
}
