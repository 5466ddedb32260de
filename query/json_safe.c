// JSON for a screen. PostgreSQL escapes only what JSON demands, the controls below U+0020.

#include "query/json_safe.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"

static size_t sequence_length(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead < 0xe0)
        return 2;
    return lead < 0xf0 ? 3 : 4;
}

static void append_escape(struct buffer *out, unsigned long point)
{
    if (point < 0x10000) {
        buffer_printf(out, "\\u%04lx", point);
        return;
    }
    point -= 0x10000;
    buffer_printf(out, "\\u%04lx\\u%04lx", 0xd800 + (point >> 10), 0xdc00 + (point & 0x3ff));
}

// text_append_visible knows which characters are invisible: those come back as \xHH or \uHHHH.
static void append_character(struct buffer *out, const char *at, size_t length)
{
    SCOPED_BUFFER visible = {0};
    text_append_visible(&visible, at, length);
    if (visible.length == length && memcmp(visible.data, at, length) == 0)
        buffer_append(out, at, length);
    else
        append_escape(out, strtoul(visible.data + 2, NULL, 16));
}

void json_append_safe(struct buffer *out, const char *json)
{
    buffer_append_text(out, "");
    while (*json != '\0') {
        size_t plain = 0;
        while (json[plain] >= 0x20 && json[plain] < 0x7f)
            plain++;
        buffer_append(out, json, plain);
        json += plain;
        if (*json == '\0')
            return;
        if (*json > '\0' &&
            *json < 0x20) { // white space between tokens; inside strings it is escaped
            buffer_append_char(out, ' ');
            json++;
            continue;
        }
        size_t length = sequence_length((unsigned char)*json);
        append_character(out, json, strnlen(json, length));
        json += strnlen(json, length);
    }
}
