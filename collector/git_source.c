// The git source: one run of git after another, none of which is waited for, and a cursor that
// moves with the commits that were told. What git says is read in git_walk.c, git_log.c and
// git_objects.c.

#include "collector/git_source.h"

#include <stdlib.h>
#include <string.h>

#include "collector/clock.h"
#include "collector/git_declare.h"
#include "collector/git_log.h"
#include "collector/git_objects.h"
#include "collector/git_progress.h"
#include "collector/git_walk.h"
#include "common/log.h"
#include "common/text.h"
#include "common/timestamp.h"

#define BATCH_COMMITS 200
#define STEP_BYTES ((size_t)1024 * 1024)
#define STEP_MS 50 // others wait meanwhile
#define RETRY_MS 1000
#define BACKOFF_MAX_MS (10 * 60 * 1000)

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

static const char *const phase_names[] = {
    "waiting",           "making a mirror", "fetching",  "asking for the branch",
    "comparing",         "walking",         "reading",   "reading sizes",
    "reading manifests", "telling",         "tidying up"};

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

static void copy_id(char to[GIT_ID_BYTES], const char *from)
{
    snprintf(to, GIT_ID_BYTES, "%s", from);
}

// ---- one phase after another ----

static void drop_batch(struct git_source *git)
{
    git_log_free(git->log);
    git_objects_free(git->objects);
    git->log = NULL;
    git->objects = NULL;
    git->commits = NULL;
    git->commit_count = git->told = git->held = 0;
}

static void drop_reading(struct git_source *git)
{
    git_process_free(git->process);
    git->process = NULL;
    drop_batch(git);
    git_walk_free(git->walk);
    git->walk = NULL;
    buffer_clear(&git->answer);
}

static void wait_until_next(struct git_source *git)
{
    drop_reading(git);
    git->phase = PHASE_IDLE;
    git->due_ms = monotonic_ms() + git->options.poll_ms;
}

// All is well again, and all was told.
static void complete(struct git_source *git)
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

static bool start(struct git_source *git, enum phase phase, const char *const *arguments,
                  const struct buffer *input, struct error *err)
{
    git->phase = phase;
    buffer_clear(&git->answer);
    return git_repository_run(git->repository, arguments, input, &git->process, err);
}

static bool start_head(struct git_source *git, struct error *err)
{
    SCOPED(xfree_char)
    char *ref = xasprintf("refs/heads/%s^{commit}", git_repository_branch(git->repository));
    const char *const arguments[] = {"rev-parse", "--verify", "--end-of-options", ref, NULL};
    return start(git, PHASE_HEAD, arguments, NULL, err);
}

static bool begin_reading(struct git_source *git, struct error *err)
{
    if (!git_repository_is_mirror(git->repository))
        return start_head(git, err);
    if (!git_repository_exists(git->repository)) {
        git->phase = PHASE_INIT;
        return git_repository_init(git->repository, &git->process, err);
    }
    git->phase = PHASE_FETCH;
    return git_repository_fetch(git->repository, &git->process, err);
}

// Only what the head reaches and what was told does not: after a rewritten history that is all from
// where the two part.
static bool start_walk(struct git_source *git, struct error *err)
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

static bool start_ancestry(struct git_source *git, struct error *err)
{
    const char *const arguments[] = {"merge-base", "--is-ancestor", git->now.done, git->now.target,
                                     NULL};
    return start(git, PHASE_ANCESTRY, arguments, NULL, err);
}

static bool start_batch(struct git_source *git, struct error *err)
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

static bool start_sizes(struct git_source *git, struct error *err)
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

static bool start_contents(struct git_source *git, struct error *err)
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

static struct git_declaration declaration_of(const struct git_source *git)
{
    return (struct git_declaration){.options = &git->options,
                                    .repository = git->repository,
                                    .walk = git->walk,
                                    .objects = git->objects,
                                    .rewrote = git->now.rewrote};
}

// The log's commits must be the ones that were asked for, in their order.
static bool take_log(struct git_source *git, bool all, struct error *err)
{
    struct git_declaration declaration = declaration_of(git);
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
    return start_sizes(git, err);
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
        return start_walk(git, err);
    if (strcmp(git->answer.data, git->now.done) == 0) {
        complete(git);
        return true;
    }
    copy_id(git->now.target, git->answer.data);
    git->now.sent = 0;
    git->now.rewrote[0] = '\0';
    if (git->now.done[0] != '\0')
        return start_ancestry(git, err);
    if (git->options.since_s > 0)
        git->now.since = clock_now() / 1000000 - git->options.since_s;
    return start_walk(git, err);
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
    git_process_free(git->process);
    git->process = NULL;
    say_rewritten(git, status == 1 ? "the old head is on another line" : "the old head is gone");
    if (status != 1)
        git->now.done[0] = '\0';
    return start_walk(git, err);
}

static bool take_walk(struct git_source *git, struct error *err)
{
    git_walk_finish(git->walk);
    if (git_walk_count(git->walk) >= GIT_WALK_MAX)
        log_line(LOG_WARN, "git history is too long: only its newest commits are read",
                 "repository", git_repository_name(git->repository), NULL);
    return start_batch(git, err);
}

// What ran has ended well: what comes next?
static bool follow(struct git_source *git, struct error *err)
{
    git_process_free(git->process);
    git->process = NULL;
    switch (git->phase) {
    case PHASE_INIT:
        return begin_reading(git, err);
    case PHASE_FETCH:
        return start_head(git, err);
    case PHASE_HEAD:
        return take_head(git, err);
    case PHASE_ANCESTRY:
        return start_walk(git, err);
    case PHASE_WALK:
        return take_walk(git, err);
    case PHASE_LOG:
        return take_log(git, true, err);
    case PHASE_SIZES:
        return start_contents(git, err);
    case PHASE_CONTENTS:
        git->phase = PHASE_DECLARE;
        return true;
    case PHASE_TIDY:
        complete(git);
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
    drop_reading(git);
    return start_head(git, err);
}

// Reads a piece. A log that is full is not read to its end: the next batch begins behind it.
static bool read_process(struct git_source *git, struct error *err)
{
    bool ended = false;
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
    git_process_free(git->process);
    git->process = NULL;
    return take_log(git, false, err);
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
    drop_reading(git);
    git->now = git->committed;
    git->phase = PHASE_IDLE;
    git->due_ms = monotonic_ms() + (wait_ms < BACKOFF_MAX_MS ? wait_ms : BACKOFF_MAX_MS);
    if (!git->options.once)
        return true;
    return fail(err, REACT_STOP, "git %s: %.400s", git_repository_name(git->repository),
                git->trouble);
}

// ---- telling ----

static bool declare(struct git_source *git, struct outbox *outbox, struct error *err)
{
    struct git_declaration declaration = declaration_of(git);
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
    bool well = git->phase == PHASE_IDLE ? monotonic_ms() < git->due_ms || begin_reading(git, err)
                                         : read_process(git, err);
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
        well = start_batch(git, &err);
    } else if (git_repository_is_mirror(git->repository)) {
        drop_reading(git);
        git->phase = PHASE_TIDY;
        well = git_repository_tidy(git->repository, &git->process, &err);
    } else {
        complete(git);
    }
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
    drop_reading(git);
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
