// Whether others than its owner can get at a key. The programs refuse such a file when they start;
// this finds the one whose rights were changed since, or that lies beside.

#include "query/key_files.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define USUAL_FILES "/etc/modeltrail/*.key"

// As common/curve_key.c demands it: no right at all for group and others.
static bool check_file(const char *path, struct buffer *detail)
{
    struct stat info;
    const char *separator = detail->length > 0 ? ", " : "";
    if (stat(path, &info) != 0) {
        buffer_printf(detail, "%s%s: %s", separator, path, strerror(errno));
        return false;
    }
    if ((info.st_mode & 077) == 0)
        return true;
    buffer_printf(detail, "%s%s can be read by others (mode %04o)", separator, path,
                  (unsigned)info.st_mode & 07777);
    return false;
}

bool key_files_check(const char *const *paths, size_t count, struct buffer *detail)
{
    glob_t usual = {0};
    if (count == 0 && glob(USUAL_FILES, 0, NULL, &usual) == 0) {
        paths = (const char *const *)usual.gl_pathv;
        count = usual.gl_pathc;
    }
    bool is_safe = true;
    for (size_t i = 0; i < count; i++)
        is_safe = check_file(paths[i], detail) && is_safe;
    if (count == 0)
        buffer_append_text(detail, "none named, none in " USUAL_FILES);
    else if (is_safe)
        buffer_printf(detail, "%zu key file%s, private to the owner", count, count == 1 ? "" : "s");
    globfree(&usual);
    return is_safe;
}
