// What the git program answers, in pieces of any size, and the manifests that it hands out.

#include <string.h>

#include "collector/git_log.h"
#include "collector/git_objects.h"
#include "collector/git_walk.h"
#include "tests/fuzz/fuzz.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

typedef bool taker(void *reader, const char *bytes, size_t length, struct error *err);

static bool take_log(void *log, const char *bytes, size_t length, struct error *err)
{
    return git_log_take(log, bytes, length, err);
}

static bool take_walk(void *walk, const char *bytes, size_t length, struct error *err)
{
    return git_walk_take(walk, bytes, length, err);
}

// False when the reader refused, which it must do with a reason.
static bool feed(taker *take, void *reader, const char *text, size_t length, size_t piece)
{
    struct error err = {0};
    for (size_t at = 0; at < length; at += piece) {
        size_t left = length - at;
        if (!take(reader, text + at, left < piece ? left : piece, &err)) {
            MUST(err.react == REACT_REJECT && err.text[0] != '\0');
            return false;
        }
    }
    return true;
}

static void read_log(const char *text, size_t length, size_t piece)
{
    SCOPED(git_log_free) struct git_log *log = git_log_new();
    size_t count;
    if (!feed(take_log, log, text, length, piece))
        return;
    struct git_commit *commits = git_log_commits(log, false, &count);
    for (size_t i = 0; i < count; i++) { // all but the last are whole
        for (size_t field = 0; field < GIT_FIELDS; field++)
            MUST(commits[i].fields[field] != NULL);
        MUST(commits[i].change_count <= GIT_LOG_MAX_PATHS);
    }
}

static void read_walk(const char *text, size_t length, size_t piece)
{
    SCOPED(git_walk_free) struct git_walk *walk = git_walk_new();
    if (!feed(take_walk, walk, text, length, piece))
        return;
    git_walk_finish(walk);
    size_t brought = 0;
    for (size_t i = 0; i < git_walk_count(walk); i++) {
        for (size_t at = git_walk_first_brought(walk, i); at != SIZE_MAX;
             at = git_walk_next_brought(walk, at)) {
            MUST(!git_walk_is_mainline(walk, at) && git_walk_is_mainline(walk, i));
            MUST(++brought <= git_walk_count(walk)); // each by one merge at most
        }
    }
}

static void read_objects(const char *text, size_t length, size_t piece)
{
    SCOPED(git_objects_free) struct git_objects *objects = git_objects_new();
    SCOPED_BUFFER names = {0};
    git_objects_want(objects, A);
    git_objects_want(objects, B);
    git_objects_print_all(objects, &names);
    if (length % 2 == 0)
        feed(git_objects_take_sizes, objects, text, length, piece);
    feed(git_objects_take_contents, objects, text, length, piece);
}

static void read_manifest(const char *text, size_t length)
{
    struct git_manifest manifest;
    git_manifest_read(text, length, &manifest);
    MUST(manifest.readable == (manifest.count > 0));
    for (size_t i = 0; i < manifest.count; i++)
        MUST(manifest.objects[i].name[0] != '\0' && manifest.objects[i].kind[0] != '\0');
    git_manifest_reset(&manifest);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length == 0)
        return 0;
    const char *text = (const char *)bytes + 1;
    size_t piece = 1 + fuzz_number(bytes, length) % 64;
    switch (bytes[0] % 4) {
    case 0:
        read_log(text, length - 1, piece);
        break;
    case 1:
        read_walk(text, length - 1, piece);
        break;
    case 2:
        read_objects(text, length - 1, piece);
        break;
    default:
        read_manifest(text, length - 1);
    }
    return 0;
}
