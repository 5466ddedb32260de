// One request from its first line to its answer, as libmicrohttpd calls it: who may ask is checked
// before the body is read, and a body that nobody wants is read and dropped, so that the caller is
// there to hear why.

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "collector/webhook_parts.h"
#include "common/text.h"
#include "common/timestamp.h"

#define BODIES_MAX_BYTES ((size_t)64 * 1024 * 1024) // of all requests together
// Without it no client of Kubernetes tries again.
#define RETRY_AFTER_S "3"

// Called when the request's line is there, and nothing behind it: from here on it has its time.
void *webhook_request_begin(void *server, const char *uri, struct MHD_Connection *connection)
{
    (void)uri; // libmicrohttpd gives it again, parsed
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct webhook_request *request = xcalloc(1, sizeof(*request));
    request->webhook = server;
    request->connection = connection;
    request->begun_ms = monotonic_ms();
    request->peer = info->socket_context;
    request->peer->request = request;
    return request;
}

static void request_free(struct webhook_request *request)
{
    buffer_reset(&request->body);
    buffer_reset(&request->reply.body);
    free(request);
}

// In constant time: how far a guess was right must not be told.
static bool has_token(const struct webhook_route *route, struct MHD_Connection *connection)
{
    static const char scheme[] = "Bearer ";
    const char *given =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    if (given == NULL || !text_starts_with(given, scheme))
        return false;
    given += strlen(scheme);
    return strlen(given) == route->token.length &&
           sodium_memcmp(given, route->token.data, route->token.length) == 0;
}

static int check_caller(const struct webhook_route *route, struct MHD_Connection *connection)
{
    if (route->options.wants_certificate && !webhook_is_verified(connection))
        return MHD_HTTP_FORBIDDEN;
    if (route->options.token_file != NULL && !has_token(route, connection))
        return MHD_HTTP_UNAUTHORIZED;
    return 0;
}

static struct webhook_route *find_route(struct webhook *webhook, const char *path)
{
    for (size_t i = 0; i < webhook->route_count; i++) {
        if (strcmp(webhook->routes[i].options.path, path) == 0)
            return &webhook->routes[i];
    }
    return NULL;
}

// What keeps the body from being wanted; 0: nothing.
static int find_refusal(struct webhook_request *request, const char *method)
{
    struct MHD_Connection *connection = request->connection;
    if (request->route == NULL)
        return MHD_HTTP_NOT_FOUND;
    if (strcmp(method, MHD_HTTP_METHOD_POST) != 0)
        return MHD_HTTP_METHOD_NOT_ALLOWED;
    int stranger = check_caller(request->route, connection);
    if (stranger != 0) {
        webhook_count_refusal(request->route, REFUSAL_STRANGER);
        return stranger;
    }
    // No API server compresses what it sends here; who does is not one, and may send a bomb.
    if (MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
                                    MHD_HTTP_HEADER_CONTENT_ENCODING) != NULL) {
        webhook_count_refusal(request->route, REFUSAL_BAD);
        return MHD_HTTP_BAD_REQUEST;
    }
    return 0;
}

static void drop_body(struct webhook_request *request)
{
    request->webhook->body_bytes -= request->body.length;
    buffer_reset(&request->body);
}

static void refuse_body(struct webhook_request *request, int code, enum refusal refusal)
{
    drop_body(request);
    request->refused = code;
    webhook_count_refusal(request->route, refusal);
    if (refusal == REFUSAL_BUSY)
        webhook_count_loss(request->route);
}

static void read_bytes(struct webhook_request *request, const char *bytes, size_t length)
{
    struct webhook *webhook = request->webhook;
    if (request->refused != 0)
        return;
    if (length > request->route->options.body_max_bytes - request->body.length) {
        refuse_body(request, MHD_HTTP_CONTENT_TOO_LARGE, REFUSAL_LARGE);
    } else if (webhook->body_bytes + length > BODIES_MAX_BYTES) {
        refuse_body(request, MHD_HTTP_SERVICE_UNAVAILABLE, REFUSAL_BUSY);
    } else {
        buffer_append(&request->body, bytes, length);
        webhook->body_bytes += length;
    }
}

static enum MHD_Result send_reply(struct webhook_request *request)
{
    static char nothing[1];
    struct webhook_reply *reply = &request->reply;
    struct MHD_Response *response = MHD_create_response_from_buffer(
        reply->body.length, reply->body.data ? reply->body.data : nothing, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        memory_exhausted();
    if (reply->body.length > 0)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    if (reply->code == MHD_HTTP_SERVICE_UNAVAILABLE)
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, RETRY_AFTER_S);
    if (reply->code == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, MHD_HTTP_METHOD_POST);
    // Whoever still speaks to an older certificate's daemon comes back to the newest.
    if (request->peer->generation->replaced_ms != 0)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    if (request->state != REQUEST_REPLYING) // else the reader may be looking at it
        request->state = REQUEST_REPLYING;
    request->replied_ms = monotonic_ms();
    enum MHD_Result queued =
        MHD_queue_response(request->connection, (unsigned)reply->code, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result reply_unrecorded(struct webhook_request *request)
{
    webhook_count_loss(request->route);
    request->route->options.unrecorded(request->body.data, request->body.length, &request->reply);
    return send_reply(request);
}

// The body is whole.
static enum MHD_Result finish_reading(struct webhook_request *request)
{
    request->arrived_ms = monotonic_ms();
    if (request->refused != 0) {
        request->reply.code = request->refused;
        return send_reply(request);
    }
    if (request->body.data == NULL)
        buffer_append_text(&request->body, "");
    return webhook_queue(request) ? MHD_YES : reply_unrecorded(request);
}

// Called without bytes when the headers are there, then with each piece of the body, and without
// bytes again at its end and when an answer has woken it.
enum MHD_Result webhook_request_feed(void *server, struct MHD_Connection *connection,
                                     const char *url, const char *method, const char *version,
                                     const char *bytes, size_t *length, void **context)
{
    (void)version;
    (void)connection;
    struct webhook_request *request = *context;
    if (request->state == REQUEST_BEGUN) {
        request->state = REQUEST_READING;
        request->route = find_route(server, url);
        request->refused = find_refusal(request, method);
        return MHD_YES; // the body comes in the next calls
    }
    if (*length > 0) {
        read_bytes(request, bytes, *length);
        *length = 0;
        return MHD_YES;
    }
    return request->state == REQUEST_READING ? finish_reading(request) : send_reply(request);
}

// The connection lets go of its request, however that ended.
// A reader that still holds it frees it when it answers.
void webhook_request_end(void *server, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode how)
{
    struct webhook *webhook = server;
    struct webhook_request *request = *context;
    (void)connection;
    if (request == NULL)
        return;
    *context = NULL;
    webhook->body_bytes -= request->body.length;
    struct peer *peer = request->peer;
    peer->request = NULL;
    peer->since_ms = monotonic_ms();
    if (how == MHD_REQUEST_TERMINATED_COMPLETED_OK && request->reply.code == MHD_HTTP_OK)
        peer->has_served = true;
    pthread_mutex_lock(&webhook->lock);
    bool held = request->held;
    request->finished = true;
    pthread_mutex_unlock(&webhook->lock);
    if (!held)
        request_free(request);
}

static void unqueue(struct webhook_request *request)
{
    struct webhook_route *route = request->route;
    struct webhook_request **link = &route->first;
    struct webhook_request *before = NULL;
    while (*link != request) {
        before = *link;
        link = &before->next;
    }
    *link = request->next;
    if (route->last == request)
        route->last = before;
}

// What the reader has taken may still become durable: whether it is lost is known when it answers.
// Under the lock, as whoever looks for one to give up has it.
void webhook_request_give_up(struct webhook_request *request)
{
    struct webhook_route *route = request->route;
    if (request->state == REQUEST_WAITING) {
        unqueue(request);
        webhook_note_loss(route);
    }
    route->options.unrecorded(request->body.data, request->body.length, &request->reply);
    request->state = REQUEST_REPLYING;
    MHD_resume_connection(request->connection);
}

void webhook_request_drop(struct webhook_request *request)
{
    pthread_mutex_lock(&request->webhook->lock);
    if (request->state == REQUEST_WAITING || request->state == REQUEST_TAKEN)
        webhook_request_give_up(request);
    pthread_mutex_unlock(&request->webhook->lock);
}

void webhook_send_answers(struct webhook *webhook)
{
    pthread_mutex_lock(&webhook->lock);
    while (webhook->answers != NULL) {
        struct webhook_request *request = webhook->answers;
        webhook->answers = request->next;
        request->state = REQUEST_REPLYING;
        MHD_resume_connection(request->connection);
    }
    pthread_mutex_unlock(&webhook->lock);
}

// One is taken whatever its size: one that is larger than a step would wait for ever.
size_t webhook_take(struct webhook_route *route, struct webhook_request **requests, size_t most,
                    size_t max_bytes, struct webhook_loss *loss)
{
    size_t count = 0;
    size_t bytes = 0;
    pthread_mutex_lock(&route->webhook->lock);
    while (route->first != NULL && count < most &&
           (count == 0 || bytes + route->first->body.length <= max_bytes)) {
        struct webhook_request *request = route->first;
        route->first = request->next;
        bytes += request->body.length;
        request->state = REQUEST_TAKEN;
        request->held = true;
        requests[count++] = request;
    }
    if (route->first == NULL)
        route->last = NULL;
    if (route->loss.count > 0) {
        loss->first_ms = loss->count == 0 ? route->loss.first_ms : loss->first_ms;
        loss->last_ms = route->loss.last_ms;
        loss->count += route->loss.count;
        route->loss.count = 0;
    }
    pthread_mutex_unlock(&route->webhook->lock);
    return count;
}

void webhook_answer(struct webhook_request *request, int code, const char *body, size_t length)
{
    struct webhook *webhook = request->webhook;
    pthread_mutex_lock(&webhook->lock);
    request->held = false;
    bool waits = request->state == REQUEST_TAKEN; // else the thread has answered in our place
    bool finished = request->finished;
    if (!waits && code != MHD_HTTP_OK)
        webhook_note_loss(request->route);
    if (code == MHD_HTTP_BAD_REQUEST)
        request->route->refusals[REFUSAL_BAD]++;
    if (waits) {
        request->reply.code = code;
        buffer_append(&request->reply.body, body, length);
        request->state = REQUEST_ANSWERED;
        request->next = webhook->answers;
        webhook->answers = request;
    }
    pthread_mutex_unlock(&webhook->lock);
    if (finished)
        request_free(request);
    if (waits)
        webhook_wake(webhook);
}

const struct buffer *webhook_body(const struct webhook_request *request)
{
    return &request->body;
}

int64_t webhook_arrived_ms(const struct webhook_request *request)
{
    return request->arrived_ms;
}
