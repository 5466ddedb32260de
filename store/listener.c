// The ROUTER socket and its monitor.
// What messages mean is for receiver.c; here is what ZeroMQ needs to be told, so that a hostile or
// broken peer costs little.

#include "store/listener.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/digest.h"
#include "common/event.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/timestamp.h"
#include "store/zap.h"

// A draft option of the header, which the library takes all the same; set_security checks that it
// does.
#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93
#endif

struct listener {
    unsigned number;
    char *endpoint;
    uint8_t public[CURVE_KEY_BYTES];
    void *router;
    void *monitor;
    int64_t logged_ms; // when a failed handshake was last logged
    unsigned unlogged; // failures since
    uint16_t failure;  // the last one that libzmq named; 0 when the next has no name
    bool *greeting;    // by descriptor: accepted, and its handshake not ended yet
    size_t greeting_capacity;
};

static bool set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof(value)) == 0;
}

// All of them before the bind: options set later hold for later connections only, or not at all.
static bool set_limits(void *router)
{
    int64_t max_bytes = FRAME_MAX_BYTES;
    // Two frames a collector may be unacknowledged; a small queue keeps memory bounded and fair.
    return zmq_setsockopt(router, ZMQ_MAXMSGSIZE, &max_bytes, sizeof(max_bytes)) == 0 &&
           set_int(router, ZMQ_RCVHWM, 4) && set_int(router, ZMQ_SNDHWM, 64) &&
           set_int(router, ZMQ_LINGER, 500) && set_int(router, ZMQ_ROUTER_MANDATORY, 1) &&
           // Milliseconds. A peer that vanished without a word is let go after 20 s, one that never
           // gets through its handshake after 10 s. ROUTER_MANDATORY makes sending to one that is
           // gone an error; without it the answer would be dropped silently.
           set_int(router, ZMQ_HEARTBEAT_IVL, 5000) &&
           set_int(router, ZMQ_HEARTBEAT_TIMEOUT, 20000) &&
           set_int(router, ZMQ_HANDSHAKE_IVL, 10000) && set_int(router, ZMQ_IPV6, 1);
}

static bool set_security(void *router, const struct curve_key *key)
{
    // Without ENFORCE_DOMAIN a missing ZAP handler would admit every client that knows our key.
    return zmq_setsockopt(router, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN, strlen(ZAP_DOMAIN)) == 0 &&
           set_int(router, ZMQ_ZAP_ENFORCE_DOMAIN, 1) && set_int(router, ZMQ_CURVE_SERVER, 1) &&
           zmq_setsockopt(router, ZMQ_CURVE_SECRETKEY, key->secret, CURVE_KEY_BYTES) == 0;
}

// Before the socket is bound, so that no handshake is missed.
static bool open_monitor(struct listener *listener, void *context)
{
    int events = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                 ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                 ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    SCOPED(xfree_char)
    char *address = xasprintf("inproc://modeltrail.listener.%u", listener->number);
    listener->monitor = zmq_socket(context, ZMQ_PAIR);
    return listener->monitor != NULL &&
           zmq_socket_monitor(listener->router, address, events) == 0 &&
           zmq_connect(listener->monitor, address) == 0;
}

// libzmq closes sockets in a thread of its own: the port of a listener that was just closed may be
// taken for some milliseconds more.
static bool bind_soon(void *router, const char *endpoint)
{
    int64_t deadline = monotonic_ms() + 1000;
    while (zmq_bind(router, endpoint) != 0) {
        if (zmq_errno() != EADDRINUSE || monotonic_ms() > deadline)
            return false;
        poll(NULL, 0, 10);
    }
    return true;
}

// Limits, security and monitor are all in place before the first byte can come in.
bool listener_open(void *zmq_context, const char *endpoint, const struct curve_key *key,
                   struct listener **out, struct error *err)
{
    static unsigned number;
    struct listener *listener = xcalloc(1, sizeof(*listener));
    listener->number = ++number;
    listener->endpoint = xstrdup(endpoint);
    memcpy(listener->public, key->public, CURVE_KEY_BYTES);
    listener->router = zmq_socket(zmq_context, ZMQ_ROUTER);
    bool ready = listener->router != NULL && set_limits(listener->router) &&
                 set_security(listener->router, key) && open_monitor(listener, zmq_context) &&
                 bind_soon(listener->router, endpoint);
    if (!ready) {
        fail(err, REACT_STOP, "cannot listen on %s: %s", endpoint, zmq_strerror(zmq_errno()));
        listener_close(listener);
        return false;
    }
    *out = listener;
    return true;
}

void listener_close(struct listener *listener)
{
    if (listener == NULL)
        return;
    if (listener->router != NULL) {
        zmq_socket_monitor(listener->router, NULL, 0);
        zmq_close(listener->router);
    }
    if (listener->monitor != NULL)
        zmq_close(listener->monitor);
    free(listener->greeting);
    free(listener->endpoint);
    free(listener);
}

unsigned listener_number(const struct listener *listener)
{
    return listener->number;
}

bool listener_is_at(const struct listener *listener, const char *endpoint,
                    const uint8_t public_key[CURVE_KEY_BYTES])
{
    return strcmp(listener->endpoint, endpoint) == 0 &&
           memcmp(listener->public, public_key, CURVE_KEY_BYTES) == 0;
}

void *listener_socket(struct listener *listener)
{
    return listener->router;
}

void *listener_monitor(struct listener *listener)
{
    return listener->monitor;
}

static bool receive_frame(void *socket, zmq_msg_t *message)
{
    zmq_msg_init(message);
    if (zmq_msg_recv(message, socket, ZMQ_DONTWAIT) >= 0)
        return true;
    zmq_msg_close(message);
    return false;
}

// A message of another number of frames is not ours: its rest is dropped.
static void drop_rest(void *socket)
{
    zmq_msg_t message;
    while (receive_frame(socket, &message)) {
        bool more = zmq_msg_more(&message);
        zmq_msg_close(&message);
        if (!more)
            return;
    }
}

// What ZAP said of the connection: the key in hex, a blank, and the collector's name (zap.c).
static void read_user(const char *text, struct peer *peer, char *user, size_t user_size)
{
    char hex[CURVE_KEY_HEX] = "";
    memset(peer->key, 0, sizeof(peer->key));
    user[0] = '\0';
    if (text == NULL || strlen(text) < CURVE_KEY_HEX || text[CURVE_KEY_HEX - 1] != ' ')
        return;
    memcpy(hex, text, CURVE_KEY_HEX - 1);
    if (hex_decode(hex, peer->key, CURVE_KEY_BYTES))
        snprintf(user, user_size, "%s", text + CURVE_KEY_HEX);
}

// The user comes with each message from the connection's own handshake; a peer cannot set it.
// Whatever is malformed is given as an empty payload, so that the sender gets an answer.
bool listener_receive(struct listener *listener, struct peer *peer, char *user, size_t user_size,
                      struct buffer *payload)
{
    zmq_msg_t message;
    if (!receive_frame(listener->router, &message))
        return false;
    peer->listener = listener->number;
    peer->length = zmq_msg_size(&message);
    memcpy(peer->routing_id, zmq_msg_data(&message), peer->length);
    bool more = zmq_msg_more(&message);
    zmq_msg_close(&message);
    buffer_clear(payload);
    read_user(NULL, peer, user, user_size);
    if (!more || !receive_frame(listener->router, &message))
        return true; // an empty payload fails to parse, with a message
    read_user(zmq_msg_gets(&message, "User-Id"), peer, user, user_size);
    more = zmq_msg_more(&message);
    if (!more)
        buffer_append(payload, zmq_msg_data(&message), zmq_msg_size(&message));
    zmq_msg_close(&message);
    if (more)
        drop_rest(listener->router);
    return true;
}

// The first frame names the peer and fails when it is gone; then nothing of the message is under
// way. Behind it the second must follow: half a message would take the next one's frames.
bool listener_send(struct listener *listener, const struct peer *peer, const struct buffer *payload)
{
    if (zmq_send(listener->router, peer->routing_id, peer->length, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return false;
    bool sent = zmq_send(listener->router, payload->data, payload->length, ZMQ_DONTWAIT) >= 0;
    if (!sent && errno == ENOMEM)
        memory_exhausted();
    return sent;
}

static const char *failure_name(uint16_t event)
{
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
        return "key not allowed";
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL)
        return "not the CURVE protocol";
    return "the connection ended during the handshake";
}

// One line a second at most: anybody who reaches the port can make handshakes fail.
static void log_failure(struct listener *listener)
{
    int64_t now = monotonic_ms();
    listener->unlogged++;
    if (listener->logged_ms != 0 && now - listener->logged_ms < 1000)
        return;
    char count[16];
    snprintf(count, sizeof(count), "%u", listener->unlogged);
    log_line(LOG_WARN, "handshake failed", "reason", failure_name(listener->failure), "count",
             count, NULL);
    listener->logged_ms = now;
    listener->unlogged = 0;
}

// Each failed handshake is counted once, when its connection ends. What libzmq says of it before is
// the reason only: it names no connection, and of bytes that are no greeting at all it says
// nothing. Descriptors are small numbers that are used again, so an array by descriptor does.
static void follow_handshake(struct listener *listener, uint16_t event, uint32_t descriptor)
{
    size_t had = listener->greeting_capacity;
    listener->greeting =
        xgrow(listener->greeting, &listener->greeting_capacity, (size_t)descriptor + 1, 1);
    memset(listener->greeting + had, 0, listener->greeting_capacity - had);
    bool *greeting = &listener->greeting[descriptor];
    if (event == ZMQ_EVENT_DISCONNECTED && *greeting) {
        log_failure(listener);
        listener->failure = 0;
    }
    *greeting = event == ZMQ_EVENT_ACCEPTED;
}

static void take_event(struct listener *listener, uint16_t event, uint32_t value)
{
    switch (event) {
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        listener->failure = event;
        break;
    case ZMQ_EVENT_ACCEPTED:
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
    case ZMQ_EVENT_DISCONNECTED:
        // The value is a descriptor; the bound keeps an odd one from making the array large.
        if (value < 65536)
            follow_handshake(listener, event, value);
        break;
    default:
        break;
    }
}

// A monitor message is a frame of event number (16 bits) and value (32 bits), then the endpoint.
void listener_log_handshakes(struct listener *listener)
{
    zmq_msg_t message;
    while (receive_frame(listener->monitor, &message)) {
        uint16_t event = 0;
        uint32_t value = 0;
        const uint8_t *bytes = zmq_msg_data(&message);
        if (zmq_msg_size(&message) == sizeof(event) + sizeof(value)) {
            memcpy(&event, bytes, sizeof(event));
            memcpy(&value, bytes + sizeof(event), sizeof(value));
        }
        bool more = zmq_msg_more(&message);
        zmq_msg_close(&message);
        if (more)
            drop_rest(listener->monitor);
        take_event(listener, event, value);
    }
}
