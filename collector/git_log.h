#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/git_repository.h"
#include "common/buffer.h"
#include "common/error.h"
#include "common/memory.h"

// Commits as `git log` tells them: who, when, what they say, and which paths they changed against
// their first parent.

#define GIT_LOG_MAX_PATHS 2000                      // kept of one commit; the rest is counted
#define GIT_LOG_MAX_PATH_BYTES (256 * 1024)         // of all of them
#define GIT_LOG_MAX_BYTES ((size_t)8 * 1024 * 1024) // of a batch, and one commit more

// A changed path. Empty names: nothing was, or is, there.
struct git_change {
    char before[GIT_ID_BYTES];
    char after[GIT_ID_BYTES];
    char kind; // A, M, D, T as git has it
    char *path;
};

enum git_field {
    GIT_FIELD_ID,
    GIT_FIELD_PARENTS, // separated by spaces
    GIT_FIELD_AUTHOR,
    GIT_FIELD_AUTHOR_EMAIL,
    GIT_FIELD_AUTHORED, // seconds
    GIT_FIELD_COMMITTER,
    GIT_FIELD_COMMITTER_EMAIL,
    GIT_FIELD_COMMITTED,
    GIT_FIELD_SIGNATURE, // git's letter; "" when nobody was asked
    GIT_FIELD_SIGNER,
    GIT_FIELD_SUBJECT,
    GIT_FIELD_TRAILERS, // KEY: VALUE, one a line
    GIT_FIELDS
};

// Texts are git's bytes, cut to GIT_FIELD_MAX, in any encoding.
#define GIT_FIELD_MAX (16 * 1024)
struct git_commit {
    char *fields[GIT_FIELDS];
    struct git_change *changes;
    size_t change_count;
    size_t change_capacity;
    size_t path_bytes;
    size_t omitted; // paths beyond the limits
};

// Takes git's output as it comes.
struct git_log;

struct git_log *git_log_new(void);
void git_log_free(struct git_log *log);
DEFINE_CLEANUP(struct git_log, git_log_free)

// The arguments for `git log`, behind which nothing but NULL comes; commits are told on its
// standard input. `verify`: git is to check signatures.
const char *const *git_log_arguments(bool verify);

// REJECT when the bytes are not what the arguments ask for.
bool git_log_take(struct git_log *log, const char *bytes, size_t length,
                  struct error *err) WARN_UNUSED;

// True when the batch holds enough: git may be ended, and what is whole is counted.
bool git_log_is_full(const struct git_log *log);

// Ends the batch: `all` when git ended well, so that the last commit is whole too. *count receives
// how many there are; they are borrowed.
struct git_commit *git_log_commits(struct git_log *log, bool all, size_t *count);
