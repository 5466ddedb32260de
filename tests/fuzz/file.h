#pragma once

// For readers of files: the input as a file that no disk holds. One file serves all inputs.

#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

// Gives a path under which the bytes can be read until the next call.
static inline const char *fuzz_file(const uint8_t *bytes, size_t length)
{
    static char path[32];
    static int fd = -1;
    if (fd < 0)
        fd = memfd_create("input", MFD_CLOEXEC);
    MUST(fd >= 0 && ftruncate(fd, 0) == 0);
    MUST(pwrite(fd, bytes, length, 0) == (ssize_t)length);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return path;
}
