// A growing byte string.

#include "common/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buffer_append(struct buffer *buffer, const void *bytes, size_t length)
{
    // One more for the NUL, which lets any content be used as a C string.
    buffer->data = xgrow(buffer->data, &buffer->capacity, buffer->length + length + 1, 1);
    if (length > 0)
        memcpy(buffer->data + buffer->length, bytes, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
}

void buffer_append_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_append_char(struct buffer *buffer, char character)
{
    buffer_append(buffer, &character, 1);
}

// Measures first and then prints in place, so that a text of any length is whole. A format that
// cannot be printed adds nothing: the formats are ours.
void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list args;
    va_list again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length >= 0) {
        size_t needed = buffer->length + (size_t)length + 1;
        buffer->data = xgrow(buffer->data, &buffer->capacity, needed, 1);
        vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, again);
        buffer->length += (size_t)length;
    }
    va_end(again);
}

// Only what JSON demands is escaped: bytes above 0x7f pass as they are, so a line is no longer than
// it must be (EVENT_MAX_BYTES counts after escaping).
void buffer_append_json_string(struct buffer *buffer, const char *text, size_t length)
{
    buffer_append_char(buffer, '"');
    size_t plain = 0; // start of the run that needs no escape
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buffer_append(buffer, text + plain, i - plain);
        plain = i + 1;
        if (c == '"' || c == '\\')
            buffer_printf(buffer, "\\%c", c);
        else
            buffer_printf(buffer, "\\u%04x", c);
    }
    buffer_append(buffer, text + plain, length - plain);
    buffer_append_char(buffer, '"');
}

void buffer_consume(struct buffer *buffer, size_t count)
{
    if (count == 0)
        return;
    memmove(buffer->data, buffer->data + count, buffer->length - count + 1);
    buffer->length -= count;
}

void buffer_clear(struct buffer *buffer)
{
    buffer->length = 0;
    if (buffer->data != NULL)
        buffer->data[0] = '\0';
}

void buffer_reset(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}
