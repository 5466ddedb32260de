#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/tail_file.h"

// The lines of a log that is rotated, or of a set of archives, each once and in order. A file is
// known by its first bytes, not by its name: renamed, copied or compressed it stays the same file.

struct tail;

struct tail_options {
    const char *path; // a file, or a glob of files
    bool once;        // read what is there and end; else follow the newest file
    // Reads the time of a line: files are read in the order of their first readable line.
    bool (*line_time)(const char *bytes, size_t length, int64_t *at);
};

// Where reading stands. All zero: at the beginning.
struct tail_place {
    int64_t offset;
    int64_t head_length;
    char head[DIGEST_HEX]; // of the file's first head_length bytes
    int64_t inode;
    int64_t device;
    int64_t first_at; // time of the file's first line
};

enum tail_outcome {
    TAIL_LINE,    // line is filled
    TAIL_WAIT,    // nothing now, perhaps later
    TAIL_END,     // all is read (only with `once`)
    TAIL_LOST,    // the file read last is gone: what was behind the place may be lost; go on
    TAIL_TROUBLE, // err says what: a file is missing or cannot be read (RETRY), is damaged (REJECT)
};

// Neither opens nor checks files yet. The options' strings must outlive it; the caller closes.
struct tail *tail_open(const struct tail_options *options);
void tail_close(struct tail *tail);
DEFINE_CLEANUP(struct tail, tail_close)

// Begins, or goes back to, a place.
void tail_return_to(struct tail *tail, const struct tail_place *place);

// Gives the next line or says why there is none.
enum tail_outcome tail_next(struct tail *tail, struct tail_line *line, struct error *err);

// The place behind the last line given.
struct tail_place tail_place(const struct tail *tail);

// The file being read, or the configured path; borrowed.
const char *tail_current_path(const struct tail *tail);
