#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "collector/git_declare.h"
#include "collector/git_moves.h"
#include "common/json.h"

// Inside git_declare: what its two files do for each other.

// How much of a commit an event has room for.
enum git_detail { GIT_DETAIL_ALL, GIT_DETAIL_PATHS, GIT_DETAIL_NONE };

// git_declare.c: what people wrote.

// Adds the text as visible UTF-8 of at most `most` bytes, null when it is empty; `redact` takes
// secrets out.
void git_declare_words(cJSON *to, const char *key, const char *text, size_t most, bool redact);

// git_declare_paths.c: what the commit changed.

// Which objects changed their file, among all paths that could be read, also those that the event
// will have no room for. Caller frees with git_moves_free.
struct git_moves *git_declare_moves(const struct git_declaration *declaration,
                                    const struct git_commit *commit);

// Adds the changed paths with their objects, and how many of either were left out.
void git_declare_paths(cJSON *data, const struct git_declaration *declaration,
                       const struct git_commit *commit, const struct git_moves *moves,
                       enum git_detail detail);
