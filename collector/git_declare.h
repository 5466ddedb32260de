#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "collector/git_log.h"
#include "collector/git_objects.h"
#include "collector/git_walk.h"
#include "collector/outbox.h"
#include "common/error.h"

// Tells one commit as a `commit.declared` event (docs/events.md).

// What all commits of a reading share, borrowed.
struct git_declaration {
    const struct git_options *options; // folders
    const struct git_repository *repository;
    const struct git_walk *walk;
    const struct git_objects *objects;
    const char *rewrote; // the head that the branch had before its history was rewritten, or ""
};

// Appends the event of the commit that stands at `index` of the walk. RETRY from the outbox. One
// that is too large for an event loses its objects first, then its paths, and says so.
bool git_declare(struct outbox *outbox, const struct git_declaration *declaration, size_t index,
                 const struct git_commit *commit, struct error *err) WARN_UNUSED;

// Asks for what git_declare will look into: the commit, when signatures are not checked, and the
// manifests among its paths.
void git_declare_want(const struct git_declaration *declaration, const struct git_commit *commit,
                      struct git_objects *objects);

// The name of the configured folder that the path is in, borrowed; NULL when it is in none.
// *outside tells that folders are configured and the path is in none of them.
const char *git_folder_of(const struct git_options *options, const char *path, bool *outside);
