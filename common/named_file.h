#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"
#include "common/error.h"

// Small files that a person named: configurations, keys, tokens. A name may lead to anything, and
// opening must not wait for it: to open a named pipe is to wait for its writer, for ever, and
// signals are not heard meanwhile where they are read in the loop.

enum named_file {
    // What is read again while a program runs. A pipe could give it only once.
    NAMED_FILE_REGULAR,
    // What is read once, before signals are taken: also what a shell hands over, as /dev/stdin or
    // <(command).
    NAMED_FILE_OR_PIPE,
};

// Opens for reading what may be taken and gives its descriptor, which the caller closes. Refused
// with REACT_STOP: what is not there, a folder, a device, and a pipe where none is taken. A pipe
// without a writer is empty.
bool named_file_open(const char *path, enum named_file takes, int *fd,
                     struct error *err) WARN_UNUSED;

// Appends the whole file, at most max_bytes; REACT_RETRY when a read fails. The caller resets out,
// also after a failure.
bool named_file_read(const char *path, enum named_file takes, size_t max_bytes, struct buffer *out,
                     struct error *err) WARN_UNUSED;

// Refuses a name that leads to something other than a regular file; one that leads nowhere is
// taken. For files that a library opens by name, which waits for a pipe.
bool named_file_check(const char *path, struct error *err) WARN_UNUSED;
