// Opening by a name that a person gave, and reading to the end within a bound. What the bytes mean
// is for others.

#include "common/named_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *kind_of(mode_t mode)
{
    if (S_ISDIR(mode))
        return "a folder";
    if (S_ISFIFO(mode))
        return "a pipe";
    return S_ISCHR(mode) || S_ISBLK(mode) ? "a device" : "no regular file";
}

// Asked of what was opened: the path may name another file a moment later.
static bool check_kind(int fd, const char *path, enum named_file takes, bool *is_pipe,
                       struct error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return fail(err, REACT_STOP, "cannot look at %s: %s", path, strerror(errno));
    *is_pipe = S_ISFIFO(info.st_mode);
    if (S_ISREG(info.st_mode) || (*is_pipe && takes == NAMED_FILE_OR_PIPE))
        return true;
    return fail(err, REACT_STOP, "%s is %s; hint: name a regular file", path,
                kind_of(info.st_mode));
}

// A pipe is read as its writer writes: the open alone must not wait.
static bool wait_for_writer(int fd, const char *path, struct error *err)
{
    int flags = fcntl(fd, F_GETFL);
    return (flags >= 0 && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0) ||
           fail(err, REACT_STOP, "cannot read %s: %s", path, strerror(errno));
}

// O_NONBLOCK says nothing of regular files. O_NOCTTY: a terminal is refused, and must not become
// ours before.
bool named_file_open(const char *path, enum named_file takes, int *fd, struct error *err)
{
    bool is_pipe = false;
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (opened < 0)
        return fail(err, errno == EINTR ? REACT_RETRY : REACT_STOP, "cannot open %s: %s", path,
                    strerror(errno));
    if (!check_kind(opened, path, takes, &is_pipe, err) ||
        (is_pipe && !wait_for_writer(opened, path, err))) {
        close(opened);
        return false;
    }
    *fd = opened;
    return true;
}

// By reading and not by the size that fstat tells: it may be a pipe, or grow meanwhile.
static bool read_all(int fd, const char *path, size_t max_bytes, struct buffer *out,
                     struct error *err)
{
    char chunk[65536];
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof(chunk));
        if (got == 0)
            break;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(err, REACT_RETRY, "cannot read %s: %s", path, strerror(errno));
        if (out->length + (size_t)got > max_bytes)
            return fail(err, REACT_STOP, "file %s is larger than %zu bytes", path, max_bytes);
        buffer_append(out, chunk, (size_t)got);
    }
    // An empty file too gives a text that ends with NUL.
    buffer_append(out, "", 0);
    return true;
}

bool named_file_read(const char *path, enum named_file takes, size_t max_bytes, struct buffer *out,
                     struct error *err)
{
    int fd;
    if (!named_file_open(path, takes, &fd, err))
        return false;
    bool read = read_all(fd, path, max_bytes, out, err);
    close(fd);
    return read;
}

// By stat, for what cannot be opened is the library's to tell.
bool named_file_check(const char *path, struct error *err)
{
    struct stat info;
    return stat(path, &info) != 0 || S_ISREG(info.st_mode) ||
           fail(err, REACT_STOP, "%s is %s; hint: name a regular file", path,
                kind_of(info.st_mode));
}
