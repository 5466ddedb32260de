#pragma once

#include "collector/git_repository.h"
#include "collector/source.h"

// Reads the commits of one branch: each is told once, parents before children (docs/attribution.md,
// "Git and GitOps"). All strings are copied.

// Opens the source; git runs in its steps. STOP when the options cannot be used.
bool git_source_open(const struct git_options *options, struct source **out,
                     struct error *err) WARN_UNUSED;
