// The authentication handler, asked directly: who gets in under which name, and what is refused.

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "common/digest.h"
#include "common/timestamp.h"
#include "store/zap.h"

#define KEY "0123456789abcdef0123456789abcdef"

struct room {
    void *context;
    void *socket; // libzmq's side
    struct zap *zap;
};

static struct allowed allowed = {
    .name = (char[]){"eu-1"}, .key_count = 1, .cluster = (char[]){"c1"}};
static const struct allow_list list = {.items = &allowed, .count = 1};
static const struct allow_list nobody = {.items = NULL, .count = 0};

static int set_up(void **state)
{
    struct room *room = xcalloc(1, sizeof(*room));
    struct error err;
    memcpy(allowed.keys[0], KEY, CURVE_KEY_BYTES);
    room->context = zmq_ctx_new();
    assert_true(zap_start(room->context, &list, &room->zap, &err));
    room->socket = zmq_socket(room->context, ZMQ_REQ);
    assert_int_equal(zmq_connect(room->socket, "inproc://zeromq.zap.01"), 0);
    *state = room;
    return 0;
}

static int tear_down(void **state)
{
    struct room *room = *state;
    zap_stop(room->zap);
    zmq_close(room->socket);
    zmq_ctx_term(room->context);
    free(room);
    return 0;
}

// Asks with these frames; gives the status and the User-Id of the answer.
static void ask(struct room *room, const char *const frames[], size_t count, char *status,
                char *user)
{
    char answer[6][256] = {{0}};
    for (size_t i = 0; i < count; i++)
        assert_true(zmq_send(room->socket, frames[i], strlen(frames[i]),
                             i + 1 < count ? ZMQ_SNDMORE : 0) >= 0);
    for (size_t i = 0; i < 6; i++)
        assert_true(zmq_recv(room->socket, answer[i], sizeof(answer[i]) - 1, 0) >= 0);
    assert_string_equal(answer[0], "1.0");
    assert_string_equal(answer[1], frames[1]);
    strcpy(status, answer[2]);
    strcpy(user, answer[4]);
}

static void refuses(struct room *room, const char *const frames[], size_t count)
{
    char status[256];
    char user[256];
    ask(room, frames, count, status, user);
    assert_string_equal(status, "400");
    assert_string_equal(user, "");
}

#define REQUEST(version, domain, mechanism, ...)                                                   \
    ((const char *const[]){version, "id", domain, "127.0.0.1", "", mechanism, __VA_ARGS__})

static void names_the_collector_of_a_known_key(void **state)
{
    struct room *room = *state;
    char status[256];
    char user[256];
    char expected[CURVE_KEY_HEX + 8];
    ask(room, REQUEST("1.0", ZAP_DOMAIN, "CURVE", KEY), 7, status, user);
    assert_string_equal(status, "200");
    hex_encode((const uint8_t *)KEY, CURVE_KEY_BYTES, expected);
    strcat(expected, " eu-1");
    assert_string_equal(user, expected);
}

static void refuses_what_is_not_allowed(void **state)
{
    struct room *room = *state;
    const char *other = "x123456789abcdef0123456789abcdef";
    refuses(room, REQUEST("2.0", ZAP_DOMAIN, "CURVE", KEY), 7);
    refuses(room, REQUEST("1.0", "elsewhere", "CURVE", KEY), 7);
    refuses(room, REQUEST("1.0", ZAP_DOMAIN, "NULL", KEY), 6);
    refuses(room, REQUEST("1.0", ZAP_DOMAIN, "CURVE", "short"), 7);
    refuses(room, REQUEST("1.0", ZAP_DOMAIN, "CURVE", KEY, "one too many"), 8);
    refuses(room, REQUEST("1.0", ZAP_DOMAIN, "CURVE", other), 7);
    zap_replace_list(room->zap, &nobody);
    refuses(room, REQUEST("1.0", ZAP_DOMAIN, "CURVE", KEY), 7);
    refuses(room, REQUEST("1.0", ZAP_DOMAIN, "", ""), 2); // a request that ends too early
    zap_replace_list(room->zap, &list);
    names_the_collector_of_a_known_key(state);
}

static void there_is_one_handler(void **state)
{
    struct room *room = *state;
    struct zap *second = NULL;
    struct error err;
    assert_false(zap_start(room->context, &list, &second, &err));
    assert_null(second);
    assert_int_equal(err.react, REACT_STOP);
    assert_non_null(strstr(err.text, "cannot start the authentication handler"));
    names_the_collector_of_a_known_key(state);
}

// Whatever ends the thread is seen, since a store without it lets nobody in.
static void its_end_is_seen(void **state)
{
    struct room *room = *state;
    int64_t ends = monotonic_ms() + 5000;
    assert_true(zap_is_alive(room->zap));
    assert_int_equal(zmq_ctx_shutdown(room->context), 0);
    while (zap_is_alive(room->zap) && monotonic_ms() < ends)
        usleep(1000);
    assert_false(zap_is_alive(room->zap));
}

#define ZAP_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ZAP_TEST(names_the_collector_of_a_known_key),
        ZAP_TEST(refuses_what_is_not_allowed),
        ZAP_TEST(there_is_one_handler),
        ZAP_TEST(its_end_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
