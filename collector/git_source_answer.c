// What git says, and what is asked next. Nothing that git says is believed beyond what was asked: a
// repository is whatever somebody pushed.

#include <stdio.h>
#include <string.h>

#include "collector/clock.h"
#include "collector/git_source_parts.h"
#include "common/log.h"
#include "common/text.h"

#define STEP_BYTES ((size_t)1024 * 1024)

static void copy_id(char to[GIT_ID_BYTES], const char *from)
{
    snprintf(to, GIT_ID_BYTES, "%s", from);
}

// The log's commits must be the ones that were asked for, in their order.
static bool take_log(struct git_source *git, bool all, struct error *err)
{
    struct git_declaration declaration = git_source_declaration(git);
    git->commits = git_log_commits(git->log, all, &git->commit_count);
    git->objects = git_objects_new();
    for (size_t i = 0; i < git->commit_count; i++) {
        const char *wanted = git_walk_id(git->walk, git->first + i);
        if (!text_equal(git->commits[i].fields[GIT_FIELD_ID], wanted))
            return fail(err, REACT_RETRY, "git told other commits than it was asked for");
        git_declare_want(&declaration, &git->commits[i], git->objects);
    }
    if (git->commit_count == 0)
        return fail(err, REACT_RETRY, "git told no commits");
    return git_source_ask_sizes(git, err);
}

// Where the branch is. A head that was being read when the last run ended is read to its end first,
// so that what was told of it is not told again.
static bool take_head(struct git_source *git, struct error *err)
{
    size_t length = git->answer.length;
    while (length > 0 && git->answer.data[length - 1] == '\n')
        length--;
    if (length == 0 || !git_is_object_id(git->answer.data, length))
        return fail(err, REACT_RETRY, "git told no commit of the branch");
    git->answer.data[length] = '\0';
    git->is_behind = git->now.target[0] != '\0' && strcmp(git->answer.data, git->now.target) != 0;
    if (git->now.target[0] != '\0')
        return git_source_ask_walk(git, err);
    if (strcmp(git->answer.data, git->now.done) == 0) {
        git_source_complete(git);
        return true;
    }
    copy_id(git->now.target, git->answer.data);
    git->now.sent = 0;
    git->now.rewrote[0] = '\0';
    if (git->now.done[0] != '\0')
        return git_source_ask_ancestry(git, err);
    if (git->options.since_s > 0)
        git->now.since = clock_now() / 1000000 - git->options.since_s;
    return git_source_ask_walk(git, err);
}

static void say_rewritten(struct git_source *git, const char *how)
{
    log_line(LOG_WARN, "git history was rewritten", "repository",
             git_repository_name(git->repository), "branch", git_repository_branch(git->repository),
             "was", git->now.done, "is", git->now.target, "how", how, NULL);
    copy_id(git->now.rewrote, git->now.done);
}

// The old head is no ancestor (1), or nobody has it any more: then all is read as at first.
static bool take_rewritten(struct git_source *git, int status, struct error *err)
{
    git_source_drop_process(git);
    say_rewritten(git, status == 1 ? "the old head is on another line" : "the old head is gone");
    if (status != 1)
        git->now.done[0] = '\0';
    return git_source_ask_walk(git, err);
}

static bool take_walk(struct git_source *git, struct error *err)
{
    git_walk_finish(git->walk);
    if (git_walk_count(git->walk) >= GIT_WALK_MAX)
        log_line(LOG_WARN, "git history is too long: only its newest commits are read",
                 "repository", git_repository_name(git->repository), NULL);
    return git_source_ask_log(git, err);
}

// What ran has ended well: what comes next?
static bool follow(struct git_source *git, struct error *err)
{
    git_source_drop_process(git);
    switch (git->phase) {
    case PHASE_INIT:
        return git_source_ask(git, err);
    case PHASE_FETCH:
        return git_source_ask_head(git, err);
    case PHASE_HEAD:
        return take_head(git, err);
    case PHASE_ANCESTRY:
        return git_source_ask_walk(git, err);
    case PHASE_WALK:
        return take_walk(git, err);
    case PHASE_LOG:
        return take_log(git, true, err);
    case PHASE_SIZES:
        return git_source_ask_contents(git, err);
    case PHASE_CONTENTS:
        git->phase = PHASE_DECLARE;
        return true;
    case PHASE_TIDY:
        git_source_complete(git);
        return true;
    case PHASE_IDLE:
    case PHASE_DECLARE:
        break;
    }
    return true;
}

// ---- reading ----

static bool take_answer(void *context, const char *bytes, size_t length, struct error *err)
{
    struct git_source *git = context;
    if (git->answer.length + length > 1000)
        return fail(err, REACT_REJECT, "git told more than it was asked");
    buffer_append(&git->answer, bytes, length);
    return true;
}

static bool take_output(void *context, const char *bytes, size_t length, struct error *err)
{
    struct git_source *git = context;
    switch (git->phase) {
    case PHASE_WALK:
        return git_walk_take(git->walk, bytes, length, err);
    case PHASE_LOG:
        return git_log_take(git->log, bytes, length, err);
    case PHASE_SIZES:
        return git_objects_take_sizes(git->objects, bytes, length, err);
    case PHASE_CONTENTS:
        return git_objects_take_contents(git->objects, bytes, length, err);
    case PHASE_IDLE:
    case PHASE_INIT:
    case PHASE_FETCH:
    case PHASE_HEAD:
    case PHASE_ANCESTRY:
    case PHASE_DECLARE:
    case PHASE_TIDY:
        break;
    }
    return take_answer(context, bytes, length, err);
}

// A head that was being read when the last run ended, and that nobody has any more: the branch's
// present one is read in its place, from what was told whole.
static bool forget_target(struct git_source *git, struct error *err)
{
    if (git->committed.target[0] == '\0')
        return false;
    copy_id(git->now.rewrote, git->now.target);
    git->now.target[0] = git->committed.target[0] = '\0';
    git->now.sent = git->committed.sent = 0;
    git_source_drop_reading(git);
    return git_source_ask_head(git, err);
}

// Reads a piece. A log that is full is not read to its end: the next batch begins behind it.
bool git_source_read(struct git_source *git, struct error *err)
{
    bool ended = false;
    // Contents are parsed as they come, which takes longer than reading them.
    size_t piece = git->phase == PHASE_CONTENTS ? STEP_BYTES / 8 : STEP_BYTES;
    if (!git_process_read(git->process, piece, take_output, git, &ended, err)) {
        int status = git_process_status(git->process);
        if (git->phase == PHASE_ANCESTRY && (status == 1 || status == 128))
            return take_rewritten(git, status, err);
        return git->phase == PHASE_WALK && status == 128 && forget_target(git, err);
    }
    if (ended)
        return follow(git, err);
    if (git->phase != PHASE_LOG || !git_log_is_full(git->log))
        return true;
    git_source_drop_process(git);
    return take_log(git, false, err);
}
