#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/git_declare.h"
#include "collector/git_log.h"
#include "collector/git_objects.h"
#include "collector/git_progress.h"
#include "collector/git_source.h"
#include "collector/git_walk.h"

// Inside the git source: what its parts share, and what one does for another. One program runs at a
// time, and `phase` says what it was asked; whatever goes wrong ends the reading, which begins
// again from the cursor, so that no part has anything to undo.

// What runs, or is due next.
enum phase {
    PHASE_IDLE,
    PHASE_INIT,
    PHASE_FETCH,
    PHASE_HEAD,     // where the branch is
    PHASE_ANCESTRY, // whether it still holds what was told
    PHASE_WALK,     // which commits it has got
    PHASE_LOG,      // what the next of them say
    PHASE_SIZES,
    PHASE_CONTENTS,
    PHASE_DECLARE, // events go out; nothing runs
    PHASE_TIDY,
};

struct git_source {
    struct source source;
    struct git_options options; // its strings are our own
    struct git_folder *folders;
    struct git_repository *repository;
    char *key;
    bool loaded;
    struct git_progress now;
    struct git_progress committed;
    enum phase phase;
    struct git_process *process;
    struct buffer answer; // of small questions
    struct git_walk *walk;
    struct git_log *log; // the batch
    struct git_objects *objects;
    struct git_commit *commits; // of the log
    size_t commit_count;
    size_t first;   // index of the batch's first commit in the walk
    size_t told;    // of the batch, in this step's transaction too
    size_t held;    // of the batch, committed
    bool is_behind; // the branch was further than the head that is being read
    bool telling;   // this step wrote to the outbox
    int64_t due_ms;
    int failures;
    bool finished; // --once: all was read
    char trouble[512];
};

// git_source.c: the whole.

// All is well again, and all was told.
void git_source_complete(struct git_source *git);

// git_source_question.c: what git is run for.

// Ends what runs, if anything does.
void git_source_drop_process(struct git_source *git);

// Lets go of the batch and of all that was read of the branch; the cursor stays.
void git_source_drop_reading(struct git_source *git);

// Begins a reading: makes the mirror, fetches the branch, or asks where it is.
bool git_source_ask(struct git_source *git, struct error *err) WARN_UNUSED;

// Asks where the branch is; whether its head still holds what was told; which commits it has got.
bool git_source_ask_head(struct git_source *git, struct error *err) WARN_UNUSED;
bool git_source_ask_ancestry(struct git_source *git, struct error *err) WARN_UNUSED;
bool git_source_ask_walk(struct git_source *git, struct error *err) WARN_UNUSED;

// Asks for the next batch of the walk's commits, in place of the last one.
bool git_source_ask_log(struct git_source *git, struct error *err) WARN_UNUSED;

// Asks how large the objects are that the batch needs; for the content of those that are small.
bool git_source_ask_sizes(struct git_source *git, struct error *err) WARN_UNUSED;
bool git_source_ask_contents(struct git_source *git, struct error *err) WARN_UNUSED;

// What a commit of the batch is declared with, borrowed.
struct git_declaration git_source_declaration(const struct git_source *git);

// git_source_answer.c: what git says.

// Reads a piece of what git says, and asks what comes next when that was all.
bool git_source_read(struct git_source *git, struct error *err) WARN_UNUSED;
