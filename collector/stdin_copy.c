// From standard input to a nameless file, at the pace of the pipe.

#include "collector/stdin_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE_BYTES ((size_t)64 * 1024)
#define STEP_PIECES 64

struct stdin_copy {
    int fd;
    bool complete;
    char path[64];
};

bool stdin_copy_open(const char *folder, struct stdin_copy **out, struct error *err)
{
    SCOPED(stdin_copy_close) struct stdin_copy *copy = xcalloc(1, sizeof(*copy));
    SCOPED(xfree_char) char *name = xasprintf("%s/.stdin-XXXXXX", folder);
    copy->fd = mkstemp(name);
    if (copy->fd < 0 || fcntl(copy->fd, F_SETFD, FD_CLOEXEC) != 0)
        return fail(err, REACT_STOP, "cannot copy standard input to %s: %s", folder,
                    strerror(errno));
    unlink(name); // nothing stays behind, however we end
    snprintf(copy->path, sizeof(copy->path), "/proc/self/fd/%d", copy->fd);
    *out = copy;
    copy = NULL;
    return true;
}

void stdin_copy_close(struct stdin_copy *copy)
{
    if (copy == NULL)
        return;
    if (copy->fd >= 0)
        close(copy->fd);
    free(copy);
}

static bool write_all(int fd, const char *bytes, size_t length, struct error *err)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno != EINTR)
            return fail(err, REACT_STOP, "cannot copy standard input: %s", strerror(errno));
        bytes += written > 0 ? written : 0;
        length -= written > 0 ? (size_t)written : 0;
    }
    return true;
}

// Also true at the end, and for a descriptor that is none: reading tells.
static bool is_ready(void)
{
    struct pollfd item = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&item, 1, 0) > 0;
}

bool stdin_copy_step(struct stdin_copy *copy, struct error *err)
{
    char piece[PIECE_BYTES];
    for (int i = 0; i < STEP_PIECES && !copy->complete && is_ready(); i++) {
        ssize_t got = read(STDIN_FILENO, piece, sizeof(piece));
        if (got < 0 && errno != EINTR && errno != EAGAIN)
            return fail(err, REACT_STOP, "cannot read standard input: %s", strerror(errno));
        if (got > 0 && !write_all(copy->fd, piece, (size_t)got, err))
            return false;
        copy->complete = got == 0;
    }
    return true;
}

bool stdin_copy_is_complete(const struct stdin_copy *copy)
{
    return copy->complete;
}

const char *stdin_copy_path(const struct stdin_copy *copy)
{
    return copy->path;
}
