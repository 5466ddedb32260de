// Allocation that never returns NULL, and the end of the program when there is no memory.
// There is no path on which a caller could do something sensible without memory (D2): all
// that is acknowledged is on disk, so ending here is like any other crash.

#define _GNU_SOURCE
#include "common/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// write, not log_line: that would allocate. _exit, since what others registered for the end of the
// program may allocate as well, or wait for a lock that the failed allocation's caller holds.
void memory_exhausted(void)
{
    static const char line[] = "level=error msg=\"out of memory\" hint=\"what was accepted or "
                               "acknowledged is safe; start the program again\"\n";
    ssize_t written = write(STDERR_FILENO, line, sizeof(line) - 1);
    (void)written; // nowhere is left to complain
    _exit(1);
}

static void *checked(void *memory)
{
    if (memory == NULL)
        memory_exhausted();
    return memory;
}

void *xmalloc(size_t size_bytes)
{
    return checked(malloc(size_bytes ? size_bytes : 1));
}

void *xcalloc(size_t count, size_t size_bytes)
{
    return checked(calloc(count ? count : 1, size_bytes ? size_bytes : 1));
}

void *xrealloc(void *old, size_t size_bytes)
{
    return checked(realloc(old, size_bytes ? size_bytes : 1));
}

char *xstrdup(const char *text)
{
    return checked(strdup(text));
}

char *xstrndup(const char *text, size_t length)
{
    return checked(strndup(text, length));
}

char *xasprintf(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    return checked(length < 0 ? NULL : text);
}

// Doubling makes adding one by one cost the same on average, however long the array is. What is new
// in it is not zeroed.
void *xgrow(void *array, size_t *capacity, size_t needed, size_t element_bytes)
{
    if (needed <= *capacity)
        return array;
    size_t grown = *capacity ? *capacity : 8;
    while (grown < needed)
        grown *= 2;
    // An overflow would give a small block for a large array; it counts as memory that is not
    // there.
    if (grown > SIZE_MAX / element_bytes)
        memory_exhausted();
    *capacity = grown;
    return xrealloc(array, grown * element_bytes);
}

void xfree_char(char *text)
{
    free(text);
}
