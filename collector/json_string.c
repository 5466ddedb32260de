// Escapes of JSON strings to UTF-8. Checking them is json_scan's business.

#include "collector/json_string.h"

#include <stdint.h>
#include <string.h>

static uint32_t read_hex4(const char *digits)
{
    uint32_t value = 0;
    for (size_t i = 0; i < 4; i++) {
        char c = digits[i];
        uint32_t digit = (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        value = value << 4 | (digit & 0xf);
    }
    return value;
}

static void append_utf8(uint32_t point, struct buffer *out)
{
    char bytes[4];
    size_t length = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const uint32_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length - 1; i > 0; i--) {
        bytes[i] = (char)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    bytes[0] = (char)(lead[length] | point);
    buffer_append(out, bytes, length);
}

// Appends the escape that starts behind a backslash; returns the bytes that it used.
static size_t append_escape(const char *at, struct buffer *out)
{
    static const char names[] = "bfnrt";
    static const char values[] = "\b\f\n\r\t";
    if (*at != 'u') {
        const char *name = strchr(names, *at);
        buffer_append_char(out, name != NULL ? values[name - names] : *at);
        return 1;
    }
    uint32_t point = read_hex4(at + 1);
    if (point < 0xd800 || point > 0xdbff) {
        append_utf8(point, out);
        return 5;
    }
    uint32_t low = read_hex4(at + 7);
    append_utf8(0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00), out);
    return 11;
}

void json_string_decode(const char *token, size_t length, struct buffer *out)
{
    const char *at = token + 1;
    const char *end = token + length - 1;
    while (at < end) {
        const char *backslash = memchr(at, '\\', (size_t)(end - at));
        const char *plain_end = backslash != NULL ? backslash : end;
        buffer_append(out, at, (size_t)(plain_end - at));
        at = plain_end;
        if (backslash != NULL)
            at += 1 + append_escape(at + 1, out);
    }
}
