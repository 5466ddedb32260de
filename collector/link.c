// The ZeroMQ side of a connection, its options and the meaning of monitor events. What frames say
// is the publisher's business.

#include "collector/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MONITOR_EVENTS                                                                             \
    (ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_DISCONNECTED | \
     ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |                        \
     ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)

// What a store answers to a key that is not in its list, and to all once it lets nobody in any more
// (ZeroMQ RFC 27: an authentication failure, an internal error).
#define ZAP_STATUS_REFUSED 400
#define ZAP_STATUS_STOPPING 500
#define LINGER_MS 1000

struct link {
    void *dealer;
    void *monitor;
    char *address;
    bool connected;     // TCP
    bool authenticated; // CURVE
};

static bool set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof(value)) == 0;
}

// A store that vanished without a word is noticed in nine seconds: three beats of three seconds may
// be lost before. The store is told to give us up after fifteen, so that it never does so first.
// Few frames wait in the socket: what is not sent stays in the spool, where nothing is lost.
static bool set_options(void *dealer, const uint8_t *store_key, const struct curve_key *key)
{
    const int64_t largest = 65536; // what a store says is short
    return set_int(dealer, ZMQ_LINGER, 0) && set_int(dealer, ZMQ_SNDHWM, 8) &&
           set_int(dealer, ZMQ_RCVHWM, 16) &&
           zmq_setsockopt(dealer, ZMQ_MAXMSGSIZE, &largest, sizeof(largest)) == 0 &&
           // No repair behind our back: a new connection must begin with hello.
           set_int(dealer, ZMQ_RECONNECT_IVL, -1) && set_int(dealer, ZMQ_HANDSHAKE_IVL, 10000) &&
           set_int(dealer, ZMQ_CONNECT_TIMEOUT, 10000) &&
           set_int(dealer, ZMQ_HEARTBEAT_IVL, 3000) &&
           set_int(dealer, ZMQ_HEARTBEAT_TIMEOUT, 9000) &&
           set_int(dealer, ZMQ_HEARTBEAT_TTL, 15000) &&
           zmq_setsockopt(dealer, ZMQ_CURVE_SERVERKEY, store_key, CURVE_KEY_BYTES) == 0 &&
           zmq_setsockopt(dealer, ZMQ_CURVE_PUBLICKEY, key->public, CURVE_KEY_BYTES) == 0 &&
           zmq_setsockopt(dealer, ZMQ_CURVE_SECRETKEY, key->secret, CURVE_KEY_BYTES) == 0;
}

static bool attach_monitor(struct link *link, void *context)
{
    static unsigned number; // endpoint names must differ within the process
    SCOPED(xfree_char) char *endpoint = xasprintf("inproc://link-monitor-%u", number++);
    if (zmq_socket_monitor(link->dealer, endpoint, MONITOR_EVENTS) != 0)
        return false;
    link->monitor = zmq_socket(context, ZMQ_PAIR);
    return link->monitor != NULL && set_int(link->monitor, ZMQ_LINGER, 0) &&
           zmq_connect(link->monitor, endpoint) == 0;
}

bool link_open(void *zmq_context, const char *address, const uint8_t store_key[CURVE_KEY_BYTES],
               const struct curve_key *key, struct link **out, struct error *err)
{
    SCOPED(link_close) struct link *link = xcalloc(1, sizeof(*link));
    link->address = xstrdup(address);
    link->dealer = zmq_socket(zmq_context, ZMQ_DEALER);
    if (link->dealer == NULL || !set_options(link->dealer, store_key, key) ||
        !attach_monitor(link, zmq_context) || zmq_connect(link->dealer, address) != 0)
        return fail(err, REACT_RETRY, "cannot connect to %s: %s", address, zmq_strerror(errno));
    *out = link;
    link = NULL;
    return true;
}

void link_close(struct link *link)
{
    if (link == NULL)
        return;
    if (link->dealer != NULL) {
        zmq_socket_monitor(link->dealer, NULL, 0);
        zmq_close(link->dealer);
    }
    if (link->monitor != NULL)
        zmq_close(link->monitor);
    free(link->address);
    free(link);
}

void link_descriptors(struct link *link, zmq_pollitem_t *items)
{
    items[0] = (zmq_pollitem_t){.socket = link->dealer, .events = ZMQ_POLLIN};
    items[1] = (zmq_pollitem_t){.socket = link->monitor, .events = ZMQ_POLLIN};
}

// Reads one monitor event (two frames: number and value, endpoint).
static bool next_event(void *monitor, unsigned *event, unsigned *value)
{
    unsigned char bytes[6];
    char endpoint[256];
    int length = zmq_recv(monitor, bytes, sizeof(bytes), ZMQ_DONTWAIT);
    if (length != (int)sizeof(bytes))
        return false;
    zmq_recv(monitor, endpoint, sizeof(endpoint), ZMQ_DONTWAIT);
    uint16_t number;
    uint32_t detail;
    memcpy(&number, bytes, sizeof(number));
    memcpy(&detail, bytes + sizeof(number), sizeof(detail));
    *event = number;
    *value = detail;
    return true;
}

static bool disconnected(const struct link *link, struct error *err)
{
    if (link->authenticated)
        return fail(err, REACT_RETRY, "store %s closed the connection", link->address);
    return fail(err, REACT_RETRY,
                "store %s closed the connection during the CURVE handshake; hint: is store_key the "
                "public key of this store?",
                link->address);
}

static bool take_event(struct link *link, unsigned event, unsigned value, struct error *err)
{
    switch (event) {
    case ZMQ_EVENT_CONNECTED:
        link->connected = true;
        return true;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        link->authenticated = true;
        return true;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        if (value == ZAP_STATUS_STOPPING)
            return fail(err, REACT_RETRY, "store %s is stopping", link->address);
        return fail(err, value == ZAP_STATUS_REFUSED ? REACT_REJECT : REACT_RETRY,
                    "store %s refused this collector's key (ZAP status %u); hint: name its public "
                    "key in the store's list of collectors",
                    link->address, value);
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        return fail(err, REACT_RETRY,
                    "the CURVE handshake with store %s failed (protocol error 0x%x); hint: is "
                    "store_key the public key of this store?",
                    link->address, value);
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        return fail(err, REACT_RETRY,
                    "the CURVE handshake with store %s failed (%s); hint: is this a store's "
                    "address, and store_key its public key?",
                    link->address, zmq_strerror((int)value));
    case ZMQ_EVENT_DISCONNECTED:
        return disconnected(link, err);
    case ZMQ_EVENT_CLOSED:
    case ZMQ_EVENT_CONNECT_RETRIED:
        if (link->connected)
            return disconnected(link, err);
        return fail(err, REACT_RETRY, "cannot connect to store %s; hint: does it run there?",
                    link->address);
    default:
        return true;
    }
}

bool link_check(struct link *link, struct error *err)
{
    unsigned event;
    unsigned value;
    while (next_event(link->monitor, &event, &value)) {
        if (!take_event(link, event, value, err))
            return false;
    }
    return true;
}

static void free_sent(void *data, void *hint)
{
    (void)hint;
    free(data);
}

bool link_send(struct link *link, struct buffer *frame, struct error *err)
{
    zmq_msg_t message;
    if (zmq_msg_init_data(&message, frame->data, frame->length, free_sent, NULL) != 0)
        memory_exhausted(); // its only error
    *frame = (struct buffer){0};
    if (zmq_msg_send(&message, link->dealer, ZMQ_DONTWAIT) >= 0)
        return true;
    zmq_msg_close(&message);
    return fail(err, REACT_RETRY, "store %s takes no more: %s", link->address, zmq_strerror(errno));
}

void link_linger(struct link *link)
{
    set_int(link->dealer, ZMQ_LINGER, LINGER_MS);
}

bool link_receive(struct link *link, zmq_msg_t *message, bool *received, struct error *err)
{
    zmq_msg_init(message);
    *received = zmq_msg_recv(message, link->dealer, ZMQ_DONTWAIT) >= 0;
    if (*received && zmq_msg_more(message)) {
        zmq_msg_close(message);
        *received = false;
        return fail(err, REACT_RETRY, "store %s sent a message of several frames", link->address);
    }
    if (!*received) {
        bool nothing = errno == EAGAIN || errno == EINTR;
        zmq_msg_close(message);
        if (!nothing)
            return fail(err, REACT_RETRY, "cannot receive from store %s", link->address);
    }
    return true;
}
