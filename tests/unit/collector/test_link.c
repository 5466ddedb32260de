// A connection to a store: what ZeroMQ's monitor tells becomes a reason that a person can act on.

#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include "collector/link.h"
#include "common/timestamp.h"

struct room {
    void *context;
    struct curve_key key;
    struct curve_key store_key;
    char endpoint[64];
    int listener;
    struct link *link;
};

static void make_key(struct curve_key *key)
{
    randombytes_buf(key->secret, sizeof(key->secret));
    crypto_scalarmult_base(key->public, key->secret);
}

// A port that is bound, and listens only when told to.
static int set_up(void **state)
{
    struct room *room = xcalloc(1, sizeof(*room));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    room->context = zmq_ctx_new();
    make_key(&room->key);
    make_key(&room->store_key);
    room->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(room->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(room->listener, (struct sockaddr *)&address, &size), 0);
    snprintf(room->endpoint, sizeof(room->endpoint), "tcp://127.0.0.1:%u",
             (unsigned)ntohs(address.sin_port));
    *state = room;
    return 0;
}

static int tear_down(void **state)
{
    struct room *room = *state;
    link_close(room->link);
    close(room->listener);
    zmq_ctx_term(room->context);
    free(room);
    return 0;
}

static void open_link(struct room *room)
{
    struct error err;
    if (!link_open(room->context, room->endpoint, room->store_key.public, &room->key, &room->link,
                   &err))
        fail_msg("%s", err.text);
}

static int accept_one(struct room *room)
{
    assert_int_equal(listen(room->listener, 1), 0);
    open_link(room);
    int peer = accept(room->listener, NULL, NULL);
    assert_true(peer >= 0);
    return peer;
}

static void expect_trouble(struct room *room, const char *words)
{
    struct error err = {0};
    int64_t ends = monotonic_ms() + 5000;
    while (link_check(room->link, &err)) {
        assert_true(monotonic_ms() < ends);
        usleep(1000);
    }
    assert_int_equal(err.react, REACT_RETRY);
    if (strstr(err.text, words) == NULL)
        fail_msg("'%s' is not in '%s'", words, err.text);
}

static void nobody_listens(void **state)
{
    struct room *room = *state;
    open_link(room);
    expect_trouble(room, "does it run there?");
}

static void an_address_that_is_none(void **state)
{
    struct room *room = *state;
    struct error err;
    assert_false(link_open(room->context, "tcp://nowhere", room->store_key.public, &room->key,
                           &room->link, &err));
    assert_int_equal(err.react, REACT_RETRY);
    assert_non_null(strstr(err.text, "cannot connect to tcp://nowhere"));
    assert_null(room->link);
}

static void a_peer_that_hangs_up(void **state)
{
    struct room *room = *state;
    close(accept_one(room));
    expect_trouble(room, "is this a store's address");
}

// libzmq hangs up on it, and tells of no handshake that failed.
static void a_peer_of_another_protocol(void **state)
{
    struct room *room = *state;
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    int peer = accept_one(room);
    assert_int_equal(write(peer, answer, sizeof(answer) - 1), (ssize_t)sizeof(answer) - 1);
    expect_trouble(room, "closed the connection during the CURVE handshake");
    close(peer);
}

// ZMTP's greeting with another mechanism than CURVE.
static void a_peer_without_curve(void **state)
{
    struct room *room = *state;
    char greeting[64] = "\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL";
    int peer = accept_one(room);
    assert_int_equal(write(peer, greeting, sizeof(greeting)), (ssize_t)sizeof(greeting));
    expect_trouble(room, "the CURVE handshake with store");
    close(peer);
}

// What is not sent stays in the spool: a few frames wait in the socket, and no more are taken.
static void takes_no_more_than_a_few(void **state)
{
    struct room *room = *state;
    struct error err;
    int taken = 0;
    open_link(room);
    for (bool going = true; going && taken < 100; taken += going) {
        SCOPED_BUFFER frame = {0};
        buffer_append_text(&frame, "{}");
        going = link_send(room->link, &frame, &err);
        assert_null(frame.data); // given away, taken or not
    }
    assert_in_range(taken, 1, 16);
    assert_int_equal(err.react, REACT_RETRY);
    assert_non_null(strstr(err.text, "takes no more"));
}

// A context that is going away stands for whatever else ZeroMQ may report.
static void what_cannot_be_received_is_said(void **state)
{
    struct room *room = *state;
    struct error err;
    zmq_msg_t message;
    bool received;
    open_link(room);
    assert_true(link_receive(room->link, &message, &received, &err));
    assert_false(received);
    assert_int_equal(zmq_ctx_shutdown(room->context), 0);
    assert_false(link_receive(room->link, &message, &received, &err));
    assert_false(received);
    assert_int_equal(err.react, REACT_RETRY);
    assert_non_null(strstr(err.text, "cannot receive from store"));
}

#define LINK_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINK_TEST(nobody_listens),
        LINK_TEST(an_address_that_is_none),
        LINK_TEST(a_peer_that_hangs_up),
        LINK_TEST(a_peer_of_another_protocol),
        LINK_TEST(a_peer_without_curve),
        LINK_TEST(takes_no_more_than_a_few),
        LINK_TEST(what_cannot_be_received_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
