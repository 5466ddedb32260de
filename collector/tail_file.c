// Lines of one file through one buffer. Which file comes before or after it is tail.c's business.

#include "collector/tail_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "common/buffer.h"

#define CHUNK_BYTES ((size_t)256 * 1024)

struct tail_file {
    char *path;
    int fd;
    gzFile gzip; // NULL for a plain file
    struct stat info;
    int64_t offset;       // of the byte at buffer.data[start]
    struct buffer buffer; // read and not yet given, from `start` on
    size_t start;
    bool skipping; // inside a line that was too long
    char head[TAIL_HEAD_MAX];
    size_t head_length;
};

static bool cannot(const struct tail_file *file, const char *what, struct error *err)
{
    return fail(err, REACT_RETRY, "cannot %s %s: %s", what, file->path, strerror(errno));
}

static bool is_gzip(int fd)
{
    unsigned char magic[2];
    return pread(fd, magic, 2, 0) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
}

// As gzread, but no archive passes for a damaged one because memory was short.
static int read_archive(struct tail_file *file, char *into, size_t length, int *code)
{
    int count = gzread(file->gzip, into, (unsigned)length);
    *code = Z_OK;
    if (count <= 0)
        gzerror(file->gzip, code);
    if (*code == Z_MEM_ERROR)
        memory_exhausted();
    return count;
}

static void refresh_head(struct tail_file *file)
{
    int code;
    ssize_t got = file->gzip ? read_archive(file, file->head, TAIL_HEAD_MAX, &code)
                             : pread(file->fd, file->head, TAIL_HEAD_MAX, 0);
    file->head_length = got > 0 ? (size_t)got : 0;
}

bool tail_file_open(const char *path, struct tail_file **out, struct error *err)
{
    SCOPED(tail_file_close) struct tail_file *file = xcalloc(1, sizeof(*file));
    file->path = xstrdup(path);
    file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file->fd < 0)
        return cannot(file, "open", err);
    if (fstat(file->fd, &file->info) != 0)
        return cannot(file, "read", err);
    if (!S_ISREG(file->info.st_mode))
        return fail(err, REACT_RETRY, "%s is no regular file", path);
    if (is_gzip(file->fd)) {
        file->gzip = gzdopen(file->fd, "rb");
        if (file->gzip == NULL)
            memory_exhausted(); // the other errors are of our arguments
        gzbuffer(file->gzip, 131072);
    }
    refresh_head(file);
    if (!tail_file_seek(file, 0, err))
        return false;
    *out = file;
    file = NULL;
    return true;
}

void tail_file_close(struct tail_file *file)
{
    if (file == NULL)
        return;
    if (file->gzip != NULL)
        gzclose(file->gzip); // closes fd
    else if (file->fd >= 0)
        close(file->fd);
    buffer_reset(&file->buffer);
    free(file->path);
    free(file);
}

const char *tail_file_path(const struct tail_file *file)
{
    return file->path;
}

dev_t tail_file_device(const struct tail_file *file)
{
    return file->info.st_dev;
}

ino_t tail_file_inode(const struct tail_file *file)
{
    return file->info.st_ino;
}

bool tail_file_is_compressed(const struct tail_file *file)
{
    return file->gzip != NULL;
}

int64_t tail_file_offset(const struct tail_file *file)
{
    return file->offset;
}

bool tail_file_seek(struct tail_file *file, int64_t offset, struct error *err)
{
    buffer_reset(&file->buffer);
    file->start = 0;
    file->skipping = false;
    file->offset = offset;
    if (file->gzip != NULL && gzseek(file->gzip, (z_off_t)offset, SEEK_SET) < 0)
        return fail(err, REACT_REJECT, "archive %s is damaged", file->path);
    return true;
}

static bool read_plain(struct tail_file *file, char *into, size_t *got, struct error *err)
{
    off_t at = (off_t)(file->offset + (int64_t)(file->buffer.length - file->start));
    ssize_t count;
    do {
        count = pread(file->fd, into, CHUNK_BYTES, at);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        return cannot(file, "read", err);
    *got = (size_t)count;
    return true;
}

static bool read_gzip(struct tail_file *file, char *into, size_t *got, struct error *err)
{
    int code;
    int count = read_archive(file, into, CHUNK_BYTES, &code);
    if (count < 0 || (code != Z_OK && code != Z_STREAM_END))
        return fail(err, REACT_REJECT, "archive %s is damaged or ends too early", file->path);
    *got = (size_t)count;
    return true;
}

// Reads one more chunk behind what is there; *got is 0 at the end.
static bool refill(struct tail_file *file, size_t *got, struct error *err)
{
    struct buffer *buffer = &file->buffer;
    if (file->start > 0) {
        buffer_consume(buffer, file->start);
        file->start = 0;
    }
    buffer->data =
        xgrow(buffer->data, &buffer->capacity, buffer->length + CHUNK_BYTES + 1, sizeof(char));
    char *into = buffer->data + buffer->length;
    bool read = file->gzip ? read_gzip(file, into, got, err) : read_plain(file, into, got, err);
    if (read) {
        buffer->length += *got;
        buffer->data[buffer->length] = '\0';
    }
    return read;
}

static void consume(struct tail_file *file, size_t count)
{
    file->start += count;
    file->offset += (int64_t)count;
    // Offset counts what was given: chunks in the buffer behind it are read ahead only.
}

static void give(struct tail_file *file, struct tail_line *line, size_t length, size_t used)
{
    *line = (struct tail_line){.bytes = file->buffer.data + file->start,
                               .length = length,
                               .offset = file->offset,
                               .too_long = length >= TAIL_LINE_MAX};
    consume(file, used);
}

// Looks for a whole line in the buffer from `scanned` on; drops the rest of one that was too long.
static bool take_line(struct tail_file *file, size_t scanned, struct tail_line *line)
{
    while (file->buffer.length > file->start) {
        const char *data = file->buffer.data + file->start;
        size_t length = file->buffer.length - file->start;
        const char *newline =
            scanned < length ? memchr(data + scanned, '\n', length - scanned) : NULL;
        size_t found = newline ? (size_t)(newline - data) : length;
        if (file->skipping) {
            file->skipping = newline == NULL;
            consume(file, newline ? found + 1 : length);
            scanned = 0;
            continue;
        }
        if (newline == NULL && length < TAIL_LINE_MAX)
            return false;
        file->skipping = newline == NULL;
        give(file, line, found, newline ? found + 1 : length);
        return true;
    }
    return false;
}

bool tail_file_next(struct tail_file *file, struct tail_line *line, bool *got, struct error *err)
{
    size_t scanned = 0; // bytes behind start that hold no newline
    for (;;) {
        *got = take_line(file, scanned, line);
        if (*got)
            return true;
        scanned = file->buffer.length - file->start;
        size_t more = 0;
        if (!refill(file, &more, err))
            return false;
        if (more == 0)
            break;
    }
    if (scanned == 0)
        buffer_reset(&file->buffer); // idle: hold no memory
    return true;
}

bool tail_file_rest(struct tail_file *file, struct tail_line *line, bool *got, struct error *err)
{
    if (!tail_file_next(file, line, got, err) || *got)
        return *got;
    size_t length = file->buffer.length - file->start;
    *got = length > 0;
    if (*got)
        give(file, line, length, length);
    return true;
}

bool tail_file_head(struct tail_file *file, size_t length, char hex[DIGEST_HEX])
{
    if (length > file->head_length && file->gzip == NULL)
        refresh_head(file);
    if (length > file->head_length)
        return false;
    uint8_t digest[DIGEST_BYTES];
    digest_sha256(file->head, length, digest);
    hex_encode(digest, DIGEST_BYTES, hex);
    return true;
}

bool tail_file_is_intact(struct tail_file *file)
{
    if (file->gzip != NULL)
        return true;
    char now[TAIL_HEAD_MAX];
    struct stat info;
    if (fstat(file->fd, &info) != 0 || info.st_size < (off_t)file->offset)
        return false;
    ssize_t got = pread(file->fd, now, file->head_length, 0);
    return got == (ssize_t)file->head_length && memcmp(now, file->head, file->head_length) == 0;
}
