// What git is run for, one question after another. Each ends in a phase, by which
// git_source_answer.c knows what it reads.

#include <stdio.h>

#include "collector/git_source_parts.h"

#define BATCH_COMMITS 200

void git_source_drop_process(struct git_source *git)
{
    git_process_free(git->process);
    git->process = NULL;
}

static void drop_batch(struct git_source *git)
{
    git_log_free(git->log);
    git_objects_free(git->objects);
    git->log = NULL;
    git->objects = NULL;
    git->commits = NULL;
    git->commit_count = git->told = git->held = 0;
}

void git_source_drop_reading(struct git_source *git)
{
    git_source_drop_process(git);
    drop_batch(git);
    git_walk_free(git->walk);
    git->walk = NULL;
    buffer_clear(&git->answer);
}

static bool start(struct git_source *git, enum phase phase, const char *const *arguments,
                  const struct buffer *input, struct error *err)
{
    git->phase = phase;
    buffer_clear(&git->answer);
    return git_repository_run(git->repository, arguments, input, &git->process, err);
}

// Neither a tag of that name nor an option can be meant, and what is no commit is an error.
bool git_source_ask_head(struct git_source *git, struct error *err)
{
    SCOPED(xfree_char)
    char *ref = xasprintf("refs/heads/%s^{commit}", git_repository_branch(git->repository));
    const char *const arguments[] = {"rev-parse", "--verify", "--end-of-options", ref, NULL};
    return start(git, PHASE_HEAD, arguments, NULL, err);
}

bool git_source_ask(struct git_source *git, struct error *err)
{
    if (!git_repository_is_mirror(git->repository))
        return git_source_ask_head(git, err);
    if (!git_repository_exists(git->repository)) {
        git->phase = PHASE_INIT;
        return git_repository_init(git->repository, &git->process, err);
    }
    git->phase = PHASE_FETCH;
    return git_repository_fetch(git->repository, &git->process, err);
}

// Only what the head reaches and what was told does not: after a rewritten history that is all from
// where the two part.
bool git_source_ask_walk(struct git_source *git, struct error *err)
{
    char max[32], age[40];
    SCOPED(xfree_char) char *without = xasprintf("^%s", git->now.done);
    snprintf(max, sizeof(max), "--max-count=%d", GIT_WALK_MAX);
    snprintf(age, sizeof(age), "--max-age=%lld", (long long)git->now.since);
    const char *arguments[10] = {"rev-list", "--topo-order", "--reverse", "--parents", max};
    size_t count = 5;
    if (git->now.since > 0)
        arguments[count++] = age;
    arguments[count++] = git->now.target;
    if (git->now.done[0] != '\0')
        arguments[count++] = without;
    git->walk = git_walk_new();
    return start(git, PHASE_WALK, arguments, NULL, err);
}

// The answer is the exit status: 0 it is, 1 it is not, 128 one of them is not here (any more).
bool git_source_ask_ancestry(struct git_source *git, struct error *err)
{
    const char *const arguments[] = {"merge-base", "--is-ancestor", git->now.done, git->now.target,
                                     NULL};
    return start(git, PHASE_ANCESTRY, arguments, NULL, err);
}

bool git_source_ask_log(struct git_source *git, struct error *err)
{
    SCOPED_BUFFER input = {0};
    size_t count = git_walk_count(git->walk);
    drop_batch(git);
    git->first = (size_t)git->now.sent;
    if (git->first >= count) { // the branch went back, or the rest is too old: nothing to tell
        git->phase = PHASE_DECLARE;
        return true;
    }
    for (size_t i = git->first; i < count && i < git->first + BATCH_COMMITS; i++)
        buffer_printf(&input, "%s\n", git_walk_id(git->walk, i));
    git->log = git_log_new();
    return start(git, PHASE_LOG, git_log_arguments(git_repository_verifies(git->repository)),
                 &input, err);
}

// Sizes first: whoever may push decides how large a file is. --buffer gives answers in large
// pieces, not one by one.
bool git_source_ask_sizes(struct git_source *git, struct error *err)
{
    static const char *const arguments[] = {"cat-file", "--batch-check", "--buffer", NULL};
    SCOPED_BUFFER input = {0};
    git_objects_print_all(git->objects, &input);
    if (input.length == 0) {
        git->phase = PHASE_DECLARE;
        return true;
    }
    return start(git, PHASE_SIZES, arguments, &input, err);
}

bool git_source_ask_contents(struct git_source *git, struct error *err)
{
    static const char *const arguments[] = {"cat-file", "--batch", "--buffer", NULL};
    SCOPED_BUFFER input = {0};
    git_objects_print_small(git->objects, &input);
    if (input.length == 0) {
        git->phase = PHASE_DECLARE;
        return true;
    }
    return start(git, PHASE_CONTENTS, arguments, &input, err);
}

struct git_declaration git_source_declaration(const struct git_source *git)
{
    return (struct git_declaration){.options = &git->options,
                                    .repository = git->repository,
                                    .walk = git->walk,
                                    .objects = git->objects,
                                    .rewrote = git->now.rewrote};
}
