// Whether others than its owner can get at a key. The programs refuse such a file when they start;
// this finds the one whose rights were changed since, or that lies beside.

#include "query/key_files.h"

#include <errno.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define USUAL_FILES "/etc/modeltrail/*.key"

enum finding {
    FINDING_PRIVATE,
    FINDING_EXPOSED,
    FINDING_MISSING,
    FINDING_UNREADABLE,
    FINDING_COUNT
};

// What is wrong with a file decides what to do: one that nobody could read needs no new key.
static const char *const next_steps[FINDING_COUNT] = {
    [FINDING_EXPOSED] = "chmod 600 FILE; whoever read a key may speak for its collector, so make a "
                        "new one",
    [FINDING_MISSING] = "name the file where it lies; if the key is lost, make a new one",
    [FINDING_UNREADABLE] = "run doctor as a user who may look into the folder",
};

// As common/curve_key.c demands it: no right at all for group and others.
static enum finding check_file(const char *path, struct buffer *detail)
{
    struct stat info;
    const char *separator = detail->length > 0 ? ", " : "";
    if (stat(path, &info) != 0) {
        bool is_missing = errno == ENOENT || errno == ENOTDIR;
        buffer_printf(detail, "%s%s: %s", separator, path, strerror(errno));
        return is_missing ? FINDING_MISSING : FINDING_UNREADABLE;
    }
    if ((info.st_mode & 077) == 0)
        return FINDING_PRIVATE;
    buffer_printf(detail, "%s%s can be read by others (mode %04o)", separator, path,
                  (unsigned)info.st_mode & 07777);
    return FINDING_EXPOSED;
}

// Each step once, however many files need it.
static void append_steps(const bool found[FINDING_COUNT], struct buffer *next_step)
{
    buffer_append_text(next_step, "");
    for (size_t i = 0; i < FINDING_COUNT; i++) {
        if (found[i] && next_steps[i] != NULL)
            buffer_printf(next_step, "%s%s", next_step->length > 0 ? "; " : "", next_steps[i]);
    }
}

void key_files_check(const char *const *paths, size_t count, struct buffer *detail,
                     struct buffer *next_step)
{
    glob_t usual = {0};
    if (count == 0 && glob(USUAL_FILES, 0, NULL, &usual) == 0) {
        paths = (const char *const *)usual.gl_pathv;
        count = usual.gl_pathc;
    }
    bool found[FINDING_COUNT] = {false};
    for (size_t i = 0; i < count; i++)
        found[check_file(paths[i], detail)] = true;
    append_steps(found, next_step);
    if (count == 0)
        buffer_append_text(detail, "none named, none in " USUAL_FILES);
    else if (next_step->length == 0)
        buffer_printf(detail, "%zu key file%s, private to the owner", count, count == 1 ? "" : "s");
    globfree(&usual);
}
