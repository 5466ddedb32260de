// What one stream does next, and how it meets trouble. Lists and watches themselves are in
// kubernetes_list.c and kubernetes_watch.c.

#include "collector/kubernetes_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "common/text.h"
#include "common/timestamp.h"

// Lists are what costs memory and the API server's time; watches cost neither.
#define LISTS_AT_ONCE 3
// A server that asks for more patience than this is asked again all the same.
#define STATUS_DEPTH 16
// While nothing can be concluded, a list that is clean is looked for every so many look_again_ms.
#define TAINTED_RELIST_TURNS 5
// A refusal that goes on for this part of look_again_ms is meant (10 s by default).
#define REFUSAL_LASTS 6
// Between looks for a free place to list.
#define LIST_PLACE_MS 200

struct stream *stream_new(struct kubernetes *kubernetes, const struct kind *kind,
                          const char *namespace)
{
    struct stream *stream = xcalloc(1, sizeof(*stream));
    stream->kubernetes = kubernetes;
    stream->kind = kind;
    stream->namespace = namespace;
    stream->resource =
        kind != NULL ? xasprintf("%s.%s", kind->resource, kind->group) : xstrdup("namespaces");
    stream->known_scope = xasprintf("kubernetes/%s/%s/%s", kubernetes->options.cluster,
                                    stream->resource, namespace != NULL ? namespace : "");
    stream->cursor_key = xstrdup(stream->known_scope);
    stream->version = kind == NULL ? "v1" : NULL;
    stream_mark_init(&stream->mark);
    stream->staged = stream->mark;
    return stream;
}

void stream_free(struct stream *stream)
{
    if (stream == NULL)
        return;
    list_cancel(stream);
    watch_cancel(stream);
    probe_cancel(stream);
    free(stream->resource);
    free(stream->known_scope);
    free(stream->cursor_key);
    free(stream);
}

struct scope stream_scope(const struct stream *stream)
{
    return (struct scope){
        .resource = stream->resource,
        .kind = stream->kind != NULL ? stream->kind->kind : "Namespace",
        .namespace = stream->namespace,
    };
}

bool stream_load(struct stream *stream, struct outbox *outbox, struct error *err)
{
    if (stream->loaded)
        return true;
    SCOPED(xfree_char) char *text = NULL;
    if (!outbox_get_cursor(outbox, stream->cursor_key, &text, err))
        return false;
    if (text != NULL && stream_mark_read(text, &stream->mark)) {
        stream->staged = stream->mark;
        stream->next_rv = stream->mark.rv;
        stream->top_rv = stream->mark.high_rv;
        // Objects whose positions are known were read by another extractor: send them again.
        bool reread = stream->kind != NULL && stream->kind->extractor != stream->mark.extractor;
        const struct kubernetes_options *options = &stream->kubernetes->options;
        stream->relist_at_ms = reread ? 0
                                      : monotonic_ms() + backoff_random(options->relist_min_ms,
                                                                        options->relist_max_ms);
    }
    stream->alive_ms = monotonic_ms(); // a resumed watch is given time to speak
    stream->loaded = true;
    return true;
}

void stream_clock_set(struct stream *stream, int64_t by_us)
{
    stream_mark_clock_set(&stream->mark, by_us);
    stream->staged = stream->mark;
    list_clock_set(stream, by_us);
    probe_clock_set(stream, by_us);
}

// A scope in which nothing was ever seen has none: it is listed anew.
bool stream_save(const struct stream *stream, struct outbox *outbox, struct error *err)
{
    SCOPED_BUFFER text = {0};
    if (stream->mark.high_rv == 0)
        return true;
    stream_mark_write(&stream->mark, &text);
    return outbox_set_cursor(outbox, stream->cursor_key, text.data, err);
}

// The core group has a path of its own; all other groups follow one pattern. In namespaced mode no
// path ever leaves the namespace, so that a Role is enough.
void stream_path(const struct stream *stream, struct buffer *out)
{
    if (stream->kind == NULL) {
        buffer_append_text(out, "/api/v1/namespaces");
        return;
    }
    buffer_printf(out, "/apis/%s/%s/", stream->kind->group, stream->version);
    if (stream->namespace != NULL)
        buffer_printf(out, "namespaces/%s/", stream->namespace);
    buffer_append_text(out, stream->kind->resource);
}

// Logs trouble when it is other trouble than before.
static void note_trouble(struct stream *stream, const char *text)
{
    if (strncmp(stream->trouble, text, sizeof(stream->trouble) - 1) == 0)
        return;
    snprintf(stream->trouble, sizeof(stream->trouble), "%s", text);
    log_line(LOG_WARN, "kubernetes scope in trouble", "resource", stream->resource, "namespace",
             stream->namespace != NULL ? stream->namespace : "*", "reason", text, NULL);
}

void stream_recovered(struct stream *stream)
{
    backoff_reset(&stream->backoff);
    stream->refused_once = false;
    stream->refused_since_ms = 0;
    if (stream->trouble[0] == '\0')
        return;
    stream->trouble[0] = '\0';
    log_line(LOG_INFO, "kubernetes scope recovered", "resource", stream->resource, "namespace",
             stream->namespace != NULL ? stream->namespace : "*", NULL);
}

// What the API server says in a Status, else the transport's problem, else the code.
static void describe(const char *doing, const struct http_result *result, char *text, size_t size)
{
    struct error ignored;
    SCOPED(cJSON_Delete)
    cJSON *status = result->body_length > 0
                        ? json_parse(result->body, result->body_length, STATUS_DEPTH, &ignored)
                        : NULL;
    const char *message = json_text(status, "message");
    if (message == NULL)
        message = result->problem;
    snprintf(text, size, "%s: HTTP %ld%s%s", doing, result->status, message[0] ? ": " : "",
             message);
    // It becomes part of an event, and may have been cut within a character.
    size_t length = strlen(text);
    while (!text_is_utf8(text, length))
        text[--length] = '\0';
}

// The server's own wish wins over our back-off.
static int64_t wait_for(struct stream *stream, const struct http_result *result)
{
    int64_t wait_ms = backoff_next_ms(&stream->backoff);
    return result->retry_after_s > 0 ? backoff_asked_ms(result->retry_after_s) : wait_ms;
}

// The scope is not covered: what runs is ended, and the first success has to be a list.
static void give_up_scope(struct stream *stream, const char *reason)
{
    struct record *record =
        record_push(&stream->kubernetes->queue, RECORD_REFUSED, stream, NULL, 0);
    record->text = xstrdup(reason);
    watch_cancel(stream);
    list_cancel(stream);
    probe_cancel(stream);
    stream->next_rv = 0;
}

// 403. An API server that has just started refuses everybody until it knows its roles, so a refusal
// counts only when it lasts.
static void refused(struct stream *stream, const char *reason)
{
    int64_t now_ms = monotonic_ms();
    if (stream->refused_since_ms == 0)
        stream->refused_since_ms = now_ms;
    int64_t lasting_ms = stream->kubernetes->options.look_again_ms / REFUSAL_LASTS;
    if (now_ms - stream->refused_since_ms >= lasting_ms)
        give_up_scope(stream, reason);
}

void stream_trouble(struct stream *stream, const char *doing, const struct http_result *result)
{
    char text[MARK_REASON_BYTES];
    describe(doing, result, text, sizeof(text));
    int64_t wait_ms = wait_for(stream, result);
    // Nothing is lost yet: the watch will go on at the same resourceVersion if history allows.
    if (result->status == 401) {
        kubeconfig_token_refused(stream->kubernetes->config);
        if (!stream->refused_once) { // perhaps it was rotated: try the new one at once
            stream->refused_once = true;
            return;
        }
    }
    note_trouble(stream, text);
    stream->wait_until_ms = monotonic_ms() + wait_ms;
    if (result->status == 403)
        refused(stream, text);
    // The kind, or this version of it, is gone: discovery has to say which.
    if (result->status == 404 && stream->kind != NULL)
        stream->look_again = true;
}

void stream_lost(struct stream *stream, const char *reason)
{
    struct record *record = record_push(&stream->kubernetes->queue, RECORD_LOST, stream, NULL, 0);
    record->text = xstrdup(reason);
    stream->next_rv = 0;
    log_line(LOG_WARN, "kubernetes history did not suffice, listing anew", "resource",
             stream->resource, "namespace", stream->namespace != NULL ? stream->namespace : "*",
             "reason", reason, NULL);
}

void stream_tainted(struct stream *stream)
{
    record_push(&stream->kubernetes->queue, RECORD_TAINTED, stream, NULL, 0);
    stream->next_rv = 0;
    log_line(LOG_ERROR, "a resourceVersion went back; was etcd restored?", "resource",
             stream->resource, "namespace", stream->namespace != NULL ? stream->namespace : "*",
             NULL);
}

void stream_resolve(struct stream *stream, const char *version)
{
    stream->look_again = false;
    if (version == NULL) {
        watch_cancel(stream);
        list_cancel(stream);
        probe_cancel(stream);
        stream->next_rv = 0;
        record_push(&stream->kubernetes->queue, RECORD_ABSENT, stream, NULL, 0);
    } else {
        stream->emptying = false;
    }
    stream->version = version;
}

// An absent kind that was once seen: any later resourceVersion of this cluster closes what it left.
static void empty_absent(struct stream *stream)
{
    struct kubernetes *kubernetes = stream->kubernetes;
    const struct stream_mark *mark = &stream->mark;
    bool due = mark->absent && mark->high_rv != 0 && mark->rv == 0 && !stream->emptying;
    if (!due || kubernetes->newest_rv <= mark->high_rv)
        return;
    stream->emptying = true;
    stream->top_rv = 0;
    struct record *record = record_push(&kubernetes->queue, RECORD_EMPTIED, stream, NULL, 0);
    record->position = kubernetes->newest_rv;
}

// Now and then coverage becomes a fact in the log, so that it outlives this collector.
static void run_watched(struct stream *stream, int64_t now_ms)
{
    if (stream->mark.since == TIMESTAMP_NONE || now_ms < stream->watched_at_ms)
        return;
    stream->watched_at_ms = now_ms + stream->kubernetes->options.watched_ms;
    record_push(&stream->kubernetes->queue, RECORD_WATCHED, stream, NULL, 0);
}

// When a watch that says nothing is to be doubted.
static int64_t probe_at_ms(const struct stream *stream)
{
    bool quiet = stream->probe == NULL && stream->list == NULL && watch_is_open(stream);
    return quiet ? stream->alive_ms + stream->kubernetes->options.look_again_ms : INT64_MAX;
}

// Starts requests that are due and possible.
static void run_requests(struct stream *stream, int64_t now_ms)
{
    if (stream->list == NULL && (stream->next_rv == 0 || now_ms >= stream->relist_at_ms))
        list_begin(stream);
    if (stream->list != NULL && list_is_waiting(stream) &&
        stream->kubernetes->lists_running < LISTS_AT_ONCE)
        list_run(stream);
    if (stream->watch == NULL && stream->next_rv != 0)
        watch_begin(stream, now_ms);
    if (now_ms >= probe_at_ms(stream))
        probe_begin(stream);
}

static int64_t earlier(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

// When stream_run has something to do without anything arriving; INT64_MAX = never.
static int64_t next_due_ms(const struct stream *stream, int64_t now_ms)
{
    bool synced = stream->mark.since != TIMESTAMP_NONE;
    int64_t due_ms = synced ? stream->watched_at_ms : INT64_MAX;
    if (stream->version == NULL || stream->look_again)
        return due_ms;
    due_ms = earlier(due_ms, watch_deadline_ms(stream));
    if (now_ms < stream->wait_until_ms)
        return earlier(due_ms, stream->wait_until_ms);
    due_ms = earlier(due_ms, probe_at_ms(stream));
    if (stream->list != NULL) // it runs, or waits for a place
        return list_is_waiting(stream) ? earlier(due_ms, now_ms + LIST_PLACE_MS) : due_ms;
    int64_t list_ms = stream->next_rv == 0 ? now_ms : stream->relist_at_ms;
    return earlier(due_ms, list_ms > now_ms ? list_ms : now_ms + LIST_PLACE_MS);
}

int64_t stream_run(struct stream *stream, int64_t now_ms)
{
    // Only a clean list ends a taint, so it is looked for more often than a reconcile is due.
    if (stream->mark.tainted && stream->list == NULL) {
        int64_t again_ms = TAINTED_RELIST_TURNS * stream->kubernetes->options.look_again_ms;
        stream->relist_at_ms = earlier(stream->relist_at_ms, now_ms + again_ms);
    }
    watch_check(stream, now_ms);
    run_watched(stream, now_ms);
    if (stream->version == NULL)
        empty_absent(stream);
    else if (!stream->look_again && now_ms >= stream->wait_until_ms)
        run_requests(stream, now_ms);
    int64_t due_ms = earlier(next_due_ms(stream, now_ms), list_check(stream, now_ms));
    if (due_ms == INT64_MAX)
        return -1;
    return due_ms > now_ms ? due_ms - now_ms : 0;
}

void stream_reject(struct stream *stream, const char *bytes, size_t length, const char *reason)
{
    struct record *record =
        record_push(&stream->kubernetes->queue, RECORD_REJECTED, stream, bytes, length);
    record->text = xstrdup(reason);
}

bool stream_read_head(struct stream *stream, const char *bytes, size_t length,
                      struct object_head *head)
{
    struct error err;
    if (!object_head_read(bytes, length, head, &err)) {
        stream_reject(stream, bytes, length, err.text);
        return false;
    }
    if (stream->namespace == NULL || strcmp(head->namespace, stream->namespace) == 0)
        return true;
    // The store refuses whole frames that speak of namespaces not ours.
    stream_reject(stream, bytes, length, "object of another namespace than the one asked for");
    return false;
}

void stream_push_object(struct stream *stream, enum record_kind kind,
                        const struct object_head *head, const char *bytes, size_t length,
                        int64_t at, bool removed)
{
    struct record *record = record_push(&stream->kubernetes->queue, kind, stream, bytes, length);
    record->at = at;
    record->removed = removed;
    record->position = head->position;
    memcpy(record->uid, head->uid, sizeof(record->uid));
}
