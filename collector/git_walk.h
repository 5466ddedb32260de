#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/git_repository.h"
#include "common/buffer.h"
#include "common/error.h"
#include "common/memory.h"

// The commits that a branch has got, parents before children, with its first-parent line and what
// each merge on it brought.

#define GIT_WALK_MAX 200000 // commits of one reading: the newest ones

struct git_walk;

struct git_walk *git_walk_new(void);
void git_walk_free(struct git_walk *walk);
DEFINE_CLEANUP(struct git_walk, git_walk_free)

// Takes output of `git rev-list --topo-order --reverse --parents` as it comes. REJECT when it is
// none.
bool git_walk_take(struct git_walk *walk, const char *bytes, size_t length,
                   struct error *err) WARN_UNUSED;

// To be called once behind all output: finds the first-parent line and what merges brought.
void git_walk_finish(struct git_walk *walk);

size_t git_walk_count(const struct git_walk *walk);

// The commit's name, borrowed.
const char *git_walk_id(const struct git_walk *walk, size_t index);

bool git_walk_is_mainline(const struct git_walk *walk, size_t index);

// The first commit that this merge of the mainline brought to it; SIZE_MAX without one. The next
// one follows by git_walk_next_brought.
size_t git_walk_first_brought(const struct git_walk *walk, size_t index);
size_t git_walk_next_brought(const struct git_walk *walk, size_t index);
