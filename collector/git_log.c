// Reads texts that end with NUL, which no field and no path can contain, by their number: so what
// a commit says can never be taken for another field, path or commit.

#include "collector/git_log.h"

#include <stdlib.h>
#include <string.h>

#define MARK '\x01' // begins a commit, where a changed path would begin with ':'

struct git_log {
    struct git_commit *commits;
    size_t count;
    size_t capacity;
    size_t bytes;
    struct buffer text; // the one that is being read
    size_t field;       // of the commit that is being read; GIT_FIELDS behind them
    bool in_path;       // the next text is the path of the last change
    struct git_change change;
};

struct git_log *git_log_new(void)
{
    struct git_log *log = xcalloc(1, sizeof(*log));
    log->field = GIT_FIELDS;
    return log;
}

static void reset_commit(struct git_commit *commit)
{
    for (size_t i = 0; i < GIT_FIELDS; i++)
        free(commit->fields[i]);
    for (size_t i = 0; i < commit->change_count; i++)
        free(commit->changes[i].path);
    free(commit->changes);
}

void git_log_free(struct git_log *log)
{
    if (log == NULL)
        return;
    for (size_t i = 0; i < log->count; i++)
        reset_commit(&log->commits[i]);
    free(log->commits);
    buffer_reset(&log->text);
    free(log);
}

// %x01 and a text for each of enum git_field, each ended by NUL.
// %G? runs gpg or ssh-keygen for each commit: it is asked for only where there is a trust root,
// without which its answer would mean nothing.
#define FORMAT(letter, signer)                                                                     \
    "--format=%x01%H%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00" letter "%x00" signer     \
    "%x00%s%x00%(trailers:only=yes,unfold=yes,separator=%x0a)%x00"
// no-walk: these commits and no others, in the order of the input. Against the first parent a merge
// shows what it brought to the branch. Renames are off: looking for them costs, and an object is
// known by its name, not by its file.
#define LOG_ARGUMENTS(format)                                                                      \
    {                                                                                              \
        "log", "--no-walk=unsorted", "--stdin", "-z", "--raw", "--no-abbrev", "--no-renames",      \
            "--diff-merges=first-parent", "--no-ext-diff", "--no-textconv", "--no-mailmap",        \
            "--no-show-signature", "--no-notes", "--no-color", "--no-decorate",                    \
            "--encoding=UTF-8", "--ignore-submodules=none", format, NULL                           \
    }

const char *const *git_log_arguments(bool verify)
{
    static const char *const plain[] = LOG_ARGUMENTS(FORMAT("", ""));
    static const char *const verifying[] = LOG_ARGUMENTS(FORMAT("%G?", "%GS"));
    return verify ? verifying : plain;
}

static struct git_commit *begin_commit(struct git_log *log)
{
    log->commits = xgrow(log->commits, &log->capacity, log->count + 1, sizeof(*log->commits));
    log->commits[log->count] = (struct git_commit){0};
    log->field = 0;
    return &log->commits[log->count++];
}

static bool take_field(struct git_log *log, const char *text, struct error *err)
{
    struct git_commit *commit = &log->commits[log->count - 1];
    if (log->field == GIT_FIELD_ID && !git_is_object_id(text, strlen(text)))
        return fail(err, REACT_REJECT, "git told a commit without a name");
    commit->fields[log->field++] = xstrdup(text);
    return true;
}

// An id of zeros is none.
static void copy_id(const char *text, size_t length, char id[GIT_ID_BYTES])
{
    id[0] = '\0';
    if (!git_is_object_id(text, length) || strspn(text, "0") >= length)
        return;
    memcpy(id, text, length);
    id[length] = '\0';
}

// :MODE MODE BEFORE AFTER KIND
static bool take_raw(struct git_log *log, const char *text, struct error *err)
{
    size_t lengths[5];
    const char *words[5];
    const char *at = text + 1;
    for (size_t i = 0; i < 5; i++) {
        words[i] = at;
        lengths[i] = strcspn(at, " ");
        at += lengths[i] + (at[lengths[i]] == ' ');
    }
    if (lengths[2] == 0 || lengths[2] != lengths[3] || lengths[4] == 0)
        return fail(err, REACT_REJECT, "git told a changed path that cannot be read");
    log->change = (struct git_change){.kind = words[4][0]};
    copy_id(words[2], lengths[2], log->change.before);
    copy_id(words[3], lengths[3], log->change.after);
    log->in_path = true;
    return true;
}

// Only files are blobs: submodules and such are touched, and have no content here.
static void take_path(struct git_log *log, const char *path)
{
    struct git_commit *commit = &log->commits[log->count - 1];
    size_t length = strlen(path);
    log->in_path = false;
    if (commit->change_count >= GIT_LOG_MAX_PATHS ||
        commit->path_bytes + length > GIT_LOG_MAX_PATH_BYTES) {
        commit->omitted++;
        return;
    }
    commit->path_bytes += length;
    commit->changes = xgrow(commit->changes, &commit->change_capacity, commit->change_count + 1,
                            sizeof(*commit->changes));
    log->change.path = xstrdup(path);
    commit->changes[commit->change_count++] = log->change;
}

static bool take_text(struct git_log *log, struct error *err)
{
    const char *text = log->text.length > 0 ? log->text.data : "";
    log->bytes += log->text.length + sizeof(struct git_change);
    if (log->field < GIT_FIELDS)
        return take_field(log, text, err);
    if (log->in_path) {
        take_path(log, text);
        return true;
    }
    text += text[0] == '\n'; // between a commit and its first path
    if (text[0] == '\0')
        return true; // a commit that changes nothing
    if (text[0] == ':' && log->count > 0)
        return take_raw(log, text, err);
    if (text[0] != MARK)
        return fail(err, REACT_REJECT, "git told something else than commits");
    begin_commit(log);
    return take_field(log, text + 1, err);
}

bool git_log_take(struct git_log *log, const char *bytes, size_t length, struct error *err)
{
    while (length > 0) {
        const char *end = memchr(bytes, '\0', length);
        size_t piece = end != NULL ? (size_t)(end - bytes) : length;
        // A path that is cut would be another one's name: as long as git's own limit it is whole.
        size_t room = GIT_FIELD_MAX - log->text.length;
        if (piece > 0)
            buffer_append(&log->text, bytes, piece < room ? piece : room);
        if (end == NULL)
            return true;
        if (!take_text(log, err))
            return false;
        buffer_clear(&log->text);
        bytes += piece + 1;
        length -= piece + 1;
    }
    return true;
}

bool git_log_is_full(const struct git_log *log)
{
    return log->bytes > GIT_LOG_MAX_BYTES && log->count > 1;
}

struct git_commit *git_log_commits(struct git_log *log, bool all, size_t *count)
{
    *count = all || log->count == 0 ? log->count : log->count - 1;
    return log->commits;
}
