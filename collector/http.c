// libcurl's multi socket interface behind a few functions. It knows nothing of Kubernetes: retries
// and back-off are the caller's.

#define _GNU_SOURCE // memmem
#include "collector/http.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "collector/clock.h"
#include "collector/http_body.h"
#include "common/timestamp.h"

#define CONNECT_TIMEOUT_S 10L
// An answer that should flow and brings less than this is as good as silent: a server that drips
// would else hold its list for ever.
#define SLOWEST_BYTES_S 1024L
#define SILENCE_S 30L
// A peer that answers no keep-alive probe for this long is gone.
#define PEER_LOST_MS 25000u
// Between looks at sockets for which there was no poll item.
#define CROWDED_MS 100

struct watched_socket {
    curl_socket_t fd;
    int what; // CURL_POLL_*
};

struct http_client {
    CURLM *multi;
    struct kubeconfig *config;
    struct watched_socket *sockets;
    size_t socket_count;
    size_t socket_capacity;
    bool crowded; // more sockets than poll items were given
    struct http_transfer *transfers;
};

struct http_transfer {
    struct http_client *client;
    struct http_transfer *next;
    struct http_transfer *previous;
    CURL *easy;
    struct request_lists lists;
    const struct http_handler *handler;
    void *context;
    int64_t head_at;
    long status;
    bool paused;
    bool finished; // curl is done with it; the handler may not be
    CURLcode code;
    struct http_body body;
    char curl_error[CURL_ERROR_SIZE];
};

// curl's write callback. It never refuses a piece that curl has already read, but while there is a
// rest of an earlier one it pauses the transfer, and the socket fills up instead of our memory.
static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct http_transfer *transfer = context;
    size_t length = size * count;
    if (http_body_has_rest(&transfer->body)) {
        transfer->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    return http_body_add(&transfer->body, bytes, length) ? length : 0;
}

// curl's header callback, called once a line.
static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
    static const char encoding[] = "content-encoding:";
    struct http_transfer *transfer = context;
    size_t length = size * count;
    if (length > 5 && memcmp(bytes, "HTTP/", 5) == 0) {
        transfer->head_at = clock_now();
        transfer->body.is_gzip = false;
        const char *space = memchr(bytes, ' ', length); // curl ends header lines with NUL
        transfer->status = space != NULL ? strtol(space, NULL, 10) : 0;
        transfer->body.is_collected = transfer->status != 200;
    } else if (length > sizeof(encoding) &&
               strncasecmp(bytes, encoding, sizeof(encoding) - 1) == 0) {
        transfer->body.is_gzip = memmem(bytes, length, "gzip", 4) != NULL;
    }
    return length;
}

static int on_connected(void *context, curl_socket_t fd, curlsocktype purpose)
{
    (void)context;
    (void)purpose;
    // Ends a half-open connection, idle or not, however often the system would probe on.
    unsigned lost_ms = PEER_LOST_MS;
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &lost_ms, sizeof(lost_ms));
    return CURL_SOCKOPT_OK;
}

// curl tells here which sockets it wants to be polled, and for what.
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context)
{
    (void)easy;
    (void)socket_context;
    struct http_client *client = context;
    size_t i = 0;
    while (i < client->socket_count && client->sockets[i].fd != fd)
        i++;
    if (what == CURL_POLL_REMOVE) {
        if (i < client->socket_count)
            client->sockets[i] = client->sockets[--client->socket_count];
        return 0;
    }
    if (i == client->socket_count) {
        client->sockets =
            xgrow(client->sockets, &client->socket_capacity, i + 1, sizeof(*client->sockets));
        client->socket_count++;
    }
    client->sockets[i] = (struct watched_socket){.fd = fd, .what = what};
    return 0;
}

bool http_client_open(struct kubeconfig *config, struct http_client **out, struct error *err)
{
    // With our allocation: an option that was not set for want of memory would pass unnoticed, and
    // it may be the one that names the certificates (D2).
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, xmalloc, free, xrealloc, xstrdup, xcalloc) !=
        CURLE_OK)
        return fail(err, REACT_STOP, "cannot start libcurl");
    struct http_client *client = xcalloc(1, sizeof(*client));
    client->multi = curl_multi_init();
    if (client->multi == NULL) {
        free(client);
        return fail(err, REACT_STOP, "cannot start libcurl");
    }
    client->config = config;
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, 8L); // idle ones
    *out = client;
    return true;
}

static void transfer_free(struct http_transfer *transfer)
{
    if (transfer->easy != NULL) {
        curl_multi_remove_handle(transfer->client->multi, transfer->easy);
        curl_easy_cleanup(transfer->easy);
    }
    curl_slist_free_all(transfer->lists.headers);
    curl_slist_free_all(transfer->lists.connect_to);
    http_body_reset(&transfer->body);
    free(transfer);
}

// Takes the transfer off the client's list; curl still has it until transfer_free.
static void unlink_transfer(struct http_transfer *transfer)
{
    if (transfer->previous != NULL)
        transfer->previous->next = transfer->next;
    else
        transfer->client->transfers = transfer->next;
    if (transfer->next != NULL)
        transfer->next->previous = transfer->previous;
}

void http_cancel(struct http_transfer *transfer)
{
    unlink_transfer(transfer);
    transfer_free(transfer);
}

void http_client_close(struct http_client *client)
{
    if (client == NULL)
        return;
    while (client->transfers != NULL)
        http_cancel(client->transfers);
    curl_multi_cleanup(client->multi);
    free(client->sockets);
    free(client);
    curl_global_cleanup();
}

static void set_transport(CURL *easy, bool quiet)
{
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    // One connection a transfer: a paused list must not hold up a watch on the same connection.
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "modeltrail-collector/" MODELTRAIL_VERSION);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 10L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 5L);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_connected);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); // a proxy's answer is not ours
    // curl leaves paused transfers out of this rule, so a full queue is no silence.
    if (!quiet) {
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, SLOWEST_BYTES_S);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, SILENCE_S);
    }
}

static void set_handlers(struct http_transfer *transfer)
{
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->curl_error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
}

struct http_transfer *http_get(struct http_client *client, const struct http_request *request)
{
    struct http_transfer *transfer = xcalloc(1, sizeof(*transfer));
    transfer->client = client;
    transfer->handler = request->handler;
    transfer->context = request->context;
    transfer->body = (struct http_body){.take = request->handler->body,
                                        .context = request->context,
                                        .max_bytes = request->max_body_bytes,
                                        .is_collected = true};
    transfer->head_at = TIMESTAMP_NONE;
    transfer->easy = curl_easy_init();
    if (transfer->easy == NULL)
        memory_exhausted(); // its only error
    set_transport(transfer->easy, request->quiet);
    set_handlers(transfer);
    if (request->gzip)
        transfer->lists.headers = curl_slist_append(NULL, "Accept-Encoding: gzip");
    kubeconfig_apply(client->config, transfer->easy, request->path, monotonic_ms(),
                     &transfer->lists);
    transfer->next = client->transfers;
    if (transfer->next != NULL)
        transfer->next->previous = transfer;
    client->transfers = transfer;
    curl_multi_add_handle(client->multi, transfer->easy);
    return transfer;
}

int64_t http_head_at(const struct http_transfer *transfer)
{
    return transfer->head_at;
}

void http_clock_set(struct http_transfer *transfer, int64_t by_us)
{
    if (transfer->head_at != TIMESTAMP_NONE)
        transfer->head_at += by_us;
}

long http_status(const struct http_transfer *transfer)
{
    return transfer->status;
}

bool http_is_paused(const struct http_transfer *transfer)
{
    return transfer->paused || http_body_has_rest(&transfer->body);
}

bool http_has_paused(const struct http_client *client)
{
    const struct http_transfer *transfer = client->transfers;
    while (transfer != NULL && !http_is_paused(transfer))
        transfer = transfer->next;
    return transfer != NULL;
}

size_t http_descriptors(struct http_client *client, zmq_pollitem_t *items, size_t capacity)
{
    size_t count = 0;
    for (size_t i = 0; i < client->socket_count && count < capacity; i++) {
        int what = client->sockets[i].what;
        short events = (short)((what & CURL_POLL_IN ? ZMQ_POLLIN : 0) |
                               (what & CURL_POLL_OUT ? ZMQ_POLLOUT : 0));
        if (events != 0)
            items[count++] = (zmq_pollitem_t){.fd = client->sockets[i].fd, .events = events};
    }
    client->crowded = count == capacity && client->socket_count > capacity;
    return count;
}

// When curl wants to be called without a socket being ready; -1: not at all. It is asked each time:
// what it tells by its timer callback it tells once, and a timer that was run a moment early, or
// set while a paused transfer went on, would be lost with it.
static long curl_timeout_ms(const struct http_client *client)
{
    long left_ms = -1;
    return curl_multi_timeout(client->multi, &left_ms) == CURLM_OK ? left_ms : -1;
}

long http_timeout_ms(struct http_client *client)
{
    long most = client->crowded ? CROWDED_MS : -1;
    long left = curl_timeout_ms(client);
    return left < 0 || (most >= 0 && left > most) ? most : left;
}

static const char *problem_of(const struct http_transfer *transfer)
{
    if (transfer->body.problem != NULL)
        return transfer->body.problem;
    if (transfer->code == CURLE_OK)
        return "";
    return transfer->curl_error[0] != '\0' ? transfer->curl_error
                                           : curl_easy_strerror(transfer->code);
}

// Tells the handler that it is over, and forgets the transfer.
static void conclude(struct http_transfer *transfer)
{
    curl_off_t retry_after = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after);
    struct http_result result = {
        .status = transfer->status,
        .retry_after_s = retry_after,
        .complete = transfer->code == CURLE_OK && transfer->body.problem == NULL,
        .problem = problem_of(transfer),
        .body = transfer->body.collected.data != NULL ? transfer->body.collected.data : "",
        .body_length = transfer->body.collected.length,
    };
    unlink_transfer(transfer); // the handler may start others or close this one's owner
    transfer->handler->done(transfer->context, &result);
    transfer_free(transfer);
}

// Ends what curl has finished with. A transfer whose last bytes still wait for its handler stays,
// and is concluded by http_resume. True when there was any.
static bool reap(struct http_client *client)
{
    bool any = false;
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        struct http_transfer *transfer = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        transfer->code = message->data.result;
        transfer->finished = true;
        bool rest = transfer->body.problem == NULL && http_is_paused(transfer);
        transfer->paused = false;
        if (!rest)
            conclude(transfer);
        any = true;
    }
    return any;
}

// Lets curl do what it wants to be woken for.
static void run_timer(struct http_client *client)
{
    int running;
    if (curl_timeout_ms(client) == 0)
        curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

// Lets curl look by itself at sockets that could not be polled.
static void look_at_all(struct http_client *client)
{
    int running;
    for (size_t i = client->socket_count; i > 0; i--) {
        // Actions may remove sockets, also several at once.
        if (i <= client->socket_count)
            curl_multi_socket_action(client->multi, client->sockets[i - 1].fd, 0, &running);
    }
}

void http_step(struct http_client *client, const zmq_pollitem_t *ready, size_t count)
{
    int running;
    for (size_t i = 0; i < count; i++) {
        if (ready[i].revents == 0 || ready[i].socket != NULL)
            continue;
        int mask = (ready[i].revents & ZMQ_POLLIN ? CURL_CSELECT_IN : 0) |
                   (ready[i].revents & ZMQ_POLLOUT ? CURL_CSELECT_OUT : 0) |
                   (ready[i].revents & ZMQ_POLLERR ? CURL_CSELECT_ERR : 0);
        curl_multi_socket_action(client->multi, ready[i].fd, mask, &running);
    }
    if (client->crowded)
        look_at_all(client);
    // What handlers start begins at once, and may be over at once: curl says so once, and watches
    // nothing more for it, so that nobody would wake us for what is left unread.
    do
        run_timer(client);
    while (reap(client));
}

void http_resume(struct http_client *client)
{
    struct http_transfer *next;
    for (struct http_transfer *transfer = client->transfers; transfer != NULL; transfer = next) {
        next = transfer->next;
        if (!http_is_paused(transfer))
            continue;
        bool blocked;
        bool sound = http_body_offer(&transfer->body, &blocked);
        if (sound && blocked)
            continue;
        if (transfer->finished || !sound) {
            conclude(transfer);
            next = client->transfers; // the handler may have changed the list
            continue;
        }
        if (transfer->paused) {
            transfer->paused = false;
            curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
        }
    }
}
