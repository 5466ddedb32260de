// Opens the store's listener with or without its ZAP handler, and says within three seconds whether
// a message came through: `driver_store_listener ENDPOINT KEY_FILE ALLOWED_KEY [--zap]`.

#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "common/timestamp.h"
#include "store/listener.h"
#include "store/zap.h"

static bool receive_one(struct listener *listener)
{
    struct peer peer;
    char user[65];
    SCOPED_BUFFER payload = {0};
    int64_t deadline = monotonic_ms() + 3000;
    while (monotonic_ms() < deadline) {
        zmq_pollitem_t item = {.socket = listener_socket(listener), .events = ZMQ_POLLIN};
        if (zmq_poll(&item, 1, 200) > 0 &&
            listener_receive(listener, &peer, user, sizeof(user), &payload)) {
            printf("received from %s\n", user);
            return true;
        }
    }
    puts("nothing received");
    return false;
}

int main(int argc, char **argv)
{
    SCOPED_CURVE_KEY key = {0};
    struct error err;
    struct allowed allowed = {.name = (char[]){"eu-1"}, .key_count = 1, .cluster = (char[]){"c1"}};
    struct allow_list list = {.items = &allowed, .count = 1};
    struct zap *zap = NULL;
    struct listener *listener = NULL;
    if (argc < 4 || !curve_key_load(argv[2], &key, &err) ||
        !curve_public_from_hex(argv[3], allowed.keys[0], &err))
        return 2;
    void *context = zmq_ctx_new();
    bool wanted = argc > 4 && strcmp(argv[4], "--zap") == 0;
    if (wanted && !zap_start(context, &list, &zap, &err))
        return 2;
    if (!listener_open(context, argv[1], &key, &listener, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 2;
    }
    puts("listening");
    fflush(stdout);
    receive_one(listener);
    listener_close(listener);
    zap_stop(zap);
    zmq_ctx_term(context);
    return 0;
}
