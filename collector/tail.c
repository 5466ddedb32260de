// Which file follows which: rotation by rename or by copy and truncate, archives, globs. Reading
// one file is tail_file.c's business; what a line means, the source's.

#include "collector/tail.h"

#include <errno.h>
#include <glob.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/text.h"
#include "common/timestamp.h"

#define RESCAN_MS 5000  // how often a glob is looked at for newer files
#define FIRST_LINES 100 // unreadable lines before a file's own time counts

struct candidate {
    char *path;
    int64_t first_at;
    bool compressed;
};

struct tail {
    struct tail_options options;
    bool is_glob;
    struct tail_place place; // as last given out
    struct tail_file *file;  // NULL: to be found by place
    int64_t first_at;        // of file
    bool finishing;          // a newer file exists: this one is read to its end, and left
    bool ended;
    bool waited; // nothing was there at the last call
    int64_t scanned_ms;
    struct candidate *candidates;
    size_t count;
    size_t capacity;
};

struct tail *tail_open(const struct tail_options *options)
{
    struct tail *tail = xcalloc(1, sizeof(*tail));
    tail->options = *options;
    tail->is_glob = strpbrk(options->path, "*?[") != NULL;
    return tail;
}

static void forget_candidates(struct tail *tail)
{
    for (size_t i = 0; i < tail->count; i++)
        free(tail->candidates[i].path);
    tail->count = 0;
}

static void leave_file(struct tail *tail)
{
    tail_file_close(tail->file);
    tail->file = NULL;
    tail->finishing = false;
}

void tail_close(struct tail *tail)
{
    if (tail == NULL)
        return;
    leave_file(tail);
    forget_candidates(tail);
    free(tail->candidates);
    free(tail);
}

void tail_return_to(struct tail *tail, const struct tail_place *place)
{
    leave_file(tail);
    tail->ended = false;
    tail->place = *place;
}

const char *tail_current_path(const struct tail *tail)
{
    return tail->file ? tail_file_path(tail->file) : tail->options.path;
}

// The head is hashed again only while it grows or when the file changed: places are taken at every
// line.
static void update_place(struct tail *tail)
{
    struct tail_place *place = &tail->place;
    place->offset = tail_file_offset(tail->file);
    size_t length = place->offset < TAIL_HEAD_MAX ? (size_t)place->offset : TAIL_HEAD_MAX;
    if ((int64_t)length == place->head_length && place->first_at == tail->first_at)
        return; // nothing but the offset moved
    place->head_length = (int64_t)length;
    place->inode = (int64_t)tail_file_inode(tail->file);
    place->device = (int64_t)tail_file_device(tail->file);
    place->first_at = tail->first_at;
    if (!tail_file_head(tail->file, length, place->head))
        place->head_length = 0;
}

struct tail_place tail_place(const struct tail *tail)
{
    return tail->place;
}

// The time of the first line that has one; false when the file has no line yet.
static bool read_first_time(struct tail *tail, struct tail_file *file, int64_t *at)
{
    struct error err;
    struct tail_line line;
    bool got = false;
    for (int i = 0; i < FIRST_LINES; i++) {
        if (!tail_file_next(file, &line, &got, &err) || !got)
            break;
        if (tail->options.line_time(line.bytes, line.length, at))
            return true;
    }
    if (!got && tail_file_rest(file, &line, &got, &err) && got &&
        tail->options.line_time(line.bytes, line.length, at))
        return true;
    if (tail_file_offset(file) == 0)
        return false;
    struct stat info;
    *at = stat(tail_file_path(file), &info) == 0 ? (int64_t)info.st_mtime * 1000000 : 0;
    return true;
}

// Files that cannot be opened, or hold no line yet, are no candidates: they are looked at again
// later.
static void add_candidate(struct tail *tail, const char *path)
{
    struct error err;
    SCOPED(tail_file_close) struct tail_file *file = NULL;
    int64_t first_at;
    if (!tail_file_open(path, &file, &err) || !read_first_time(tail, file, &first_at))
        return;
    tail->candidates =
        xgrow(tail->candidates, &tail->capacity, tail->count + 1, sizeof(*tail->candidates));
    tail->candidates[tail->count++] = (struct candidate){
        .path = xstrdup(path), .first_at = first_at, .compressed = tail_file_is_compressed(file)};
}

// A folder that may not be read holds no candidates, as a file that may not be.
static int on_unreadable(const char *path, int number)
{
    (void)path;
    if (number == ENOMEM)
        memory_exhausted(); // a file that is not found would be left unread
    return 0;
}

static void add_matches(struct tail *tail, const char *pattern)
{
    glob_t found;
    int code = glob(pattern, GLOB_NOSORT, on_unreadable, &found);
    if (code == GLOB_NOSPACE)
        memory_exhausted();
    if (code != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++)
        add_candidate(tail, found.gl_pathv[i]);
    globfree(&found);
}

// Rotated files of one log: PATH.1, PATH-20260102, both also with .gz, and the API server's own
// STEM-2026-01-02T03-04-05.678.EXT.
static void add_rotated(struct tail *tail)
{
    const char *path = tail->options.path;
    SCOPED_BUFFER literal = {0}; // the path, quoted for glob
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash ? slash : path, '.');
    size_t stem = 0;
    for (const char *c = path; *c; c++) {
        if (c == dot)
            stem = literal.length;
        if (strchr("*?[]\\", *c) != NULL)
            buffer_append_char(&literal, '\\');
        buffer_append_char(&literal, *c);
    }
    SCOPED(xfree_char) char *numbered = xasprintf("%s[.-][0-9]*", literal.data);
    add_matches(tail, numbered);
    if (dot == NULL)
        return;
    SCOPED(xfree_char) char *dated = xasprintf("%.*s-[0-9]*%s*", (int)stem, literal.data, dot);
    add_matches(tail, dated);
}

// Looks anew at what is there. A literal path with `once` means that file and no other.
static void scan_candidates(struct tail *tail)
{
    if (tail->options.once && tail->count > 0)
        return; // archives do not change
    forget_candidates(tail);
    tail->scanned_ms = monotonic_ms();
    if (tail->is_glob) {
        add_matches(tail, tail->options.path);
        return;
    }
    add_candidate(tail, tail->options.path);
    if (!tail->options.once)
        add_rotated(tail);
}

// The earliest file that begins later than `after`; of equals the one that is not compressed.
static const struct candidate *find_later(const struct tail *tail, int64_t after)
{
    const struct candidate *best = NULL;
    for (size_t i = 0; i < tail->count; i++) {
        const struct candidate *one = &tail->candidates[i];
        if (one->first_at <= after)
            continue;
        if (best == NULL || one->first_at < best->first_at ||
            (one->first_at == best->first_at && best->compressed && !one->compressed))
            best = one;
    }
    return best;
}

// The first bytes of an audit log hold a random audit id: equal heads are the same log.
static bool matches_place(const struct tail *tail, struct tail_file *file)
{
    char head[DIGEST_HEX];
    return tail_file_head(file, (size_t)tail->place.head_length, head) &&
           strcmp(head, tail->place.head) == 0;
}

// Opens the file that the place is in, under whatever name it has now.
static bool open_at_place(struct tail *tail)
{
    const struct candidate *found = NULL;
    for (size_t i = 0; i < tail->count; i++) {
        const struct candidate *one = &tail->candidates[i];
        struct error err;
        SCOPED(tail_file_close) struct tail_file *file = NULL;
        if (!tail_file_open(one->path, &file, &err) || !matches_place(tail, file))
            continue;
        // Of two copies the plain one: an archive may still be in the making.
        if (found == NULL || (found->compressed && !one->compressed))
            found = one;
    }
    struct error err;
    struct tail_file *file = NULL;
    if (found == NULL || !tail_file_open(found->path, &file, &err))
        return false;
    if (!tail_file_seek(file, tail->place.offset, &err)) {
        tail_file_close(file);
        return false;
    }
    tail->file = file;
    tail->first_at = found->first_at;
    return true;
}

static enum tail_outcome open_candidate(struct tail *tail, const struct candidate *candidate,
                                        struct error *err)
{
    struct tail_file *file = NULL;
    if (!tail_file_open(candidate->path, &file, err))
        return TAIL_TROUBLE;
    leave_file(tail);
    tail->file = file;
    tail->first_at = candidate->first_at;
    return TAIL_LINE;
}

static const struct candidate *find_path(const struct tail *tail)
{
    for (size_t i = 0; i < tail->count; i++) {
        if (strcmp(tail->candidates[i].path, tail->options.path) == 0)
            return &tail->candidates[i];
    }
    return NULL;
}

// The first file of all: a log begins with itself, a glob with its earliest file.
static const struct candidate *find_first(const struct tail *tail)
{
    return tail->is_glob ? find_later(tail, INT64_MIN) : find_path(tail);
}

// No candidate: an empty file is waited for, a missing one is trouble.
static enum tail_outcome nothing_there(struct tail *tail, struct error *err)
{
    struct stat info;
    bool exists = !tail->is_glob && stat(tail->options.path, &info) == 0;
    if (!exists) {
        fail(err, REACT_RETRY, "no file at %s", tail->options.path);
        return TAIL_TROUBLE;
    }
    // Opens it only to tell an empty file from one that may not be read.
    SCOPED(tail_file_close) struct tail_file *file = NULL;
    if (!tail_file_open(tail->options.path, &file, err))
        return TAIL_TROUBLE;
    tail->ended = tail->options.once;
    return tail->ended ? TAIL_END : TAIL_WAIT;
}

// Finds the file to read by the place. TAIL_LINE means that one is open.
static enum tail_outcome find_file(struct tail *tail, struct error *err)
{
    scan_candidates(tail);
    bool resumes = tail->place.head_length > 0;
    if (resumes && open_at_place(tail))
        return TAIL_LINE;
    const struct candidate *next = resumes ? find_later(tail, tail->place.first_at) : NULL;
    if (next == NULL)
        next = find_first(tail);
    if (next == NULL)
        return nothing_there(tail, err);
    if (!resumes)
        return open_candidate(tail, next, err);
    // A glob whose files are all older than the place has nothing new.
    if (tail->is_glob && next->first_at < tail->place.first_at) {
        tail->ended = tail->options.once;
        return tail->ended ? TAIL_END : TAIL_WAIT;
    }
    enum tail_outcome opened = open_candidate(tail, next, err);
    if (opened != TAIL_LINE)
        return opened;
    tail->place = (struct tail_place){0};
    return TAIL_LOST;
}

// The path holds a file that does not begin later than the one just read: the same lines in a new
// file, to be read on in, or others, to be read from their beginning.
static enum tail_outcome open_replaced(struct tail *tail, const struct candidate *candidate,
                                       struct error *err)
{
    enum tail_outcome opened = open_candidate(tail, candidate, err);
    if (opened == TAIL_LINE && tail->place.head_length > 0 && matches_place(tail, tail->file) &&
        !tail_file_seek(tail->file, tail->place.offset, err))
        return TAIL_TROUBLE;
    return opened;
}

// True while the file at the configured path is the one being read, as it was.
static bool is_current(struct tail *tail)
{
    struct stat info;
    return stat(tail->options.path, &info) == 0 && info.st_ino == tail_file_inode(tail->file) &&
           info.st_dev == tail_file_device(tail->file);
}

// At the end of the open file: is there a newer one? TAIL_LINE means that reading goes on.
static enum tail_outcome at_end(struct tail *tail, struct error *err)
{
    bool follows = !tail->options.once;
    if (follows && !tail_file_is_intact(tail->file)) {
        leave_file(tail); // truncated: its content may live on in a copy
        return TAIL_LINE;
    }
    if (follows && !tail->is_glob && is_current(tail))
        return TAIL_WAIT;
    if (follows && tail->is_glob && monotonic_ms() - tail->scanned_ms < RESCAN_MS)
        return TAIL_WAIT;
    scan_candidates(tail);
    const struct candidate *next = find_later(tail, tail->first_at);
    const struct candidate *replaced =
        next == NULL && follows && !tail->is_glob ? find_path(tail) : NULL;
    if (next == NULL && replaced == NULL && follows)
        return TAIL_WAIT;
    if (!tail->finishing) {
        // Read on once more: it may have grown between the last read and the look for a newer one.
        tail->finishing = true;
        return TAIL_LINE;
    }
    if (next != NULL || replaced != NULL)
        return next ? open_candidate(tail, next, err) : open_replaced(tail, replaced, err);
    tail->ended = true;
    return TAIL_END;
}

// What a damaged archive gave before it broke off is kept; reading goes on with the next file.
static enum tail_outcome skip_damaged(struct tail *tail, struct error *err)
{
    const struct candidate *next = find_later(tail, tail->first_at);
    struct error second;
    leave_file(tail);
    if (next == NULL)
        tail->ended = tail->options.once;
    else if (open_candidate(tail, next, &second) != TAIL_LINE)
        return TAIL_TROUBLE;
    err->react = REACT_REJECT;
    return TAIL_TROUBLE;
}

// The next line of the open file, of a finished one with what stands behind its last newline.
static bool read_line(struct tail *tail, struct tail_line *line, bool *got, struct error *err)
{
    return tail->finishing ? tail_file_rest(tail->file, line, got, err)
                           : tail_file_next(tail->file, line, got, err);
}

static enum tail_outcome read_or_move(struct tail *tail, struct tail_line *line, struct error *err)
{
    for (;;) {
        if (tail->file == NULL) {
            enum tail_outcome found = find_file(tail, err);
            if (found != TAIL_LINE)
                return found;
        }
        bool got;
        if (!read_line(tail, line, &got, err))
            return err->react == REACT_REJECT ? skip_damaged(tail, err) : TAIL_TROUBLE;
        if (got) {
            update_place(tail);
            return TAIL_LINE;
        }
        enum tail_outcome end = at_end(tail, err);
        if (end != TAIL_LINE)
            return end;
    }
}

enum tail_outcome tail_next(struct tail *tail, struct tail_line *line, struct error *err)
{
    if (tail->ended)
        return TAIL_END;
    // A file truncated while we waited may have grown beyond our offset again.
    if (tail->waited && tail->file != NULL && !tail_file_is_intact(tail->file))
        leave_file(tail);
    enum tail_outcome outcome = read_or_move(tail, line, err);
    tail->waited = outcome == TAIL_WAIT;
    return outcome;
}
