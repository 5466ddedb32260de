#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/git_process.h"
#include "common/error.h"
#include "common/memory.h"

// One branch of one Git repository, and how the git program is run on it: nothing of the user's
// configuration, no hooks, no helpers that a repository's own configuration names.

struct git_folder {
    const char *name; // "prod"
    const char *path; // "overlays/prod", without a slash at its end
};

// What the configuration says (git_config.h). Strings are borrowed there and copied by whoever
// keeps them; NULL is "not given".
struct git_options {
    const char *url;        // a folder, or https, http, ssh, git, file or USER@HOST:PATH
    const char *repository; // what the clusters call it, when that is not its URL
    const char *branch;
    const struct git_folder *folders; // count 0: all
    size_t folder_count;
    int64_t poll_ms;
    int64_t since_s;         // how far back a first reading goes; 0: to the beginning
    const char *mirror;      // beginning of a mirror's path; a digest of the URL is added
    const char *credentials; // a file as git-credential-store has it
    const char *ssh_key;     // with known_hosts
    const char *known_hosts;
    const char *allowed_signers; // whose SSH signatures count as good
    const char *gpg_home;        // keyring that says whose OpenPGP signatures do
    int64_t again;               // another number than before: all is told once more
    bool once;
};

struct git_repository;

// The name that commits of it will have in events: what the options call it, else its URL without
// user and query, as GitOps objects have it behind redaction. The caller frees.
char *git_repository_name_of(const struct git_options *options);

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
