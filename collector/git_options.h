#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

// What a git source is told, and whether git may be run with it.

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

// Refuses, with STOP, what git cannot be run with safely.
bool git_options_check(const struct git_options *options, struct error *err) WARN_UNUSED;

// The name that commits of it will have in events: what the options call it, else its URL without
// user and query, as GitOps objects have it behind redaction. The caller frees.
char *git_options_name(const struct git_options *options);
