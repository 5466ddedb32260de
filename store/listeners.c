// Which listeners are open, and the change to those that a new configuration wants.

#include "store/listeners.h"

#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "common/log.h"

// What the configuration wants, between prepare and change.
struct wanted {
    char *endpoint;
    struct curve_key key;
};

struct listeners {
    void *context;
    struct listener *items[LISTENERS_MAX];
    size_t count;
    size_t next; // to be asked first for a message
    struct wanted wanted[LISTENERS_MAX];
    size_t wanted_count;
};

struct listeners *listeners_new(void *zmq_context)
{
    struct listeners *listeners = xcalloc(1, sizeof(*listeners));
    listeners->context = zmq_context;
    return listeners;
}

// The secrets with it: they are needed until the sockets have them.
static void forget_wanted(struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->wanted_count; i++) {
        curve_key_wipe(&listeners->wanted[i].key);
        free(listeners->wanted[i].endpoint);
    }
    listeners->wanted_count = 0;
}

void listeners_free(struct listeners *listeners)
{
    if (listeners == NULL)
        return;
    forget_wanted(listeners);
    for (size_t i = 0; i < listeners->count; i++)
        listener_close(listeners->items[i]);
    free(listeners);
}

// All keys before anything is closed: a configuration that cannot be had whole changes nothing.
bool listeners_prepare(struct listeners *listeners, const struct store_config *config,
                       struct error *err)
{
    forget_wanted(listeners);
    if (config->listen_count > LISTENERS_MAX)
        return fail(err, REACT_STOP, "listen names %zu endpoints, more than %d",
                    config->listen_count, LISTENERS_MAX);
    for (size_t i = 0; i < config->listen_count; i++) {
        struct wanted *wanted = &listeners->wanted[i];
        if (!curve_key_load(config->listen[i].key_file, &wanted->key, err)) {
            forget_wanted(listeners);
            return false;
        }
        wanted->endpoint = xstrdup(config->listen[i].endpoint);
        listeners->wanted_count++;
    }
    return true;
}

static bool is_wanted(const struct listeners *listeners, const struct listener *listener)
{
    for (size_t i = 0; i < listeners->wanted_count; i++) {
        const struct wanted *wanted = &listeners->wanted[i];
        if (listener_is_at(listener, wanted->endpoint, wanted->key.public))
            return true;
    }
    return false;
}

static struct listener *find(const struct listeners *listeners, unsigned number)
{
    for (size_t i = 0; i < listeners->count; i++) {
        if (listener_number(listeners->items[i]) == number)
            return listeners->items[i];
    }
    return NULL;
}

bool listeners_is_leaving(const struct listeners *listeners, const struct peer *peer)
{
    const struct listener *listener = find(listeners, peer->listener);
    return listener == NULL || !is_wanted(listeners, listener);
}

static void close_unwanted(struct listeners *listeners)
{
    size_t kept = 0;
    for (size_t i = 0; i < listeners->count; i++) {
        struct listener *listener = listeners->items[i];
        if (is_wanted(listeners, listener))
            listeners->items[kept++] = listener;
        else
            listener_close(listener);
    }
    listeners->count = kept;
}

static bool open_wanted(struct listeners *listeners, const struct wanted *wanted, struct error *err)
{
    for (size_t i = 0; i < listeners->count; i++) {
        if (listener_is_at(listeners->items[i], wanted->endpoint, wanted->key.public))
            return true;
    }
    if (!listener_open(listeners->context, wanted->endpoint, &wanted->key,
                       &listeners->items[listeners->count], err))
        return false;
    listeners->count++;
    char public_hex[CURVE_KEY_HEX];
    hex_encode(wanted->key.public, CURVE_KEY_BYTES, public_hex);
    log_line(LOG_INFO, "listening", "endpoint", wanted->endpoint, "store_key", public_hex, NULL);
    return true;
}

// The old ones first: a new key may be wanted at the same endpoint.
bool listeners_change(struct listeners *listeners, struct error *err)
{
    close_unwanted(listeners);
    bool all = true;
    for (size_t i = 0; i < listeners->wanted_count; i++)
        all = open_wanted(listeners, &listeners->wanted[i], err) && all;
    forget_wanted(listeners);
    return all;
}

bool listeners_any(const struct listeners *listeners)
{
    return listeners->count > 0;
}

size_t listeners_items(struct listeners *listeners, bool reads, zmq_pollitem_t *items)
{
    size_t count = 0;
    for (size_t i = 0; i < listeners->count; i++) {
        struct listener *listener = listeners->items[i];
        items[count++] =
            (zmq_pollitem_t){.socket = listener_monitor(listener), .events = ZMQ_POLLIN};
        if (reads)
            items[count++] =
                (zmq_pollitem_t){.socket = listener_socket(listener), .events = ZMQ_POLLIN};
    }
    return count;
}

bool listeners_receive(struct listeners *listeners, struct peer *peer, char *user, size_t user_size,
                       struct buffer *payload)
{
    for (size_t i = 0; i < listeners->count; i++) {
        struct listener *listener = listeners->items[listeners->next++ % listeners->count];
        if (listener_receive(listener, peer, user, user_size, payload))
            return true;
    }
    return false;
}

bool listeners_send(struct listeners *listeners, const struct peer *peer,
                    const struct buffer *payload)
{
    struct listener *listener = find(listeners, peer->listener);
    return listener != NULL && listener_send(listener, peer, payload);
}

void listeners_log_handshakes(struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++)
        listener_log_handshakes(listeners->items[i]);
}
