// Bytes of an answer between curl and a handler that may want them later. libcurl's own
// decompression cannot be paused in the middle of a piece, so it is ours.

#include "collector/http_body.h"

#include <stdlib.h>
#include <zlib.h>

#include "common/memory.h"

#define PLAIN_BYTES ((size_t)16 * 1024)

// Ends the body with a problem of ours, which then stands before what curl says of it.
static bool give_up(struct http_body *body, const char *problem)
{
    body->problem = problem;
    return false;
}

// Keeps a small body whole: a Status, or discovery's answer.
static bool collect(struct http_body *body, const char *bytes, size_t length)
{
    if (body->collected.length + length > HTTP_COLLECT_MAX_BYTES)
        return give_up(body, "answer is too long");
    buffer_append(&body->collected, bytes, length);
    return true;
}

// Hands on as much as the handler takes; false when the body is given up.
static bool hand_on(struct http_body *body, const char *bytes, size_t length, size_t *used)
{
    *used = length;
    if (body->is_collected || body->take == NULL)
        return collect(body, bytes, length);
    *used = body->take(body->context, bytes, length);
    if (*used == HTTP_ABORT)
        return give_up(body, "given up");
    body->handed_bytes += *used;
    if (body->max_bytes != 0 && body->handed_bytes > body->max_bytes)
        return give_up(body, "answer is too long");
    return true;
}

// The state costs some 40 KiB, so only answers that are compressed get one.
static void start_inflater(struct http_body *body)
{
    body->inflater = xcalloc(1, sizeof(*body->inflater));
    if (inflateInit2(body->inflater, MAX_WBITS + 16) != Z_OK)
        memory_exhausted(); // the other errors are of the version and of our arguments
}

// Decompresses one piece of raw into plain, never more than PLAIN_BYTES of it, so that a small
// answer which expands a thousandfold costs no memory.
static bool inflate_piece(struct http_body *body)
{
    if (body->inflater == NULL)
        start_inflater(body);
    z_stream *stream = body->inflater;
    if (body->plain.capacity < PLAIN_BYTES)
        body->plain.data = xgrow(body->plain.data, &body->plain.capacity, PLAIN_BYTES, 1);
    size_t left = body->raw.length - body->raw_used;
    stream->next_in = (unsigned char *)body->raw.data + body->raw_used;
    stream->avail_in = (unsigned)left;
    stream->next_out = (unsigned char *)body->plain.data;
    stream->avail_out = (unsigned)PLAIN_BYTES;
    int result = inflate(stream, Z_NO_FLUSH);
    if (result == Z_MEM_ERROR)
        memory_exhausted(); // not the answer's fault
    body->raw_used += left - stream->avail_in;
    body->plain.length = PLAIN_BYTES - stream->avail_out;
    body->plain_used = 0;
    if (result == Z_STREAM_END)
        return inflateReset(stream) == Z_OK; // another member may follow
    return result == Z_OK || result == Z_BUF_ERROR || give_up(body, "bad gzip data");
}

// Empties one buffer into the handler; *blocked when the handler wants no more now.
static bool drain(struct http_body *body, struct buffer *buffer, size_t *at, bool *blocked)
{
    while (*at < buffer->length && !*blocked) {
        size_t used;
        size_t offered = buffer->length - *at;
        if (!hand_on(body, buffer->data + *at, offered, &used))
            return false;
        *at += used;
        *blocked = used < offered;
    }
    if (*at == buffer->length) {
        buffer_clear(buffer);
        *at = 0;
    }
    return true;
}

bool http_body_offer(struct http_body *body, bool *blocked)
{
    *blocked = false;
    if (!body->is_gzip)
        return drain(body, &body->raw, &body->raw_used, blocked);
    for (;;) {
        if (!drain(body, &body->plain, &body->plain_used, blocked) || *blocked)
            return body->problem == NULL;
        size_t before = body->raw_used;
        if (!inflate_piece(body))
            return give_up(body, body->problem ? body->problem : "bad gzip data");
        if (body->plain.length == 0 && body->raw_used == before)
            break; // all input is used and nothing is left inside
    }
    if (body->raw_used == body->raw.length) {
        buffer_clear(&body->raw);
        body->raw_used = 0;
    }
    return true;
}

bool http_body_has_rest(const struct http_body *body)
{
    return body->raw.length > body->raw_used || body->plain.length > body->plain_used;
}

bool http_body_add(struct http_body *body, const char *bytes, size_t length)
{
    if (!body->is_gzip) { // without a copy, where possible
        size_t used;
        if (!hand_on(body, bytes, length, &used))
            return false;
        if (used < length)
            buffer_append(&body->raw, bytes + used, length - used);
        return true;
    }
    bool blocked;
    buffer_append(&body->raw, bytes, length);
    return http_body_offer(body, &blocked);
}

void http_body_reset(struct http_body *body)
{
    if (body->inflater != NULL) {
        inflateEnd(body->inflater);
        free(body->inflater);
    }
    buffer_reset(&body->raw);
    buffer_reset(&body->plain);
    buffer_reset(&body->collected);
    *body = (struct http_body){0};
}
