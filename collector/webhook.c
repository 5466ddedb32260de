// The server's thread and its listening socket: waits for callers, for the reader's answers and for
// the clock at once. What a request goes through is webhook_exchange.c's business.

#include "collector/webhook.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/webhook_parts.h"
#include "common/log.h"
#include "common/text.h"
#include "common/timestamp.h"

#define SWEEP_MS 100
#define BACKLOG 512
#define LAST_RUNS 20 // turns that answers have to leave when the server ends
#define LAST_RUN_MS 10

// Splits "[::1]:7463" or "0.0.0.0:7463" at its last colon.
static bool split_address(const char *listen, char host[64], const char **port)
{
    const char *colon = strrchr(listen, ':');
    if (colon == NULL || colon == listen || colon[1] == '\0')
        return false;
    const char *from = listen;
    const char *to = colon;
    if (*from == '[' && to[-1] == ']') {
        from++;
        to--;
    }
    size_t length = (size_t)(to - from);
    if (length >= 64)
        return false;
    memcpy(host, from, length);
    host[length] = '\0';
    *port = colon + 1;
    return true;
}

// Connections of the run before may linger, and would hold the address for a minute.
static bool bind_socket(int fd, const struct addrinfo *address)
{
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    return bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0;
}

static bool open_listener(struct webhook *webhook, struct error *err)
{
    const char *text = webhook->options.listen;
    char host[64];
    const char *port;
    struct addrinfo *address = NULL;
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM};
    if (!split_address(text, host, &port) || getaddrinfo(host, port, &hints, &address) != 0)
        return fail(err, REACT_STOP, "cannot listen at '%.80s'; hint: ADDRESS:PORT in numbers",
                    text);
    webhook->listen_fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool bound = webhook->listen_fd >= 0 && bind_socket(webhook->listen_fd, address);
    int cause = errno;
    freeaddrinfo(address);
    return bound || fail(err, REACT_STOP, "cannot listen at %.80s: %s", text, strerror(cause));
}

static void copy_options(struct webhook *webhook, const struct webhook_options *options)
{
    webhook->options = (struct webhook_options){
        .listen = xstrdup(options->listen),
        .tls_cert = xstrdup(options->tls_cert),
        .tls_key = xstrdup(options->tls_key),
        .client_ca = options->client_ca ? xstrdup(options->client_ca) : NULL,
    };
}

bool webhook_open(const struct webhook_options *options, struct webhook **out, struct error *err)
{
    SCOPED(webhook_close) struct webhook *webhook = xcalloc(1, sizeof(*webhook));
    webhook->listen_fd = -1;
    webhook->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&webhook->lock, NULL);
    copy_options(webhook, options);
    if (webhook->wake_fd < 0)
        return fail(err, REACT_STOP, "cannot make an eventfd: %s", strerror(errno));
    webhook_files_stamp(webhook);
    if (!open_listener(webhook, err) || !webhook_generation_open(webhook, err))
        return false;
    *out = webhook;
    webhook = NULL;
    return true;
}

bool webhook_is_for(const struct webhook *webhook, const struct webhook_options *options,
                    bool *same, struct error *err)
{
    const struct webhook_options *own = &webhook->options;
    *same = text_equal(own->listen, options->listen);
    if (!*same || (text_equal(own->tls_cert, options->tls_cert) &&
                   text_equal(own->tls_key, options->tls_key)))
        return true;
    return fail(err, REACT_STOP, "two sources listen at %.80s with different certificates",
                own->listen);
}

bool webhook_want_clients(struct webhook *webhook, const char *client_ca, struct error *err)
{
    if (client_ca == NULL || text_equal(webhook->options.client_ca, client_ca))
        return true;
    if (webhook->options.client_ca != NULL)
        return fail(err, REACT_STOP, "two sources listen at %.80s with different client_ca",
                    webhook->options.listen);
    webhook->options.client_ca = xstrdup(client_ca);
    return webhook_generation_open(webhook, err);
}

void webhook_wake(struct webhook *webhook)
{
    uint64_t one = 1;
    ssize_t written = write(webhook->wake_fd, &one, sizeof(one));
    (void)written; // only full when it is readable anyway
}

// The sooner of the next sweep and what the daemons want.
static int wait_ms(const struct webhook *webhook, int64_t now)
{
    int64_t wait = webhook->swept_ms + SWEEP_MS - now;
    for (size_t i = 0; i < WEBHOOK_GENERATIONS && webhook->generations[i] != NULL; i++) {
        MHD_UNSIGNED_LONG_LONG wanted;
        if (MHD_get_timeout(webhook->generations[i]->daemon, &wanted) == MHD_YES &&
            (int64_t)wanted < wait)
            wait = (int64_t)wanted;
    }
    return wait > 0 ? (int)wait : 0;
}

static void drain_wake(const struct webhook *webhook)
{
    uint64_t count;
    ssize_t got = read(webhook->wake_fd, &count, sizeof(count));
    (void)got; // nothing to read is fine
}

static void wait_for_work(struct webhook *webhook)
{
    struct pollfd items[2 + WEBHOOK_GENERATIONS];
    nfds_t count = 0;
    items[count++] = (struct pollfd){.fd = webhook->wake_fd, .events = POLLIN};
    // A full house is looked at with each sweep.
    if (webhook_may_accept(webhook))
        items[count++] = (struct pollfd){.fd = webhook->listen_fd, .events = POLLIN};
    for (size_t i = 0; i < WEBHOOK_GENERATIONS && webhook->generations[i] != NULL; i++)
        items[count++] = (struct pollfd){.fd = webhook->generations[i]->epoll_fd, .events = POLLIN};
    poll(items, count, wait_ms(webhook, monotonic_ms()));
    drain_wake(webhook);
}

static void run_daemons(struct webhook *webhook)
{
    for (size_t i = 0; i < WEBHOOK_GENERATIONS && webhook->generations[i] != NULL; i++)
        MHD_run(webhook->generations[i]->daemon);
}

// True when the thread has to end; *told when files are to be read anew.
static bool read_orders(struct webhook *webhook, bool *told)
{
    pthread_mutex_lock(&webhook->lock);
    bool stops = webhook->stops;
    *told = webhook->rereads;
    webhook->rereads = false;
    pthread_mutex_unlock(&webhook->lock);
    return stops;
}

static void look_around(struct webhook *webhook, bool told)
{
    int64_t now = monotonic_ms();
    webhook->swept_ms = now;
    webhook_sweep(webhook, now);
    webhook_files_check(webhook, told, now);
    for (size_t i = 0; i < webhook->route_count; i++)
        webhook_route_log(&webhook->routes[i], now, false);
    run_daemons(webhook); // whoever was given up on wakes in here
}

// Everybody who waits is answered before the connections end.
static void run_out(struct webhook *webhook)
{
    for (int i = 0; i < LAST_RUNS && webhook->peer_count > 0; i++) {
        webhook_sweep(webhook, monotonic_ms());
        webhook_send_answers(webhook);
        run_daemons(webhook);
        poll(NULL, 0, LAST_RUN_MS);
    }
    for (size_t i = 0; i < webhook->route_count; i++)
        webhook_route_log(&webhook->routes[i], monotonic_ms(), true);
}

static void *run(void *context)
{
    struct webhook *webhook = context;
    bool told;
    while (!read_orders(webhook, &told)) {
        wait_for_work(webhook);
        webhook_send_answers(webhook);
        webhook_accept(webhook);
        run_daemons(webhook);
        if (told || monotonic_ms() - webhook->swept_ms >= SWEEP_MS)
            look_around(webhook, told);
    }
    run_out(webhook);
    return NULL;
}

bool webhook_start(struct webhook *webhook, struct error *err)
{
    int cause = pthread_create(&webhook->thread, NULL, run, webhook);
    if (cause != 0)
        return fail(err, REACT_STOP, "cannot start a thread: %s", strerror(cause));
    webhook->started = true;
    log_line(LOG_INFO, "webhook listens", "at", webhook->options.listen, NULL);
    return true;
}

static void give_orders(struct webhook *webhook, bool stops)
{
    pthread_mutex_lock(&webhook->lock);
    webhook->stops = webhook->stops || stops;
    webhook->rereads = true;
    pthread_mutex_unlock(&webhook->lock);
    webhook_wake(webhook);
}

void webhook_reread(struct webhook *webhook)
{
    give_orders(webhook, false);
}

static void free_options(struct webhook_options *options)
{
    free((char *)(uintptr_t)options->listen);
    free((char *)(uintptr_t)options->tls_cert);
    free((char *)(uintptr_t)options->tls_key);
    free((char *)(uintptr_t)options->client_ca);
}

void webhook_close(struct webhook *webhook)
{
    if (webhook == NULL)
        return;
    if (webhook->started) {
        give_orders(webhook, true);
        pthread_join(webhook->thread, NULL);
    }
    while (webhook->generations[0] != NULL)
        webhook_generation_close(webhook, 0);
    for (size_t i = 0; i < webhook->route_count; i++) {
        close(webhook->routes[i].ready_fd);
        buffer_reset(&webhook->routes[i].token);
    }
    if (webhook->listen_fd >= 0)
        close(webhook->listen_fd);
    if (webhook->wake_fd >= 0)
        close(webhook->wake_fd);
    pthread_mutex_destroy(&webhook->lock);
    free_options(&webhook->options);
    free(webhook);
}
