// A disk that fails, fills up, or loses its power, for the files whose path begins with
// $DISK_PATH. What it is told stands in files, so that a test can change it while the program runs:
//   $DISK_FAULT    "CALL K WHAT MODE": the K-th call (from 1, of this process, since it met these
//                  words) of kind CALL (write, sync, any) ends in WHAT (EIO, ENOSPC, SHORT, KILL),
//                  MODE once or on (from K on). No such file, no fault.
//   $DISK_HITS     receives a byte for each call that failed so (but for KILL).
//   $DISK_QUOTA    so many bytes may be in all these files together; then ENOSPC.
//   $DISK_JOURNAL  receives all that was done to the files, in order (struct record). What is
//   synced
//                  when $DISK_LIES is set is not noted: a disk that lies.

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 1024
#define SHORT_WRITE (-2) // beside errno values

enum call { CALL_WRITE = 1, CALL_SYNC = 2, CALL_OTHER = 4 };
enum kind { KIND_CREATE = 1, KIND_WRITE, KIND_TRUNCATE, KIND_EXTEND, KIND_SYNC, KIND_UNLINK };

// Followed by the name (the folder's is empty) and the bytes.
struct record {
    uint32_t kind;
    uint32_t name_length;
    int64_t offset; // or the new size
    int64_t length; // of bytes
};

struct fault {
    unsigned calls;
    int number; // errno, SHORT_WRITE, or 0: kill
    long at;
    int stays;
};

static char folder[PATH_MAX];
static char prefix[PATH_MAX];
static char names[FILES][NAME_MAX + 1]; // by descriptor: "." the folder, "" not ours
static int journal = -1;
static long seen;             // calls that a fault counts
static char fault_words[128]; // of that fault

__attribute__((constructor)) static void read_settings(void)
{
    const char *path = getenv("DISK_PATH");
    const char *to = getenv("DISK_JOURNAL");
    if (path == NULL || strrchr(path, '/') == NULL)
        return;
    snprintf(prefix, sizeof(prefix), "%s", path);
    snprintf(folder, sizeof(folder), "%s", path);
    *strrchr(folder, '/') = '\0';
    if (to != NULL)
        journal =
            (int)syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

// The name under which a path is known here, or NULL when it is none of ours.
static const char *name_of(const char *path)
{
    if (prefix[0] == '\0')
        return NULL;
    if (strcmp(path, folder) == 0)
        return ".";
    return strncmp(path, prefix, strlen(prefix)) == 0 ? path + strlen(folder) + 1 : NULL;
}

static const char *name_at(int fd)
{
    return fd >= 0 && fd < FILES && names[fd][0] != '\0' ? names[fd] : NULL;
}

// Reads a small file; 0 when there is none.
static int read_setting(const char *variable, char *text, size_t size)
{
    const char *path = getenv(variable);
    if (path == NULL)
        return 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t count = read(fd, text, size - 1);
    syscall(SYS_close, fd);
    text[count > 0 ? count : 0] = '\0';
    return count > 0;
}

static int read_fault(struct fault *fault)
{
    char text[128];
    char call[16];
    char what[16];
    char mode[16];
    int given = read_setting("DISK_FAULT", text, sizeof(text));
    if (!given || strcmp(text, fault_words) != 0)
        seen = 0; // it was taken away, or is another one
    snprintf(fault_words, sizeof(fault_words), "%s", given ? text : "");
    if (!given || sscanf(text, "%15s %ld %15s %15s", call, &fault->at, what, mode) != 4)
        return 0;
    fault->calls = strcmp(call, "write") == 0  ? CALL_WRITE
                   : strcmp(call, "sync") == 0 ? CALL_SYNC
                                               : CALL_WRITE | CALL_SYNC | CALL_OTHER;
    fault->number = strcmp(what, "EIO") == 0      ? EIO
                    : strcmp(what, "ENOSPC") == 0 ? ENOSPC
                    : strcmp(what, "SHORT") == 0  ? SHORT_WRITE
                                                  : 0;
    fault->stays = strcmp(mode, "on") == 0;
    return 1;
}

// What shall become of this call: 0 nothing special, an errno, or SHORT_WRITE. May not come back.
static int judge(enum call call)
{
    struct fault fault;
    if (!read_fault(&fault) || (fault.calls & call) == 0)
        return 0;
    seen++;
    if (seen != fault.at && !(fault.stays && seen > fault.at))
        return 0;
    if (fault.number == 0) {
        kill(getpid(), SIGKILL);
        for (;;)
            pause();
    }
    return fault.number;
}

// What came of a verdict: a test counts only what happened. Gives it back.
static int hit(int verdict)
{
    const char *to = getenv("DISK_HITS");
    if (to == NULL)
        return verdict;
    int fd =
        (int)syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || syscall(SYS_write, fd, "!", 1) != 1)
        abort();
    syscall(SYS_close, fd);
    return verdict;
}

static void note(enum kind kind, const char *name, int64_t offset, const void *bytes,
                 int64_t length)
{
    if (journal < 0 || (kind == KIND_SYNC && getenv("DISK_LIES") != NULL))
        return;
    struct record record = {
        .kind = kind, .name_length = (uint32_t)strlen(name), .offset = offset, .length = length};
    struct iovec parts[] = {{&record, sizeof(record)},
                            {(void *)(uintptr_t)name, record.name_length},
                            {(void *)(uintptr_t)bytes, (size_t)length}};
    ssize_t whole = (ssize_t)(sizeof(record) + record.name_length + (size_t)length);
    if (syscall(SYS_writev, journal, parts, 3) != whole)
        abort(); // a test without its journal would prove nothing
}

static int64_t size_at(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 ? status.st_size : 0;
}

static int64_t used_bytes(void)
{
    int64_t sum = 0;
    DIR *entries = opendir(folder);
    if (entries == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        struct stat status;
        if (strncmp(entry->d_name, prefix + strlen(folder) + 1,
                    strlen(prefix + strlen(folder) + 1)) == 0 &&
            fstatat(dirfd(entries), entry->d_name, &status, 0) == 0)
            sum += status.st_size;
    }
    closedir(entries);
    return sum;
}

// True when a file may not grow to `end`.
static int is_beyond_quota(int fd, int64_t end)
{
    char text[32];
    int64_t growth = end - size_at(fd);
    return growth > 0 && read_setting("DISK_QUOTA", text, sizeof(text)) &&
           used_bytes() + growth > strtoll(text, NULL, 10);
}

static ssize_t fail_with(int number)
{
    errno = number;
    return -1;
}

static ssize_t write_at(int fd, const void *bytes, size_t length, int64_t offset)
{
    int verdict = judge(CALL_WRITE);
    if (verdict > 0)
        return fail_with(hit(verdict));
    if (is_beyond_quota(fd, offset + (int64_t)length))
        return fail_with(ENOSPC);
    if (verdict == SHORT_WRITE && length > 1) {
        hit(verdict);
        length /= 2;
    }
    ssize_t count = syscall(SYS_pwrite64, fd, bytes, length, offset);
    if (count > 0)
        note(KIND_WRITE, names[fd], offset, bytes, count);
    return count;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset)
{
    if (name_at(fd) == NULL)
        return syscall(SYS_pwrite64, fd, bytes, length, offset);
    return write_at(fd, bytes, length, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    return pwrite64(fd, bytes, length, offset);
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    if (name_at(fd) == NULL)
        return syscall(SYS_write, fd, bytes, length);
    ssize_t count = write_at(fd, bytes, length, lseek(fd, 0, SEEK_CUR));
    if (count > 0)
        lseek(fd, count, SEEK_CUR);
    return count;
}

int ftruncate64(int fd, off64_t size)
{
    int verdict = name_at(fd) != NULL ? judge(CALL_WRITE) : 0;
    int is_futile = verdict == ENOSPC && size <= size_at(fd); // to shrink needs no room
    if (verdict > 0 && !is_futile)
        return (int)fail_with(hit(verdict));
    int done = (int)syscall(SYS_ftruncate, fd, size);
    if (done == 0 && name_at(fd) != NULL)
        note(KIND_TRUNCATE, names[fd], size, "", 0);
    return done;
}

int ftruncate(int fd, off_t size)
{
    return ftruncate64(fd, size);
}

int posix_fallocate64(int fd, off64_t offset, off64_t length)
{
    int verdict = name_at(fd) != NULL ? judge(CALL_WRITE) : 0;
    if (verdict > 0)
        return hit(verdict);
    if (name_at(fd) != NULL && is_beyond_quota(fd, offset + length))
        return ENOSPC;
    if (syscall(SYS_fallocate, fd, 0, offset, length) != 0)
        return errno;
    if (name_at(fd) != NULL)
        note(KIND_EXTEND, names[fd], offset + length, "", 0);
    return 0;
}

int posix_fallocate(int fd, off_t offset, off_t length)
{
    return posix_fallocate64(fd, offset, length);
}

static int sync_with(long call, int fd)
{
    int verdict = name_at(fd) != NULL ? judge(CALL_SYNC) : 0;
    if (verdict > 0)
        return (int)fail_with(hit(verdict));
    int done = (int)syscall(call, fd);
    if (done == 0 && name_at(fd) != NULL)
        note(KIND_SYNC, names[fd], 0, "", 0);
    return done;
}

int fsync(int fd)
{
    return sync_with(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return sync_with(SYS_fdatasync, fd);
}

static int open_at(int at, const char *path, int flags, unsigned mode)
{
    const char *name = name_of(path);
    int creates = name != NULL && (flags & O_CREAT) != 0 && access(path, F_OK) != 0;
    int verdict = creates ? judge(CALL_OTHER) : 0;
    if (verdict > 0)
        return (int)fail_with(hit(verdict));
    int fd = (int)syscall(SYS_openat, at, path, flags, mode);
    if (fd < 0 || fd >= FILES)
        return fd;
    snprintf(names[fd], sizeof(names[fd]), "%s", name != NULL ? name : "");
    if (creates)
        note(KIND_CREATE, names[fd], 0, "", 0);
    return fd;
}

#define OPEN_MODE(flags, mode)                                                                     \
    unsigned mode = 0;                                                                             \
    if (((flags) & (O_CREAT | O_TMPFILE)) != 0) {                                                  \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode = va_arg(rest, unsigned);                                                             \
        va_end(rest);                                                                              \
    }

int open64(const char *path, int flags, ...)
{
    OPEN_MODE(flags, mode)
    return open_at(AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    OPEN_MODE(flags, mode)
    return open_at(AT_FDCWD, path, flags, mode);
}

int close(int fd)
{
    if (fd >= 0 && fd < FILES)
        names[fd][0] = '\0';
    return (int)syscall(SYS_close, fd);
}

int unlink(const char *path)
{
    const char *name = name_of(path);
    int verdict = name != NULL ? judge(CALL_OTHER) : 0;
    if (verdict > 0)
        return (int)fail_with(hit(verdict));
    int done = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (done == 0 && name != NULL)
        note(KIND_UNLINK, name, 0, "", 0);
    return done;
}
