// One watch connection: lines are framed by their newline, sorted by type, and queued. It ends by
// itself when the server says so, when it outlives its time, or when a line cannot be trusted.

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "collector/clock.h"
#include "collector/kubernetes_stream.h"
#include "collector/watch_line.h"
#include "common/json.h"
#include "common/log.h"
#include "common/timestamp.h"

// An object with its envelope; what is longer is no object that an API server stores.
#define LINE_MAX_BYTES (OBJECT_MAX_BYTES + 64 * 1024)
#define STATUS_DEPTH 16
// A server that ends watches faster than this is not asked again at once.
#define SHORT_WATCH_MS 1000
#define HEAD_TIMEOUT_MS 30000
#define BAD_LINES_MAX 10

struct watch_job {
    struct http_transfer *transfer;
    struct buffer line; // the beginning of a line whose end has not come
    int64_t started_ms;
    int64_t deadline_ms;
    bool spoke;         // at least one good line came
    unsigned bad_lines; // before the first good one
    bool superseded;    // a list has to come first: the end of the transfer means nothing more
    char problem[200];
};

static void free_job(struct stream *stream)
{
    if (stream->watch == NULL)
        return;
    buffer_reset(&stream->watch->line);
    free(stream->watch);
    stream->watch = NULL;
}

void watch_cancel(struct stream *stream)
{
    if (stream->watch != NULL)
        http_cancel(stream->watch->transfer);
    free_job(stream);
}

bool watch_is_open(const struct stream *stream)
{
    return stream->watch != NULL && http_status(stream->watch->transfer) == 200;
}

// The answer's first line comes at once; after it the server may be silent until its timeout.
int64_t watch_deadline_ms(const struct stream *stream)
{
    const struct watch_job *job = stream->watch;
    if (job == NULL)
        return INT64_MAX;
    int64_t head_ms = job->started_ms + HEAD_TIMEOUT_MS;
    return http_status(job->transfer) == 0 && head_ms < job->deadline_ms ? head_ms
                                                                         : job->deadline_ms;
}

void watch_check(struct stream *stream, int64_t now_ms)
{
    if (stream->watch == NULL || now_ms < watch_deadline_ms(stream))
        return;
    if (http_is_paused(stream->watch->transfer)) { // the delay is ours
        stream->watch->deadline_ms = now_ms + stream->kubernetes->options.watch_grace_ms;
        return;
    }
    struct http_result silent = {.problem = "silent beyond its own timeout, given up", .body = ""};
    watch_cancel(stream);
    stream_trouble(stream, "watch", &silent);
}

// Notes how far the stream is. A watch tells its events in the order of their resourceVersions, and
// so never one from before the place where it was asked to begin: false when it does.
static bool move_on(struct stream *stream, int64_t position)
{
    if (position < stream->next_rv) {
        stream_tainted(stream);
        stream->watch->superseded = true;
        return false;
    }
    stream->next_rv = position;
    if (position > stream->top_rv)
        stream->top_rv = position;
    if (position > stream->kubernetes->newest_rv)
        stream->kubernetes->newest_rv = position;
    stream->watch->spoke = true;
    stream->alive_ms = monotonic_ms();
    stream->doubted = false;
    stream_recovered(stream);
    return true;
}

// A bookmark carries no state, only the server's word that nothing before it is missing.
static bool take_bookmark(struct stream *stream, const struct watch_line *line)
{
    struct error err;
    struct object_head head;
    if (!object_head_read(line->object, line->object_length, &head, &err) || head.position == 0) {
        stream_reject(stream, line->object, line->object_length,
                      "bookmark without resourceVersion");
        return true;
    }
    if (!move_on(stream, head.position))
        return false;
    struct record *record =
        record_push(&stream->kubernetes->queue, RECORD_BOOKMARK, stream, NULL, 0);
    record->position = head.position;
    return true;
}

// An error event ends the watch, whatever its code; only 410 says that our place is lost.
static bool take_error(struct stream *stream, const struct watch_line *line)
{
    struct error err;
    SCOPED(cJSON_Delete)
    cJSON *status = json_parse(line->object, line->object_length, STATUS_DEPTH, &err);
    int64_t code = 0;
    const char *message = json_text(status, "message");
    if (json_int64(status, "code", &code) && code == 410) {
        stream_lost(stream, "history expired (410)");
        stream->watch->superseded = true;
        return false;
    }
    snprintf(stream->watch->problem, sizeof(stream->watch->problem), "error event %" PRId64 ": %s",
             code, message != NULL ? message : "");
    return false;
}

static bool take_object(struct stream *stream, const struct watch_line *line)
{
    struct object_head head;
    if (!stream_read_head(stream, line->object, line->object_length, &head))
        return true;
    if (head.position > 0 && !move_on(stream, head.position))
        return false;
    stream_push_object(stream, RECORD_WATCHED_OBJECT, &head, line->object, line->object_length,
                       clock_now(), line->type == WATCH_DELETED);
    return true;
}

// A line that cannot be read does not stop those behind it; but what never has a good line is no
// watch (a proxy's page, perhaps), and each of its lines would become an event. The next one would
// begin at the same place and meet the same lines, so a list has to come before it.
static bool may_go_on(struct stream *stream)
{
    struct watch_job *job = stream->watch;
    if (job->spoke || ++job->bad_lines < BAD_LINES_MAX)
        return true;
    stream_lost(stream, "answer is no watch");
    job->superseded = true;
    return false;
}

// When a list may follow a watch that was none: at once, but then only now and then.
static int64_t next_try_ms(struct stream *stream, bool was_none)
{
    int64_t now_ms = monotonic_ms();
    int64_t listed_ago_ms = now_ms - stream->listed_ms;
    int64_t rest_ms = stream->kubernetes->options.look_again_ms - listed_ago_ms;
    int64_t wait_ms = backoff_next_ms(&stream->backoff);
    return now_ms + (was_none && rest_ms > wait_ms ? rest_ms : wait_ms);
}

// Takes one line without its newline; false when the watch is to end.
static bool take_line(struct stream *stream, const char *bytes, size_t length)
{
    struct watch_line line;
    struct error err;
    if (length == 0)
        return true;
    if (!watch_line_parse(bytes, length, &line, &err)) {
        stream_reject(stream, bytes, length, err.text);
        return may_go_on(stream);
    }
    if (line.type == WATCH_BOOKMARK)
        return take_bookmark(stream, &line);
    if (line.type == WATCH_ERROR)
        return take_error(stream, &line);
    return take_object(stream, &line);
}

// Takes a piece of the stream up to its newline or end; *used tells how much.
static bool take_piece(struct stream *stream, const char *bytes, size_t length, size_t *used)
{
    struct buffer *line = &stream->watch->line;
    const char *end = memchr(bytes, '\n', length);
    size_t size = end != NULL ? (size_t)(end - bytes) : length;
    *used = end != NULL ? size + 1 : size;
    if (end != NULL && line->length == 0)
        return take_line(stream, bytes, size);
    buffer_append(line, bytes, size);
    if (line->length > LINE_MAX_BYTES) {
        stream_reject(stream, line->data, line->length, "watch line is too long");
        stream_lost(stream, "a watch line was too long");
        stream->watch->superseded = true;
        return false;
    }
    if (end == NULL)
        return true;
    bool going = take_line(stream, line->data, line->length);
    buffer_clear(line);
    return going;
}

// Stops taking when the queue is full: the rest stays in the socket, and the server waits.
static size_t on_body(void *context, const char *bytes, size_t length)
{
    struct stream *stream = context;
    size_t at = 0;
    while (at < length && !record_queue_is_full(&stream->kubernetes->queue)) {
        size_t used;
        if (!take_piece(stream, bytes + at, length - at, &used))
            return HTTP_ABORT;
        at += used;
    }
    return at;
}

// A watch has four ends: we gave it up, since a list takes its place; the server has forgotten our
// place; it ended as agreed, at its timeout; or it broke, and the same place is asked for again.
static void on_done(void *context, const struct http_result *result)
{
    struct stream *stream = context;
    struct watch_job job = *stream->watch;
    free_job(stream);
    if (job.superseded) {
        if (!job.spoke) // list, 410, list, 410 ... must not become a hot loop
            stream->wait_until_ms = next_try_ms(stream, job.bad_lines >= BAD_LINES_MAX);
        return;
    }
    if (result->status == 410 || result->status == 400) { // 400: it cannot read our place
        stream_lost(stream,
                    result->status == 410 ? "history expired (410)" : "watch refused (400)");
        stream->wait_until_ms = monotonic_ms() + backoff_next_ms(&stream->backoff);
        return;
    }
    // A watch ends by itself at its timeout; that says nothing about the scope.
    bool ended_well = result->status == 200 && result->complete && job.problem[0] == '\0';
    if (ended_well && (job.spoke || monotonic_ms() - job.started_ms >= SHORT_WATCH_MS))
        return; // the next one starts at once
    struct http_result trouble = *result;
    if (job.problem[0] != '\0')
        trouble.problem = job.problem;
    else if (ended_well)
        trouble.problem = "ended at once";
    stream_trouble(stream, "watch", &trouble);
}

// The timeout is drawn anew each time, so that watches of many collectors do not end together.
void watch_begin(struct stream *stream, int64_t now_ms)
{
    static const struct http_handler handler = {.body = on_body, .done = on_done};
    const struct kubernetes_options *options = &stream->kubernetes->options;
    int64_t timeout_s = backoff_random(options->watch_min_s, options->watch_max_s);
    SCOPED_BUFFER path = {0};
    stream_path(stream, &path);
    buffer_printf(&path,
                  "?watch=1&allowWatchBookmarks=true&timeoutSeconds=%" PRId64
                  "&resourceVersion=%" PRId64,
                  timeout_s, stream->next_rv);
    stream->watch = xcalloc(1, sizeof(*stream->watch));
    stream->watch->started_ms = now_ms;
    stream->watch->deadline_ms = now_ms + timeout_s * 1000 + options->watch_grace_ms;
    struct http_request request = {
        .path = path.data, .quiet = true, .handler = &handler, .context = stream};
    stream->watch->transfer = http_get(stream->kubernetes->http, &request);
}
