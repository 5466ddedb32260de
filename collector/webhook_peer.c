// Connections: how many there may be, and how long each may take. libmicrohttpd's own timeout is
// for silence, and a caller that sends a byte now and then is never silent.

#define _GNU_SOURCE // accept4

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/webhook_parts.h"
#include "common/log.h"
#include "common/timestamp.h"

#define PEERS_MAX 256
#define ACCEPT_AT_ONCE 64
#define REQUEST_MS                                                                                 \
    10000              // from its first line to the end of its body; and for its answer to be read
#define IDLE_MS 120000 // between two requests

// Called when a connection begins and when it is gone.
void webhook_peer_notify(void *of, struct MHD_Connection *connection, void **context,
                         enum MHD_ConnectionNotificationCode what)
{
    struct generation *generation = of;
    struct webhook *webhook = generation->webhook;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        struct peer *peer = xcalloc(1, sizeof(*peer));
        peer->generation = generation;
        peer->connection = connection;
        peer->fd =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        peer->since_ms = monotonic_ms();
        peer->next = webhook->peers;
        webhook->peers = peer;
        webhook->peer_count++;
        *context = peer;
        return;
    }
    struct peer **link = &webhook->peers;
    while (*link != *context)
        link = &(*link)->next;
    struct peer *peer = *link;
    *link = peer->next;
    webhook->peer_count--;
    free(peer);
}

// The next run of its daemon finds the connection closed.
static void cut(struct peer *peer)
{
    if (peer->is_cut)
        return;
    peer->is_cut = true;
    shutdown(peer->fd, SHUT_RDWR);
}

static bool is_before_request(const struct peer *peer)
{
    return peer->request == NULL || peer->request->arrived_ms == 0;
}

// Makes room before a newcomer is there, so that none has to wait for it: whoever has not said
// anything of use yet goes first, the oldest of them, then whoever is idle. Who waits for an answer
// stays.
static void make_room(struct webhook *webhook)
{
    struct peer *worst = NULL;
    for (struct peer *peer = webhook->peers; peer != NULL; peer = peer->next) {
        if (peer->is_cut)
            return; // its room comes with the next run
        if (!is_before_request(peer) || (peer->has_served && peer->request != NULL))
            continue;
        if (worst == NULL || (worst->has_served && !peer->has_served) ||
            (worst->has_served == peer->has_served && peer->since_ms <= worst->since_ms))
            worst = peer;
    }
    if (worst != NULL)
        cut(worst);
}

bool webhook_may_accept(const struct webhook *webhook)
{
    return webhook->peer_count < PEERS_MAX && !webhook->is_short;
}

void webhook_accept(struct webhook *webhook)
{
    for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
        struct sockaddr_storage address = {0};
        socklen_t size = sizeof(address);
        if (webhook->peer_count >= PEERS_MAX) {
            make_room(webhook);
            return;
        }
        int fd = accept4(webhook->listen_fd, (struct sockaddr *)&address, &size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        // Whoever waits then would make the socket readable all the time.
        webhook->is_short = fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM);
        if (fd < 0)
            return;
        // It closes the descriptor when it fails.
        MHD_add_connection(webhook->generations[0]->daemon, fd, (struct sockaddr *)&address, size);
    }
}

static void sweep_reading(struct peer *peer, int64_t now)
{
    struct webhook_request *request = peer->request;
    if (peer->is_cut || now - request->begun_ms <= REQUEST_MS)
        return;
    if (request->route != NULL)
        webhook_count_refusal(request->route, REFUSAL_SLOW);
    cut(peer);
}

static void sweep_waiting(struct webhook_request *request, int64_t now)
{
    struct webhook *webhook = request->webhook;
    pthread_mutex_lock(&webhook->lock);
    bool waits = request->state == REQUEST_WAITING || request->state == REQUEST_TAKEN;
    bool refused = request->route->refuses && request->state == REQUEST_WAITING;
    if (waits && (refused || webhook->stops ||
                  now - request->arrived_ms >= request->route->options.patience_ms))
        webhook_request_give_up(request);
    pthread_mutex_unlock(&webhook->lock);
}

static void sweep_peer(struct peer *peer, int64_t now)
{
    struct webhook_request *request = peer->request;
    if (request == NULL) {
        if (now - peer->since_ms > (peer->has_served ? IDLE_MS : REQUEST_MS))
            cut(peer);
    } else if (request->arrived_ms == 0) {
        sweep_reading(peer, now);
    } else if (request->replied_ms == 0) {
        sweep_waiting(request, now);
    } else if (now - request->replied_ms > REQUEST_MS) {
        cut(peer);
    }
}

void webhook_sweep(struct webhook *webhook, int64_t now)
{
    for (struct peer *peer = webhook->peers; peer != NULL; peer = peer->next)
        sweep_peer(peer, now);
}
