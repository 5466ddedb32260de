#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "collector/git_manifest.h"
#include "collector/git_repository.h"
#include "common/buffer.h"
#include "common/error.h"
#include "common/memory.h"

// The objects of a batch of commits that are looked into: manifests for what they hold, and the
// commits themselves for whether they are signed. Sizes are asked first: a large file is not read.

struct git_objects;

struct git_objects *git_objects_new(void);
void git_objects_free(struct git_objects *objects);
DEFINE_CLEANUP(struct git_objects, git_objects_free)

// Asks for an object once.
void git_objects_want(struct git_objects *objects, const char *id);
size_t git_objects_count(const struct git_objects *objects);

// Appends the names for the standard input of git cat-file: of all, or of those that are small
// enough to be read.
void git_objects_print_all(struct git_objects *objects, struct buffer *out);
void git_objects_print_small(const struct git_objects *objects, struct buffer *out);

// Takes the output of `git cat-file --batch-check --buffer`, and of `git cat-file --batch --buffer`
// respectively. REJECT when it is none.
bool git_objects_take_sizes(void *objects, const char *bytes, size_t length,
                            struct error *err) WARN_UNUSED;
bool git_objects_take_contents(void *objects, const char *bytes, size_t length,
                               struct error *err) WARN_UNUSED;

// What the file holds, borrowed; NULL when it was not read.
const struct git_manifest *git_objects_manifest(const struct git_objects *objects, const char *id);

// True when the commit has a signature of any kind, or could not be looked into.
bool git_objects_is_signed(const struct git_objects *objects, const char *id);
