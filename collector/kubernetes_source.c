// The Kubernetes source: wires discovery, streams and the queue into the collector's loop. What is
// learned is in kubernetes_stream.c, what is told in kubernetes_record.c.

#include "collector/kubernetes_source.h"

#include <stdlib.h>
#include <string.h>

#include "collector/kubernetes_discovery.h"
#include "collector/kubernetes_namespace.h"
#include "collector/kubernetes_stream.h"
#include "collector/redact_message.h"
#include "common/json.h"
#include "common/log.h"
#include "common/timestamp.h"

// After a failed outbox the loop is asked to let some time pass.
#define FAILED_WAIT_MS 250
#define NAMESPACE_MAX 63

struct kubernetes_source {
    struct source source;
    struct kubernetes shared;
    struct discovery **discoveries;
    size_t discovery_count;
    struct namespace_poll **polls; // namespaced mode
    size_t poll_count;
    char **strings; // the copied options
    size_t string_count;
    size_t string_capacity;
    const char **namespaces;
    int64_t due_ms;   // of the next step
    int64_t retry_ms; // what is queued waits until then: the last outbox was rolled back
};

static struct kubernetes_source *of(struct source *source)
{
    return (struct kubernetes_source *)(void *)source;
}

static size_t source_descriptors(struct source *source, zmq_pollitem_t *items, size_t capacity)
{
    return http_descriptors(of(source)->shared.http, items, capacity);
}

static long source_timeout_ms(struct source *source)
{
    struct kubernetes_source *kubernetes = of(source);
    const struct record_queue *queue = &kubernetes->shared.queue;
    bool has_work = queue->first != NULL || http_has_paused(kubernetes->shared.http);
    int64_t due_ms = has_work ? kubernetes->retry_ms : kubernetes->due_ms;
    // HTTP has its own clock, which goes on while the outbox fails.
    long http_ms = http_timeout_ms(kubernetes->shared.http);
    if (due_ms == INT64_MAX)
        return http_ms;
    int64_t left = due_ms - monotonic_ms();
    if (left < 0)
        left = 0;
    return http_ms >= 0 && http_ms < left ? http_ms : (long)left;
}

static bool load_streams(struct kubernetes *shared, struct outbox *outbox, struct error *err)
{
    for (size_t i = 0; i < shared->stream_count; i++) {
        if (!stream_load(shared->streams[i], outbox, err))
            return false;
    }
    return true;
}

static void sooner(int64_t *due_ms, int64_t now_ms, int64_t in_ms)
{
    if (in_ms >= 0 && now_ms + in_ms < *due_ms)
        *due_ms = now_ms + in_ms;
}

// Starts whatever is due in discovery and streams.
// Streams depend on discovery's answers, so it goes first.
static void run_parts(struct kubernetes_source *kubernetes)
{
    int64_t now_ms = monotonic_ms();
    int64_t due_ms = INT64_MAX;
    for (size_t i = 0; i < kubernetes->discovery_count; i++)
        sooner(&due_ms, now_ms, discovery_run(kubernetes->discoveries[i], now_ms));
    for (size_t i = 0; i < kubernetes->poll_count; i++)
        sooner(&due_ms, now_ms, namespace_poll_run(kubernetes->polls[i], now_ms));
    for (size_t i = 0; i < kubernetes->shared.stream_count; i++)
        sooner(&due_ms, now_ms, stream_run(kubernetes->shared.streams[i], now_ms));
    kubernetes->due_ms = due_ms;
}

static void settle(struct kubernetes *shared, bool committed);

// Reads what arrived, starts what is due, and writes what is queued. Only the last part may fail,
// and then nothing of the first two is lost: it waits in the queue.
static bool source_step(struct source *source, const zmq_pollitem_t *ready, size_t count,
                        struct outbox *outbox, struct error *err)
{
    struct kubernetes_source *kubernetes = of(source);
    struct kubernetes *shared = &kubernetes->shared;
    settle(shared, false); // a step that failed may not have been settled
    if (!load_streams(shared, outbox, err))
        return false;
    http_step(shared->http, ready, count);
    if (!record_queue_is_full(&shared->queue))
        http_resume(shared->http);
    run_parts(kubernetes);
    return record_queue_write(&shared->queue, outbox, err);
}

// The marks follow what the outbox did: on, or back to where they were.
static void settle(struct kubernetes *shared, bool committed)
{
    struct record *record = shared->queue.first;
    for (size_t i = 0; record != NULL && i <= shared->queue.written; i++, record = record->next) {
        struct stream *stream = record->stream;
        if (committed)
            stream->mark = stream->staged;
        else
            stream->staged = stream->mark;
        stream->cursor_dirty = false;
    }
    record_queue_settle(&shared->queue, committed);
}

static void source_settled(struct source *source, bool committed)
{
    struct kubernetes_source *kubernetes = of(source);
    if (committed && kubernetes->shared.queue.written > 0)
        kubernetes->due_ms = 0; // streams may have something to do with their new marks
    settle(&kubernetes->shared, committed);
    kubernetes->retry_ms = committed ? 0 : monotonic_ms() + FAILED_WAIT_MS;
}

static bool source_clock_set(struct source *source, int64_t by_us, struct outbox *outbox,
                             struct error *err)
{
    struct kubernetes *shared = &of(source)->shared;
    settle(shared, false);
    if (!load_streams(shared, outbox, err))
        return false;
    record_queue_clock_set(&shared->queue, by_us);
    for (size_t i = 0; i < shared->stream_count; i++)
        stream_clock_set(shared->streams[i], by_us);
    for (size_t i = 0; i < shared->stream_count; i++) {
        if (!stream_save(shared->streams[i], outbox, err))
            return false;
    }
    return true;
}

// Why the scope is not looked at now; NULL while it is. Doubt is told when a second answer confirms
// it, which a list follows.
static const char *trouble_of(const struct stream *stream)
{
    if (stream->trouble[0] != '\0')
        return stream->trouble;
    return stream->doubted ? "the watch is silent, and the server is further" : NULL;
}

// An API server's own words may be part of it.
static void add_trouble(cJSON *look, const struct stream *stream)
{
    SCOPED_BUFFER clean = {0};
    const char *trouble = trouble_of(stream);
    if (trouble != NULL && redact_message(trouble, strlen(trouble), &clean))
        trouble = clean.data;
    if (trouble != NULL)
        json_add_text(look, "trouble", trouble);
}

// A scope that was never listed has no look: nothing is claimed for it.
static void add_look(cJSON *array, const struct stream *stream)
{
    const struct stream_mark *mark = &stream->mark;
    char since[TIMESTAMP_TEXT];
    char through[TIMESTAMP_TEXT];
    if (!stream_has_scope(stream) || mark->since == TIMESTAMP_NONE)
        return;
    timestamp_format(mark->since, since);
    timestamp_format(mark->through, through);
    cJSON *look = cJSON_CreateObject();
    json_add_text(look, "aspect", "state");
    json_add_text(look, "cluster", stream->kubernetes->options.cluster);
    json_add_text(look, "namespace", stream->namespace);
    json_add_text(look, "resource", stream->resource);
    json_add_text(look, "watched_since", since);
    json_add_text(look, "through", through);
    add_trouble(look, stream);
    cJSON_AddItemToArray(array, look);
}

static void source_looks(struct source *source, cJSON *array)
{
    const struct kubernetes *shared = &of(source)->shared;
    for (size_t i = 0; i < shared->stream_count; i++)
        add_look(array, shared->streams[i]);
}

static const char *discovery_in_trouble(const struct kubernetes_source *kubernetes)
{
    for (size_t i = 0; i < kubernetes->discovery_count; i++) {
        const char *trouble = discovery_trouble(kubernetes->discoveries[i]);
        if (trouble != NULL)
            return trouble;
    }
    return NULL;
}

// GitOps objects that may not be read are in the log: a cluster can be watched without them.
static const char *blocking_trouble_of(const struct stream *stream)
{
    bool is_extra = stream->kind != NULL && !stream_has_scope(stream);
    return is_extra ? NULL : trouble_of(stream);
}

// The first of it: when the server is away, it is the same everywhere.
static void source_trouble(const struct source *source, struct buffer *out)
{
    const struct kubernetes_source *kubernetes = (const struct kubernetes_source *)source;
    const struct kubernetes *shared = &kubernetes->shared;
    const char *trouble = discovery_in_trouble(kubernetes);
    if (trouble != NULL)
        buffer_append_text(out, "discovery: ");
    for (size_t i = 0; trouble == NULL && i < shared->stream_count; i++) {
        trouble = blocking_trouble_of(shared->streams[i]);
        if (trouble != NULL)
            buffer_printf(out, "%s: ", shared->streams[i]->resource);
    }
    if (trouble != NULL)
        buffer_append_text(out, trouble);
}

static bool source_is_finished(const struct source *source)
{
    (void)source;
    return false; // a cluster has no end
}

static void source_close(struct source *source)
{
    struct kubernetes_source *kubernetes = of(source);
    for (size_t i = 0; i < kubernetes->discovery_count; i++)
        discovery_free(kubernetes->discoveries[i]);
    for (size_t i = 0; i < kubernetes->poll_count; i++)
        namespace_poll_free(kubernetes->polls[i]);
    for (size_t i = 0; i < kubernetes->shared.stream_count; i++)
        stream_free(kubernetes->shared.streams[i]);
    http_client_close(kubernetes->shared.http);
    kubeconfig_free(kubernetes->shared.config);
    record_queue_reset(&kubernetes->shared.queue);
    for (size_t i = 0; i < kubernetes->string_count; i++)
        free(kubernetes->strings[i]);
    free(kubernetes->strings);
    free(kubernetes->namespaces);
    free(kubernetes->discoveries);
    free(kubernetes->polls);
    free(kubernetes->shared.streams);
    free(kubernetes);
}

static const struct source_class kubernetes_class = {
    .name = "kubernetes",
    .descriptors = source_descriptors,
    .timeout_ms = source_timeout_ms,
    .step = source_step,
    .settled = source_settled,
    .clock_set = source_clock_set,
    .looks = source_looks,
    .trouble = source_trouble,
    .is_finished = source_is_finished,
    .close = source_close,
};

// ---- opening ----

static const char *keep(struct kubernetes_source *kubernetes, const char *text)
{
    if (text == NULL)
        return NULL;
    kubernetes->strings = xgrow(kubernetes->strings, &kubernetes->string_capacity,
                                kubernetes->string_count + 1, sizeof(*kubernetes->strings));
    kubernetes->strings[kubernetes->string_count++] = xstrdup(text);
    return kubernetes->strings[kubernetes->string_count - 1];
}

static void or_default(int64_t *value, int64_t otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

// The caller's strings may go away; numbers that were not given get their defaults.
static void copy_options(struct kubernetes_source *kubernetes,
                         const struct kubernetes_options *from)
{
    struct kubernetes_options *options = &kubernetes->shared.options;
    *options = *from;
    options->kubeconfig = keep(kubernetes, from->kubeconfig);
    options->context = keep(kubernetes, from->context);
    options->cluster = keep(kubernetes, from->cluster);
    kubernetes->namespaces = xcalloc(from->namespace_count, sizeof(*kubernetes->namespaces));
    for (size_t i = 0; i < from->namespace_count; i++)
        kubernetes->namespaces[i] = keep(kubernetes, from->namespaces[i]);
    options->namespaces = kubernetes->namespaces;
    or_default(&options->relist_min_ms, 30 * 60 * 1000);
    or_default(&options->relist_max_ms, 60 * 60 * 1000);
    or_default(&options->watched_ms, 5 * 60 * 1000);
    or_default(&options->look_again_ms, 60 * 1000);
    or_default(&options->watch_min_s, 300);
    or_default(&options->watch_max_s, 600);
    or_default(&options->watch_grace_ms, 30 * 1000);
    or_default(&options->page_size, 500);
    or_default(&options->listing_uids, 20000);
}

// Names become parts of URLs and scopes.
static bool check_namespaces(const struct kubernetes_options *options, struct error *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    for (size_t i = 0; i < options->namespace_count; i++) {
        const char *name = options->namespaces[i];
        size_t length = strlen(name);
        if (length == 0 || length > NAMESPACE_MAX || strspn(name, allowed) != length)
            return fail(err, REACT_STOP, "'%.70s' is no name of a namespace", name);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(name, options->namespaces[j]) == 0)
                return fail(err, REACT_STOP, "namespace '%s' is named twice", name);
        }
    }
    return true;
}

static void add_stream(struct kubernetes *shared, const struct kind *kind, const char *namespace)
{
    shared->streams =
        xrealloc(shared->streams, (shared->stream_count + 1) * sizeof(*shared->streams));
    shared->streams[shared->stream_count++] = stream_new(shared, kind, namespace);
}

static void add_streams(struct kubernetes_source *kubernetes)
{
    struct kubernetes *shared = &kubernetes->shared;
    const struct kubernetes_options *options = &shared->options;
    size_t count;
    const struct kind *kinds = kinds_watched(&count);
    if (options->namespace_count == 0)
        add_stream(shared, NULL, NULL);
    for (size_t i = 0; i < count; i++) {
        if (options->namespace_count == 0)
            add_stream(shared, &kinds[i], NULL);
        for (size_t n = 0; n < options->namespace_count; n++)
            add_stream(shared, &kinds[i], options->namespaces[n]);
    }
}

// With a namespaced Role, labels come by asking for each namespace by its name.
static void add_polls(struct kubernetes_source *kubernetes)
{
    const struct kubernetes_options *options = &kubernetes->shared.options;
    kubernetes->polls = xcalloc(options->namespace_count, sizeof(struct namespace_poll *));
    for (size_t i = 0; i < options->namespace_count; i++) {
        struct stream *stream = stream_new(&kubernetes->shared, NULL, options->namespaces[i]);
        kubernetes->polls[kubernetes->poll_count++] = namespace_poll_new(stream);
    }
}

// True when an earlier kind has the same group: it is asked for once.
static bool has_discovery(const struct kind *kinds, size_t before)
{
    for (size_t i = 0; i < before; i++) {
        if (strcmp(kinds[i].group, kinds[before].group) == 0)
            return true;
    }
    return false;
}

static void add_discoveries(struct kubernetes_source *kubernetes)
{
    size_t count;
    const struct kind *kinds = kinds_watched(&count);
    kubernetes->discoveries = xcalloc(count, sizeof(struct discovery *));
    for (size_t i = 0; i < count; i++) {
        if (!has_discovery(kinds, i))
            kubernetes->discoveries[kubernetes->discovery_count++] =
                discovery_new(&kubernetes->shared, kinds[i].group);
    }
}

static bool connect_api(struct kubernetes *shared, struct error *err)
{
    const struct kubernetes_options *options = &shared->options;
    bool loaded = options->kubeconfig != NULL
                      ? kubeconfig_load(options->kubeconfig, options->context,
                                        options->allow_insecure, &shared->config, err)
                      : kubeconfig_load_in_cluster(NULL, &shared->config, err);
    if (!loaded)
        return false;
    if (shared->config->insecure)
        log_line(LOG_WARN, "certificates of the API server are not checked", "server",
                 shared->config->server, NULL);
    return http_client_open(shared->config, &shared->http, err);
}

bool kubernetes_source_open(const struct kubernetes_options *options, struct source **out,
                            struct error *err)
{
    if (options->cluster == NULL || options->cluster[0] == '\0')
        return fail(err, REACT_STOP, "kubernetes source without the name of its cluster");
    if (!check_namespaces(options, err))
        return false;
    struct kubernetes_source *kubernetes = xcalloc(1, sizeof(*kubernetes));
    kubernetes->source.class = &kubernetes_class;
    copy_options(kubernetes, options);
    if (!connect_api(&kubernetes->shared, err)) {
        source_close(&kubernetes->source);
        return false;
    }
    add_discoveries(kubernetes);
    add_streams(kubernetes);
    if (options->namespace_count > 0)
        add_polls(kubernetes);
    *out = &kubernetes->source;
    return true;
}
