// GET of one namespace now and then. A refusal is no gap: there are just no labels.

#include "collector/kubernetes_namespace.h"

#include <stdlib.h>

#include "collector/clock.h"
#include "collector/kubernetes_stream.h"
#include "common/timestamp.h"

struct namespace_poll {
    struct stream *stream;
    struct http_transfer *transfer;
    int64_t due_ms;
};

struct namespace_poll *namespace_poll_new(struct stream *stream)
{
    struct namespace_poll *poll = xcalloc(1, sizeof(*poll));
    poll->stream = stream;
    return poll;
}

void namespace_poll_free(struct namespace_poll *poll)
{
    if (poll == NULL)
        return;
    if (poll->transfer != NULL)
        http_cancel(poll->transfer);
    stream_free(poll->stream);
    free(poll);
}

static void on_done(void *context, const struct http_result *result)
{
    struct namespace_poll *poll = context;
    struct error err;
    struct object_head head;
    poll->transfer = NULL;
    int64_t wait_ms = poll->stream->kubernetes->options.look_again_ms;
    int64_t asked_ms = backoff_asked_ms(result->retry_after_s);
    poll->due_ms = monotonic_ms() + (asked_ms > wait_ms ? asked_ms : wait_ms);
    if (result->status == 401)
        kubeconfig_token_refused(poll->stream->kubernetes->config);
    if (result->status != 200 || !result->complete ||
        !object_head_read(result->body, result->body_length, &head, &err))
        return;
    // As from a list: sent when its position is not the known one.
    stream_push_object(poll->stream, RECORD_LISTED_OBJECT, &head, result->body, result->body_length,
                       clock_now(), false);
}

int64_t namespace_poll_run(struct namespace_poll *poll, int64_t now_ms)
{
    static const struct http_handler handler = {.done = on_done};
    if (poll->transfer != NULL)
        return -1;
    if (now_ms < poll->due_ms)
        return poll->due_ms - now_ms;
    SCOPED(xfree_char) char *path = xasprintf("/api/v1/namespaces/%s", poll->stream->namespace);
    struct http_request request = {.path = path, .handler = &handler, .context = poll};
    poll->transfer = http_get(poll->stream->kubernetes->http, &request);
    return -1;
}
