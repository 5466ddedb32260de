#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/git_options.h"
#include "collector/git_process.h"
#include "common/error.h"
#include "common/memory.h"

// One branch of one Git repository, and how the git program is run on it: nothing of the user's
// configuration, no hooks, no helpers that a repository's own configuration names.

struct git_repository;

// Checks the options, finds the git program, and borrows nothing. STOP when something in them
// cannot be used.
bool git_repository_open(const struct git_options *options, struct git_repository **out,
                         struct error *err) WARN_UNUSED;
void git_repository_close(struct git_repository *repository);
DEFINE_CLEANUP(struct git_repository, git_repository_close)

// Its name in events and the branch, borrowed.
const char *git_repository_name(const struct git_repository *repository);
const char *git_repository_branch(const struct git_repository *repository);

// True when it is read from a mirror of our own, which is fetched; false when it is read in place.
bool git_repository_is_mirror(const struct git_repository *repository);

// True when there is a trust root, so that git is asked whether signatures are good.
bool git_repository_verifies(const struct git_repository *repository);

// True when the mirror is there.
bool git_repository_exists(const struct git_repository *repository);

// Removes the mirror, so that the next reading makes it anew.
void git_repository_drop_mirror(const struct git_repository *repository);

// Runs git on the repository with these arguments (ends with NULL). `input` may be NULL.
bool git_repository_run(const struct git_repository *repository, const char *const *arguments,
                        const struct buffer *input, struct git_process **out,
                        struct error *err) WARN_UNUSED;

// Makes the empty mirror; fetches the branch into it; tidies it up when that is due.
bool git_repository_init(const struct git_repository *repository, struct git_process **out,
                         struct error *err) WARN_UNUSED;
bool git_repository_fetch(const struct git_repository *repository, struct git_process **out,
                          struct error *err) WARN_UNUSED;
bool git_repository_tidy(const struct git_repository *repository, struct git_process **out,
                         struct error *err) WARN_UNUSED;

// True when a text is a commit's or blob's full name.
bool git_is_object_id(const char *text, size_t length);
#define GIT_ID_BYTES 65 // 40 or 64 digits, and NUL
