// The ZAP handler thread: CURVE keys of the allow-list in, the collector's name as User-Id out.
// Its lines in the log name the refused key, so that a person can put it into the allow-list.

#include "store/zap.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/digest.h"
#include "common/log.h"
#include "common/memory.h"

#define ENDPOINT "inproc://zeromq.zap.01"
#define CONTROL "inproc://modeltrail.zap.stop"
#define FRAMES 7        // version, request id, domain, address, identity, mechanism, key
#define FRAME_BYTES 255 // of each frame that are kept

struct zap {
    void *replies; // REP socket of the handler
    void *control; // our end of the stop pair
    void *stop;    // the thread's end
    pthread_t thread;
    // Held for a look only: the loop that replaces the list must not wait for a handshake.
    pthread_mutex_t mutex; // guards list
    const struct allow_list *list;
    atomic_bool alive;
    atomic_bool stopping;
};

// Frames are kept as texts with a NUL behind them.
struct request {
    char frame[FRAMES][FRAME_BYTES + 1];
    size_t length[FRAMES];
    size_t count;
};

// Reads all frames of one request. One that is too long is cut, but its full length is kept, and
// those too many are counted: decide() refuses both.
// All frames are read before anything is decided: a REP socket must take the whole request to
// answer it.
static bool receive_request(void *socket, struct request *request)
{
    *request = (struct request){0};
    int more = 1;
    while (more) {
        char scratch[FRAME_BYTES + 1];
        bool kept = request->count < FRAMES;
        char *into = kept ? request->frame[request->count] : scratch;
        int length = zmq_recv(socket, into, FRAME_BYTES, 0);
        if (length < 0)
            return false;
        if (kept)
            request->length[request->count] = (size_t)length;
        request->count++;
        size_t size = sizeof(more);
        if (zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) != 0)
            return false;
    }
    return true;
}

// The collector's name, or NULL with a reason. Copies it, since the list may be replaced meanwhile.
// Keys are public, so comparing them need not take constant time.
static char *decide(struct zap *zap, const struct request *request, const char **reason)
{
    *reason = "the store is stopping";
    if (atomic_load(&zap->stopping))
        return NULL;
    *reason = "malformed request";
    // Six frames are what every mechanism sends; CURVE adds the key.
    if (request->count < 6 || strcmp(request->frame[0], "1.0") != 0)
        return NULL;
    *reason = "wrong domain";
    if (strcmp(request->frame[2], ZAP_DOMAIN) != 0)
        return NULL;
    *reason = "mechanism is not CURVE";
    if (strcmp(request->frame[5], "CURVE") != 0 || request->count != FRAMES ||
        request->length[6] != CURVE_KEY_BYTES)
        return NULL;
    *reason = "unknown key";
    pthread_mutex_lock(&zap->mutex);
    const struct allowed *allowed =
        allow_list_by_key(zap->list, (const uint8_t *)request->frame[6]);
    char *name = allowed ? xstrdup(allowed->name) : NULL;
    pthread_mutex_unlock(&zap->mutex);
    return name;
}

// The key comes along, since a name may get another one while the connection stands. Caller frees.
static char *user_of(const struct request *request, const char *name)
{
    char key[CURVE_KEY_HEX];
    if (name == NULL)
        return xstrdup("");
    hex_encode((const uint8_t *)request->frame[6], CURVE_KEY_BYTES, key);
    return xasprintf("%s %s", key, name);
}

// Version, request id, status, text, User-Id and metadata. A refusal is answered too: without an
// answer the client would be kept waiting.
static bool reply(struct zap *zap, const struct request *request, const char *name,
                  const char *reason)
{
    void *socket = zap->replies;
    const char *refused = atomic_load(&zap->stopping) ? "500" : "400";
    const char *status = name ? "200" : refused;
    const char *text = name ? "OK" : reason;
    SCOPED(xfree_char) char *user = user_of(request, name);
    size_t id_length = request->length[1] < FRAME_BYTES ? request->length[1] : FRAME_BYTES;
    return zmq_send(socket, "1.0", 3, ZMQ_SNDMORE) >= 0 &&
           zmq_send(socket, request->frame[1], id_length, ZMQ_SNDMORE) >= 0 &&
           zmq_send(socket, status, 3, ZMQ_SNDMORE) >= 0 &&
           zmq_send(socket, text, strlen(text), ZMQ_SNDMORE) >= 0 &&
           zmq_send(socket, user, strlen(user), ZMQ_SNDMORE) >= 0 &&
           zmq_send(socket, "", 0, 0) >= 0;
}

// The key is a public one; the address is libzmq's word for the peer.
static void log_refusal(const struct request *request, const char *reason)
{
    char key[CURVE_KEY_HEX] = "";
    if (request->count == FRAMES && request->length[6] == CURVE_KEY_BYTES)
        hex_encode((const uint8_t *)request->frame[6], CURVE_KEY_BYTES, key);
    log_line(LOG_WARN, "connection refused", "reason", reason, "address", request->frame[3], "key",
             key, NULL);
}

static bool answer_one(struct zap *zap)
{
    struct request request;
    if (!receive_request(zap->replies, &request))
        return false;
    const char *reason;
    SCOPED(xfree_char) char *name = decide(zap, &request, &reason);
    if (name == NULL)
        log_refusal(&request, reason);
    return reply(zap, &request, name, reason);
}

// Whatever breaks the loop shows as `alive` false, and ends the program: a store without it could
// let nobody in, and would not say so.
static void *run(void *argument)
{
    struct zap *zap = argument;
    zmq_pollitem_t items[] = {{.socket = zap->replies, .events = ZMQ_POLLIN},
                              {.socket = zap->stop, .events = ZMQ_POLLIN}};
    for (;;) {
        if (zmq_poll(items, 2, -1) < 0 && errno != EINTR)
            break;
        if (items[1].revents & ZMQ_POLLIN)
            break;
        if ((items[0].revents & ZMQ_POLLIN) && !answer_one(zap))
            break;
    }
    // By the thread that used them: sockets of ZeroMQ are not for two threads at a time.
    zmq_close(zap->replies);
    zmq_close(zap->stop);
    atomic_store(&zap->alive, false);
    return NULL;
}

// The thread is stopped through a socket, since it sleeps in zmq_poll.
static bool open_sockets(struct zap *zap, void *context, struct error *err)
{
    zap->replies = zmq_socket(context, ZMQ_REP);
    zap->control = zmq_socket(context, ZMQ_PAIR);
    zap->stop = zmq_socket(context, ZMQ_PAIR);
    int linger = 0;
    if (zap->replies == NULL || zap->control == NULL || zap->stop == NULL ||
        zmq_setsockopt(zap->replies, ZMQ_LINGER, &linger, sizeof(linger)) != 0 ||
        zmq_bind(zap->replies, ENDPOINT) != 0 || zmq_bind(zap->control, CONTROL) != 0 ||
        zmq_connect(zap->stop, CONTROL) != 0)
        return fail(err, REACT_STOP, "cannot start the authentication handler: %s",
                    zmq_strerror(zmq_errno()));
    return true;
}

// Sockets are made here and handed to the thread: so a failure to bind is an error of the start.
bool zap_start(void *zmq_context, const struct allow_list *list, struct zap **out,
               struct error *err)
{
    struct zap *zap = xcalloc(1, sizeof(*zap));
    zap->list = list;
    atomic_init(&zap->alive, true);
    atomic_init(&zap->stopping, false);
    pthread_mutex_init(&zap->mutex, NULL);
    bool started = open_sockets(zap, zmq_context, err);
    if (started && pthread_create(&zap->thread, NULL, run, zap) != 0)
        started = fail(err, REACT_STOP, "cannot start the authentication thread");
    if (!started) {
        void *sockets[] = {zap->replies, zap->control, zap->stop};
        for (size_t i = 0; i < 3; i++) {
            if (sockets[i] != NULL)
                zmq_close(sockets[i]);
        }
        free(zap);
        return false;
    }
    *out = zap;
    return true;
}

// Connections that were let in stay open; receiver.c looks their collector up in the list with each
// message, by name.
void zap_replace_list(struct zap *zap, const struct allow_list *list)
{
    pthread_mutex_lock(&zap->mutex);
    zap->list = list;
    pthread_mutex_unlock(&zap->mutex);
}

void zap_refuse_all(struct zap *zap)
{
    atomic_store(&zap->stopping, true);
}

bool zap_is_alive(struct zap *zap)
{
    return atomic_load(&zap->alive);
}

void zap_stop(struct zap *zap)
{
    if (zap == NULL)
        return;
    // Without waiting: a thread that has ended by itself takes nothing any more.
    zmq_send(zap->control, "", 0, ZMQ_DONTWAIT);
    pthread_join(zap->thread, NULL);
    zmq_close(zap->control);
    pthread_mutex_destroy(&zap->mutex);
    free(zap);
}
