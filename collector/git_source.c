// The git source: one run of git after another, none of which is waited for, and a cursor that
// moves with the commits that were told. What git is asked is in git_source_question.c, what it
// says in git_source_answer.c.

#include "collector/git_source.h"

#include <stdlib.h>
#include <string.h>

#include "collector/git_source_parts.h"
#include "common/log.h"
#include "common/text.h"
#include "common/timestamp.h"

#define STEP_MS 50 // others wait meanwhile
#define RETRY_MS 1000
#define BACKOFF_MAX_MS (10 * 60 * 1000)

static const char *const phase_names[] = {
    "waiting",           "making a mirror", "fetching",  "asking for the branch",
    "comparing",         "walking",         "reading",   "reading sizes",
    "reading manifests", "telling",         "tidying up"};

static struct git_source *own(struct source *source)
{
    return (struct git_source *)(void *)source;
}

static bool save_cursor(struct git_source *git, struct outbox *outbox, struct error *err)
{
    SCOPED(xfree_char) char *text = git_progress_print(&git->now);
    return outbox_set_cursor(outbox, git->key, text, err);
}

// The first step reads the cursor, since only then there is an outbox.
static bool load_cursor(struct git_source *git, struct outbox *outbox, struct error *err)
{
    SCOPED(xfree_char) char *text = NULL;
    if (!outbox_get_cursor(outbox, git->key, &text, err) ||
        (text != NULL && !git_progress_parse(text, &git->committed, err)))
        return false;
    git->now = git->committed;
    git->loaded = true;
    return true;
}

// ---- the end of a reading ----

static void wait_until_next(struct git_source *git)
{
    git_source_drop_reading(git);
    git->phase = PHASE_IDLE;
    git->due_ms = monotonic_ms() + git->options.poll_ms;
}

// All is well again, and all was told.
void git_source_complete(struct git_source *git)
{
    if (git->failures > 0)
        log_line(LOG_INFO, "git repository is read again", "repository",
                 git_repository_name(git->repository), NULL);
    git->failures = 0;
    git->trouble[0] = '\0';
    git->finished = git->options.once && !git->is_behind;
    wait_until_next(git);
    if (git->is_behind)
        git->due_ms = 0;
}

// A mirror is ours, and can be made anew: a lock that a killed git left would stay for ever.
static bool spoils_mirror(const struct git_source *git, const char *reason)
{
    static const char *const signs[] = {
        ".lock", "corrupt", "bad object", "not a git repository", "unable to read", "missing"};
    if (!git_repository_is_mirror(git->repository) || git->failures < 2)
        return false;
    for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++) {
        if (strstr(reason, signs[i]) != NULL)
            return true;
    }
    return false;
}

// What git could not do is tried again, later each time. Nothing of this reading was lost: the
// cursor says how far it was told.
static bool take_trouble(struct git_source *git, struct error *err)
{
    SCOPED(xfree_char)
    char *reason = xasprintf("%s: %s", phase_names[git->phase], err->text);
    int64_t wait_ms = git->options.poll_ms;
    if (strcmp(git->trouble, reason) != 0)
        log_line(LOG_WARN, "git repository cannot be read", "repository",
                 git_repository_name(git->repository), "reason", reason, NULL);
    snprintf(git->trouble, sizeof(git->trouble), "%s", reason);
    if (spoils_mirror(git, reason)) {
        log_line(LOG_WARN, "git mirror is made anew", "repository",
                 git_repository_name(git->repository), NULL);
        git_repository_drop_mirror(git->repository);
    }
    git->failures++;
    for (int i = 1; i < git->failures && wait_ms < BACKOFF_MAX_MS; i++)
        wait_ms *= 2;
    git_source_drop_reading(git);
    git->now = git->committed;
    git->phase = PHASE_IDLE;
    git->due_ms = monotonic_ms() + (wait_ms < BACKOFF_MAX_MS ? wait_ms : BACKOFF_MAX_MS);
    if (!git->options.once)
        return true;
    return fail(err, REACT_STOP, "git %s: %.400s", git_repository_name(git->repository),
                git->trouble);
}

// ---- telling ----

// `sent` moves in the transaction that holds the events, so that a kill cannot part the two.
static bool declare(struct git_source *git, struct outbox *outbox, struct error *err)
{
    struct git_declaration declaration = git_source_declaration(git);
    int64_t ends_ms = monotonic_ms() + STEP_MS;
    git->telling = true;
    while (git->told < git->commit_count && monotonic_ms() < ends_ms) {
        if (!git_declare(outbox, &declaration, git->first + git->told, &git->commits[git->told],
                         err))
            return false;
        git->told++;
        git->now.sent++;
    }
    if (git->first + git->told >= git_walk_count(git->walk))
        git_progress_finish(&git->now);
    return save_cursor(git, outbox, err);
}

static bool git_step(struct source *source, const zmq_pollitem_t *ready, size_t count,
                     struct outbox *outbox, struct error *err)
{
    (void)ready;
    (void)count;
    struct git_source *git = own(source);
    if (git->finished)
        return true;
    if (!git->loaded && !load_cursor(git, outbox, err))
        return false;
    if (git->phase == PHASE_DECLARE)
        return declare(git, outbox, err);
    bool well = git->phase == PHASE_IDLE ? monotonic_ms() < git->due_ms || git_source_ask(git, err)
                                         : git_source_read(git, err);
    return well || take_trouble(git, err);
}

// Behind a batch the next one, and behind the last one rest.
static void go_on(struct git_source *git)
{
    struct error err;
    git->held = git->told;
    if (git->held < git->commit_count)
        return;
    bool well = true;
    if (git->now.target[0] != '\0') {
        well = git_source_ask_log(git, &err);
    } else if (git_repository_is_mirror(git->repository)) {
        git_source_drop_reading(git);
        git->phase = PHASE_TIDY;
        well = git_repository_tidy(git->repository, &git->process, &err);
    } else {
        git_source_complete(git);
    }
    // Whatever kept git from being started is met, and told, by the next reading.
    if (!well)
        wait_until_next(git);
}

// What was taken back is told again from the batch, which is still here.
static void git_settled(struct source *source, bool committed)
{
    struct git_source *git = own(source);
    if (!git->telling)
        return;
    git->telling = false;
    if (committed) {
        git->committed = git->now;
        go_on(git);
        return;
    }
    git->now = git->committed;
    git->told = git->held;
    git->due_ms = monotonic_ms() + RETRY_MS;
}

static size_t git_descriptors(struct source *source, zmq_pollitem_t *items, size_t capacity)
{
    const struct git_source *git = own(source);
    return git->process != NULL ? git_process_descriptors(git->process, items, capacity) : 0;
}

static long git_timeout_ms(struct source *source)
{
    const struct git_source *git = own(source);
    if (git->finished)
        return -1;
    if (git->process != NULL)
        return git_process_timeout_ms(git->process);
    int64_t left = git->due_ms - monotonic_ms();
    return left > 0 ? (long)left : 0;
}

// Who wrote a commit is no look at a cluster: nothing is covered by it.
static void git_looks(struct source *source, cJSON *array)
{
    (void)source;
    (void)array;
}

static void git_trouble(const struct source *source, struct buffer *out)
{
    const struct git_source *git = (const struct git_source *)(const void *)source;
    if (git->trouble[0] != '\0')
        buffer_printf(out, "git %s: %s", git_repository_name(git->repository), git->trouble);
}

static bool git_is_finished(const struct source *source)
{
    return ((const struct git_source *)(const void *)source)->finished;
}

static void git_close(struct source *source)
{
    struct git_source *git = own(source);
    git_source_drop_reading(git);
    git_repository_close(git->repository);
    for (size_t i = 0; i < git->options.folder_count; i++) {
        free((char *)(uintptr_t)git->folders[i].name);
        free((char *)(uintptr_t)git->folders[i].path);
    }
    free(git->folders);
    free(git->key);
    buffer_reset(&git->answer);
    free(git);
}

static const struct source_class git_class = {
    .name = "git",
    .descriptors = git_descriptors,
    .timeout_ms = git_timeout_ms,
    .step = git_step,
    .settled = git_settled,
    .looks = git_looks,
    .trouble = git_trouble,
    .is_finished = git_is_finished,
    .close = git_close,
};

static void copy_folders(struct git_source *git, const struct git_options *options)
{
    git->folders = xcalloc(options->folder_count + 1, sizeof(*git->folders));
    for (size_t i = 0; i < options->folder_count; i++)
        git->folders[i] = (struct git_folder){.name = xstrdup(options->folders[i].name),
                                              .path = xstrdup(options->folders[i].path)};
    git->options.folders = git->folders;
    git->options.folder_count = options->folder_count;
}

// No branch has a colon, so that a number behind one is no branch's end.
static char *name_cursor(const struct git_options *options)
{
    if (options->again == 0)
        return xasprintf("git:%s:%s", options->url, options->branch);
    return xasprintf("git:%s:%s:%lld", options->url, options->branch, (long long)options->again);
}

// Of the options only numbers and folders are needed behind git_repository_open.
bool git_source_open(const struct git_options *options, struct source **out, struct error *err)
{
    struct git_repository *repository;
    if (!git_repository_open(options, &repository, err))
        return false;
    struct git_source *git = xcalloc(1, sizeof(*git));
    git->source.class = &git_class;
    git->repository = repository;
    git->options = (struct git_options){
        .poll_ms = options->poll_ms, .since_s = options->since_s, .once = options->once};
    copy_folders(git, options);
    git->key = name_cursor(options);
    *out = &git->source;
    return true;
}
