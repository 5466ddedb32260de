// The cursor of a git source as text. A walk from `done` to `target` is the same at any time, since
// both are commits: so a number says how much of it was told, through any kill.

#include "collector/git_progress.h"

#include <string.h>

#include "common/json.h"

void git_progress_finish(struct git_progress *progress)
{
    memcpy(progress->done, progress->target, GIT_ID_BYTES);
    progress->target[0] = '\0';
    progress->rewrote[0] = '\0';
    progress->sent = 0;
    progress->since = 0;
}

char *git_progress_print(const struct git_progress *progress)
{
    SCOPED(cJSON_Delete) cJSON *cursor = cJSON_CreateObject();
    json_add_text(cursor, "done", progress->done);
    json_add_text(cursor, "target", progress->target);
    json_add_text(cursor, "rewrote", progress->rewrote);
    json_add_int64(cursor, "sent", progress->sent);
    json_add_int64(cursor, "since", progress->since);
    return json_print(cursor);
}

// A name becomes an argument of git, so it must be one.
static bool read_id(const cJSON *cursor, const char *key, char id[GIT_ID_BYTES])
{
    const char *text = json_text(cursor, key);
    if (text == NULL || (text[0] != '\0' && !git_is_object_id(text, strlen(text))))
        return false;
    memcpy(id, text, strlen(text) + 1);
    return true;
}

bool git_progress_parse(const char *text, struct git_progress *out, struct error *err)
{
    struct git_progress read = {0};
    SCOPED(cJSON_Delete) cJSON *cursor = json_parse(text, strlen(text), 4, err);
    if (!read_id(cursor, "done", read.done) || !read_id(cursor, "target", read.target) ||
        !read_id(cursor, "rewrote", read.rewrote) || !json_int64(cursor, "sent", &read.sent) ||
        !json_int64(cursor, "since", &read.since) || read.sent < 0)
        return fail(err, REACT_STOP, "the spool's cursor of a git repository cannot be read");
    *out = read;
    return true;
}
