#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/memory.h"

// A growing byte string in the caller's storage; always NUL-terminated behind `length` once used.
struct buffer {
    char *data;
    size_t length;
    size_t capacity; // bytes allocated; 0 while there are none
};

// Appends bytes; they may contain NUL.
void buffer_append(struct buffer *buffer, const void *bytes, size_t length);

// Appends a NUL-terminated text.
void buffer_append_text(struct buffer *buffer, const char *text);

// Appends one byte.
void buffer_append_char(struct buffer *buffer, char character);

// Appends formatted text.
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Appends text as a JSON string with its quotes; bytes must be valid UTF-8.
void buffer_append_json_string(struct buffer *buffer, const char *text, size_t length);

// Drops the first `count` bytes, moving the rest down.
// Costs what is left, so a reader calls it once a chunk and not once a line.
void buffer_consume(struct buffer *buffer, size_t count);

// Forgets the content and keeps the memory.
void buffer_clear(struct buffer *buffer);

// Frees the memory; the buffer may be used again.
void buffer_reset(struct buffer *buffer);

static inline void buffer_scoped_cleanup(struct buffer *buffer)
{
    buffer_reset(buffer);
}
// SCOPED_BUFFER name = {0};
#define SCOPED_BUFFER __attribute__((cleanup(buffer_scoped_cleanup))) struct buffer
