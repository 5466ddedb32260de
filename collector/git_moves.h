#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "collector/git_manifest.h"
#include "common/memory.h"

// Objects that one commit takes away at one path and puts down at another: their file was renamed,
// split or joined, and whoever did that need not have changed what they say.

struct git_moves;

// How an object changed at a path where it stands on one side of the commit only.
struct git_move {
    const char *change; // added, removed, modified, moved
    const char *from;   // the path that it left, borrowed; NULL: it did not move to here
    const char *to;     // the path that it went to, borrowed; NULL: it did not move from here
};

struct git_moves *git_moves_new(void);
void git_moves_free(struct git_moves *moves);
DEFINE_CLEANUP(struct git_moves, git_moves_free)

// Adds what a path held before and holds behind the commit; NULL: the side is not there. All three
// are borrowed until the end.
void git_moves_add(struct git_moves *moves, const char *path, const struct git_manifest *before,
                   const struct git_manifest *after);

// To be called once behind all paths.
void git_moves_finish(struct git_moves *moves);

// How an object that the path did not hold before came to it: `moved` when it says what it said
// where it was, `modified` when it says something else, `added` when no other path lost it.
struct git_move git_moves_arrival(const struct git_moves *moves, const struct git_object *object,
                                  const char *path);

// What became of an object that the path does not hold any more: `removed` when no other path got
// it, else `moved`. It is told though the other path says so too: who reads only the folder that it
// left has lost it, and which files hold it is known of each.
struct git_move git_moves_departure(const struct git_moves *moves, const struct git_object *object,
                                    const char *path);
