#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/digest.h"
#include "common/error.h"
#include "common/memory.h"

// One file of lines, plain or gzip (told by its first bytes), read forward from any offset. Offsets
// count uncompressed bytes.

#define TAIL_LINE_MAX ((size_t)16 * 1024 * 1024)
#define TAIL_HEAD_MAX 1024

struct tail_file;

struct tail_line {
    const char *bytes; // without the newline; borrowed until the next call
    size_t length;
    int64_t offset; // of its first byte
    bool too_long;  // cut at TAIL_LINE_MAX; the rest is skipped
};

// Opens the file at its beginning. RETRY when it cannot be opened or read. The caller closes.
bool tail_file_open(const char *path, struct tail_file **out, struct error *err) WARN_UNUSED;
void tail_file_close(struct tail_file *file);
DEFINE_CLEANUP(struct tail_file, tail_file_close)

// The path that it was opened by, borrowed; the file may have been renamed since.
const char *tail_file_path(const struct tail_file *file);
dev_t tail_file_device(const struct tail_file *file);
ino_t tail_file_inode(const struct tail_file *file);
bool tail_file_is_compressed(const struct tail_file *file);

// Behind the last line given.
int64_t tail_file_offset(const struct tail_file *file);
bool tail_file_seek(struct tail_file *file, int64_t offset, struct error *err) WARN_UNUSED;

// Gives the next line that has its newline; *got is false at the end of what is there now. REJECT
// when an archive is damaged.
bool tail_file_next(struct tail_file *file, struct tail_line *line, bool *got,
                    struct error *err) WARN_UNUSED;

// Gives what stands behind the last newline, if anything: for files that nobody writes any more.
bool tail_file_rest(struct tail_file *file, struct tail_line *line, bool *got,
                    struct error *err) WARN_UNUSED;

// SHA-256 (hex) of the first `length` bytes (at most TAIL_HEAD_MAX): what the file is known by,
// whatever its name. False when it has fewer.
bool tail_file_head(struct tail_file *file, size_t length, char hex[DIGEST_HEX]);

// False when the file was truncated or written anew under our descriptor.
bool tail_file_is_intact(struct tail_file *file);
