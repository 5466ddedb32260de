// Base64 of gzip to the bytes in it, bounded: a few kilobytes may say that they are gigabytes.

#include "collector/audit_unpack.h"

#include <sodium.h>
#include <stdlib.h>
#include <zlib.h>

#define PIECE_BYTES ((size_t)64 * 1024)

// All of the text must be base64: what follows it would be lost without a word.
static bool decode(const char *base64, size_t length, struct buffer *out, struct error *err)
{
    size_t capacity = length / 4 * 3 + 3;
    out->data = xgrow(out->data, &out->capacity, capacity + 1, sizeof(char));
    const char *end = NULL;
    bool read = sodium_base642bin((unsigned char *)out->data, capacity, base64, length, " \t\r\n",
                                  &out->length, &end, sodium_base64_VARIANT_ORIGINAL) == 0;
    if (!read || end != base64 + length)
        return fail(err, REACT_REJECT, "bad base64");
    return true;
}

// One more piece of output; *done at the end of the last member.
static bool inflate_piece(z_stream *stream, struct buffer *out, bool *done, struct error *err)
{
    if (out->length >= AUDIT_UNPACK_MAX)
        return fail(err, REACT_REJECT, "expands to more than %zu bytes", AUDIT_UNPACK_MAX);
    out->data = xgrow(out->data, &out->capacity, out->length + PIECE_BYTES + 1, sizeof(char));
    stream->next_out = (unsigned char *)out->data + out->length;
    stream->avail_out = (unsigned)PIECE_BYTES;
    int result = inflate(stream, Z_NO_FLUSH);
    if (result == Z_MEM_ERROR)
        memory_exhausted();
    out->length += PIECE_BYTES - stream->avail_out;
    out->data[out->length] = '\0';
    *done = result == Z_STREAM_END && stream->avail_in == 0;
    if (result == Z_STREAM_END)
        return *done || inflateReset(stream) == Z_OK; // another member follows
    if (result == Z_OK && (stream->avail_in > 0 || stream->avail_out == 0))
        return true;
    return fail(err, REACT_REJECT,
                result == Z_OK || result == Z_BUF_ERROR ? "gzip ends too early" : "bad gzip data");
}

// The state of zlib is freed whatever the text was.
static bool inflate_all(struct buffer *packed, struct buffer *out, struct error *err)
{
    z_stream stream = {.next_in = (unsigned char *)packed->data,
                       .avail_in = (unsigned)packed->length};
    if (inflateInit2(&stream, MAX_WBITS + 16) != Z_OK)
        memory_exhausted(); // the other errors are of the version and of our arguments
    bool done = false;
    bool going = true;
    while (going && !done)
        going = inflate_piece(&stream, out, &done, err);
    inflateEnd(&stream);
    return going;
}

bool audit_unpack(const char *base64, size_t length, struct buffer *out, struct error *err)
{
    SCOPED_BUFFER packed = {0};
    return decode(base64, length, &packed, err) && inflate_all(&packed, out, err);
}
