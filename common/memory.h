#pragma once

#include <stddef.h>

// Ends the program with one line on stderr and exit code 1. Also for the libraries: when one says
// that it had no memory, that is never taken for a fault of what it was given.
_Noreturn void memory_exhausted(void);

// Allocation that ends the program when memory is exhausted: the spool and the transaction make
// that safe (docs/decisions.md). All return memory that the caller frees with free().
void *xmalloc(size_t size_bytes);
void *xcalloc(size_t count, size_t size_bytes);
void *xrealloc(void *old, size_t size_bytes);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t length);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Grows an array so that `needed` elements fit; capacity doubles. Returns the array, moved or not.
void *xgrow(void *array, size_t *capacity, size_t needed, size_t element_bytes);

// Runs NAME_cleanup on the variable when it leaves its scope; see DEFINE_CLEANUP.
// The variable must have a value from its declaration on: the cleanup runs on every way out.
#define SCOPED(function) __attribute__((cleanup(function##_cleanup)))

// Defines the cleanup adapter of `void function(TYPE *)`, so that SCOPED(function) TYPE *x works.
#define DEFINE_CLEANUP(TYPE, function)                                                             \
    static inline void function##_cleanup(TYPE **pointer)                                          \
    {                                                                                              \
        function(*pointer);                                                                        \
    }

// Frees a text; for SCOPED(xfree_char).
void xfree_char(char *text);
DEFINE_CLEANUP(char, xfree_char)
