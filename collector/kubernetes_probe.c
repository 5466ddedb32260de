// Proof that a quiet watch is not deaf. A server sends no bookmark while its cache has seen nothing
// newer than where the watch began, so after a minute of silence the current resourceVersion is
// asked for: when it has not moved, nothing has happened anywhere; when it has and the watch stays
// silent, a list has to tell. The question also makes newer servers bring their bookmarks up to
// date.

#include <stdlib.h>

#include "collector/clock.h"
#include "collector/kubernetes_stream.h"
#include "collector/list_splitter.h"
#include "common/text.h"
#include "common/timestamp.h"

// Of the one object in the answer nothing is kept, but metadata must fit.
#define KEPT_BYTES 4096
#define ANSWER_MAX_BYTES (2 * (uint64_t)OBJECT_MAX_BYTES)
// Scopes of more pages than this are not listed for a proof more often than every so many silences.
#define CHEAP_PAGES 2
#define DEAR_TURNS 10

struct probe {
    struct http_transfer *transfer;
    struct list_splitter *splitter;
    int64_t sent_at;
};

static void free_probe(struct stream *stream)
{
    if (stream->probe == NULL)
        return;
    list_splitter_free(stream->probe->splitter);
    free(stream->probe);
    stream->probe = NULL;
}

void probe_clock_set(struct stream *stream, int64_t by_us)
{
    if (stream->probe != NULL)
        stream->probe->sent_at += by_us;
}

void probe_cancel(struct stream *stream)
{
    if (stream->probe != NULL)
        http_cancel(stream->probe->transfer);
    free_probe(stream);
}

static size_t on_body(void *context, const char *bytes, size_t length)
{
    struct stream *stream = context;
    struct error err;
    for (size_t at = 0; at < length;) {
        size_t used;
        if (list_splitter_feed(stream->probe->splitter, bytes + at, length - at, &used, &err) ==
            SPLIT_BAD)
            return HTTP_ABORT;
        at += used;
    }
    return length;
}

// True when a list of the scope is too much to ask for only to learn that nothing happened.
static bool is_dear(const struct stream *stream)
{
    return (int64_t)stream->listed_count > CHEAP_PAGES * stream->kubernetes->options.page_size;
}

// The server is further than the watch has told: wait once for a bookmark, then list.
static void doubt(struct stream *stream, int64_t now_ms)
{
    const struct kubernetes_options *options = &stream->kubernetes->options;
    if (!stream->doubted) {
        stream->doubted = true;
        return;
    }
    if (!is_dear(stream) || now_ms - stream->listed_ms >= DEAR_TURNS * options->look_again_ms)
        stream->relist_at_ms = now_ms;
}

static void take_answer(struct stream *stream, int64_t rv, int64_t sent_at)
{
    struct kubernetes *kubernetes = stream->kubernetes;
    int64_t now_ms = monotonic_ms();
    stream->alive_ms = now_ms; // of the next question
    if (stream->watch == NULL || stream->list != NULL)
        return; // something better is under way
    if (rv < stream->next_rv) {
        watch_cancel(stream);
        stream_tainted(stream);
    } else if (rv > stream->next_rv) {
        doubt(stream, now_ms);
    } else {
        struct record *record = record_push(&kubernetes->queue, RECORD_BOOKMARK, stream, NULL, 0);
        record->position = rv;
        record->at = sent_at;
        stream->doubted = false;
    }
}

static void on_done(void *context, const struct http_result *result)
{
    struct stream *stream = context;
    struct error err;
    SCOPED(xfree_char) char *version = NULL;
    SCOPED(xfree_char) char *token = NULL;
    int64_t rv = 0;
    int64_t sent_at = stream->probe->sent_at;
    bool read = result->status == 200 && result->complete &&
                list_splitter_finish(stream->probe->splitter, &version, &token, &err) &&
                text_to_int64(version, &rv);
    free_probe(stream);
    if (read)
        take_answer(stream, rv, sent_at);
    else
        stream_trouble(stream, "probe", result);
}

void probe_begin(struct stream *stream)
{
    static const struct http_handler handler = {.body = on_body, .done = on_done};
    SCOPED_BUFFER path = {0};
    stream_path(stream, &path);
    // Servers keep back what a list with a limit could teach their cache; one that selects nothing
    // is short as well, and its bookmarks follow. Older servers read the whole kind for it.
    bool dear = stream->doubted && is_dear(stream);
    buffer_append_text(&path, dear ? "?labelSelector=modeltrail.io%2Fprobe%3Dnone" : "?limit=1");
    stream->probe = xcalloc(1, sizeof(*stream->probe));
    stream->probe->splitter = list_splitter_new(KEPT_BYTES);
    stream->probe->sent_at = clock_now();
    struct http_request request = {
        .path = path.data,
        .gzip = true,
        .max_body_bytes = ANSWER_MAX_BYTES,
        .handler = &handler,
        .context = stream,
    };
    stream->probe->transfer = http_get(stream->kubernetes->http, &request);
}
