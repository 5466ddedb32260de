// The publisher against a ROUTER driven by hand: what it says, in which order, and what it does not
// say before it may. Whole processes and lost connections are
// tests/integration/test_collector.py's.

#include "tests/unit/unit.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "collector/publisher_parts.h"
#include "collector/spool.h"
#include "collector/spool_file.h"
#include "common/event.h"
#include "common/timestamp.h"

struct room {
    char folder[64];
    char path[96];
    char endpoint[128];
    struct store_address store;
    void *context;
    void *router;
    struct spool *spool;
    struct publisher *publisher;
    zmq_msg_t peer;
    zmq_msg_t body;
};

static void make_key(struct curve_key *key)
{
    randombytes_buf(key->secret, sizeof(key->secret));
    crypto_scalarmult_base(key->public, key->secret);
}

static void bind_router(struct room *room, const struct curve_key *key)
{
    int on = 1;
    size_t size = sizeof(room->endpoint);
    room->router = zmq_socket(room->context, ZMQ_ROUTER);
    zmq_setsockopt(room->router, ZMQ_CURVE_SERVER, &on, sizeof(on));
    zmq_setsockopt(room->router, ZMQ_CURVE_SECRETKEY, key->secret, CURVE_KEY_BYTES);
    assert_int_equal(zmq_bind(room->router, "tcp://127.0.0.1:*"), 0);
    zmq_getsockopt(room->router, ZMQ_LAST_ENDPOINT, room->endpoint, &size);
}

static int set_up_with(void **state, int timeout_ms, const char *address)
{
    struct room *room = xcalloc(1, sizeof(*room));
    struct error err;
    struct curve_key store_key;
    make_key(&store_key);
    strcpy(room->folder, "/tmp/modeltrail-publisher-XXXXXX");
    assert_non_null(mkdtemp(room->folder));
    snprintf(room->path, sizeof(room->path), "%s/spool.db", room->folder);
    struct spool_options options = {.path = room->path,
                                    .collector = "eu-1",
                                    .cluster = "c1",
                                    .max_bytes = 1 << 26,
                                    .retain_events = 1000,
                                    .retain_bytes = 1 << 26};
    assert_true(spool_open(&options, &room->spool, &err));
    room->context = zmq_ctx_new();
    bind_router(room, &store_key);
    if (address != NULL)
        strcpy(room->endpoint, address);
    room->store.address = room->endpoint;
    memcpy(room->store.key, store_key.public, CURVE_KEY_BYTES);
    struct publisher_options wanted = {
        .stores = &room->store, .store_count = 1, .timeout_ms = timeout_ms};
    make_key(&wanted.key);
    room->publisher = publisher_open(room->context, room->spool, &wanted);
    zmq_msg_init(&room->peer);
    zmq_msg_init(&room->body);
    *state = room;
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, 5000, NULL);
}

static int set_up_impatient(void **state)
{
    return set_up_with(state, 200, NULL);
}

static int set_up_nowhere(void **state)
{
    return set_up_with(state, 5000, "nonsense://here");
}

static int tear_down(void **state)
{
    struct room *room = *state;
    int none = 0;
    publisher_close(room->publisher);
    spool_close(room->spool);
    zmq_msg_close(&room->peer);
    zmq_msg_close(&room->body);
    zmq_setsockopt(room->router, ZMQ_LINGER, &none, sizeof(none));
    zmq_close(room->router);
    zmq_ctx_term(room->context);
    unlink(room->path);
    int removed = rmdir(room->folder);
    free(room);
    return removed;
}

static void step(struct room *room)
{
    struct error err;
    if (!publisher_step(room->publisher, &err))
        fail_msg("%s", err.text);
}

// Steps until the store has a frame, at most `wait_ms`. The frame borrows from room.
static bool receive(struct room *room, struct frame *frame, int64_t wait_ms)
{
    struct error err;
    int64_t ends = monotonic_ms() + wait_ms;
    while (monotonic_ms() < ends) {
        step(room);
        zmq_pollitem_t item = {.socket = room->router, .events = ZMQ_POLLIN};
        if (zmq_poll(&item, 1, 10) <= 0)
            continue;
        zmq_msg_recv(&room->peer, room->router, 0);
        assert_true(zmq_msg_more(&room->peer));
        zmq_msg_recv(&room->body, room->router, 0);
        assert_false(zmq_msg_more(&room->body));
        if (!frame_parse(zmq_msg_data(&room->body), zmq_msg_size(&room->body), frame, &err))
            fail_msg("%s", err.text);
        return true;
    }
    return false;
}

static struct frame expect(struct room *room, enum frame_kind kind)
{
    struct frame frame;
    assert_true(receive(room, &frame, 5000));
    assert_int_equal(frame.kind, kind);
    return frame;
}

// Answers to whoever sent last.
static void answer(struct room *room, const struct frame *frame)
{
    SCOPED_BUFFER bytes = {0};
    frame_write(frame, &bytes);
    zmq_send(room->router, zmq_msg_data(&room->peer), zmq_msg_size(&room->peer), ZMQ_SNDMORE);
    zmq_send(room->router, bytes.data, bytes.length, 0);
}

static void acknowledge(struct room *room, int64_t seq)
{
    answer(room, &(struct frame){.kind = FRAME_ACK, .seq = seq});
}

static void spool_events(struct room *room, int count, size_t bytes)
{
    struct error err;
    char *data = xmalloc(bytes + 1);
    memset(data, ' ', bytes);
    memcpy(data, "{}", 2);
    assert_true(spool_begin(room->spool, &err));
    for (int i = 0; i < count; i++)
        assert_true(spool_append(room->spool, TYPE_SCOPE_GAP, NULL, 0, data, bytes, &err));
    assert_true(spool_commit(room->spool, &err));
    free(data);
}

// `window` 0: a store of version 1.
static void welcome_with(struct room *room, int64_t window)
{
    struct frame hello = expect(room, FRAME_HELLO);
    assert_string_equal(hello.collector, "eu-1");
    assert_int_equal(hello.epoch, spool_epoch(room->spool));
    assert_int_equal(hello.seq, spool_last(room->spool) + 1);
    assert_int_equal(hello.wire_min, 1);
    assert_int_equal(hello.wire_max, 2);
    answer(room, &(struct frame){
                     .kind = FRAME_WELCOME, .wire_max = window > 0 ? 2 : 1, .window = window});
}

static void welcome(struct room *room)
{
    welcome_with(room, 0);
}

static void two_frames_fly_and_no_third(void **state)
{
    struct room *room = *state;
    spool_events(room, FRAME_MAX_EVENTS * 2 + 500, 100);
    welcome(room);
    struct frame first = expect(room, FRAME_DATA);
    assert_int_equal(first.seq, 1);
    assert_int_equal(first.count, FRAME_MAX_EVENTS);
    uint8_t zero[DIGEST_BYTES] = {0};
    assert_memory_equal(first.chain, zero, DIGEST_BYTES);
    struct frame second = expect(room, FRAME_DATA);
    assert_int_equal(second.seq, FRAME_MAX_EVENTS + 1);
    uint8_t chain[DIGEST_BYTES];
    bool known;
    struct error err;
    assert_true(spool_chain_at(room->spool, FRAME_MAX_EVENTS, chain, &known, &err));
    assert_memory_equal(second.chain, chain, DIGEST_BYTES);
    struct frame third;
    assert_false(receive(room, &third, 200));
    // An ack inside of the first frame frees nothing.
    acknowledge(room, 10);
    assert_false(receive(room, &third, 200));
    acknowledge(room, FRAME_MAX_EVENTS);
    third = expect(room, FRAME_DATA);
    assert_int_equal(third.seq, 2 * FRAME_MAX_EVENTS + 1);
    assert_int_equal(third.count, 500);
    acknowledge(room, 2 * FRAME_MAX_EVENTS + 500);
    assert_false(receive(room, &third, 100));
    assert_true(publisher_is_confirmed(room->publisher));
}

static void large_events_make_small_frames(void **state)
{
    struct room *room = *state;
    spool_events(room, 5, EVENT_MAX_BYTES - 500);
    welcome(room);
    int64_t seen = 0;
    while (seen < 5) {
        struct frame data = expect(room, FRAME_DATA);
        assert_int_equal(data.seq, seen + 1);
        assert_true(zmq_msg_size(&room->body) <= FRAME_MAX_BYTES);
        seen += data.count;
        acknowledge(room, seen);
    }
}

static void a_window_bounds_what_flies(void **state)
{
    struct room *room = *state;
    struct frame none;
    spool_events(room, 100, 10000);
    welcome_with(room, 105000);
    // Half of it each: five events of some 10,200 bytes.
    assert_int_equal(expect(room, FRAME_DATA).count, 5);
    assert_int_equal(expect(room, FRAME_DATA).count, 5);
    assert_false(receive(room, &none, 200));
    // A smaller one holds from the next frame on: what flies is taken off it.
    answer(room, &(struct frame){.kind = FRAME_ACK, .seq = 5, .window = 60000});
    assert_false(receive(room, &none, 200));
    answer(room, &(struct frame){.kind = FRAME_ACK, .seq = 10, .window = 60000});
    assert_int_equal(expect(room, FRAME_DATA).count, 2);
    assert_int_equal(expect(room, FRAME_DATA).count, 2);
    answer(room, &(struct frame){.kind = FRAME_ACK, .seq = 14, .window = 1 << 20});
    assert_int_equal(expect(room, FRAME_DATA).count, 51);
}

static void an_event_larger_than_the_window_goes_alone(void **state)
{
    struct room *room = *state;
    struct frame none;
    spool_events(room, 1, 100);
    spool_events(room, 2, 50000);
    welcome_with(room, 20000);
    assert_int_equal(expect(room, FRAME_DATA).count, 1);
    for (int64_t acked = 1; acked < 3; acked++) {
        assert_false(receive(room, &none, 200));
        answer(room, &(struct frame){.kind = FRAME_ACK, .seq = acked, .window = 20000});
        assert_int_equal(expect(room, FRAME_DATA).count, 1);
    }
    acknowledge(room, 3);
    assert_false(receive(room, &none, 100));
    assert_true(publisher_is_confirmed(room->publisher));
}

static void looks_wait_for_what_they_claim(void **state)
{
    struct room *room = *state;
    welcome(room);
    step(room);
    struct frame frame;
    assert_false(receive(room, &frame, 100));
    spool_events(room, 3, 100);
    assert_true(publisher_wants_looks(room->publisher));
    publisher_offer_looks(room->publisher, "[1]", "");
    frame = expect(room, FRAME_DATA);
    struct frame early;
    assert_false(receive(room, &early, 200));
    acknowledge(room, 2);
    assert_false(receive(room, &early, 200));
    acknowledge(room, 3);
    frame = expect(room, FRAME_BEAT);
    assert_int_equal(frame.body_length, 3);
    assert_memory_equal(frame.body, "[1]", 3);
    // The same looks are not said again at once.
    publisher_offer_looks(room->publisher, "[1]", "");
    assert_false(receive(room, &early, 200));
    publisher_offer_looks(room->publisher, "[2]", "");
    frame = expect(room, FRAME_BEAT);
}

static void an_ack_of_the_unsent_ends_the_connection(void **state)
{
    struct room *room = *state;
    spool_events(room, 3, 100);
    welcome(room);
    expect(room, FRAME_DATA);
    acknowledge(room, 4);
    welcome(room); // a new hello: expects acked 0 again
    assert_int_equal(spool_acked(room->spool), 0);
    assert_int_equal(expect(room, FRAME_DATA).seq, 1);
}

static void a_broken_answer_ends_the_connection(void **state)
{
    struct room *room = *state;
    spool_events(room, 1, 100);
    expect(room, FRAME_HELLO);
    zmq_send(room->router, zmq_msg_data(&room->peer), zmq_msg_size(&room->peer), ZMQ_SNDMORE);
    zmq_send(room->router, "no frame", 8, 0);
    welcome(room);
    expect(room, FRAME_DATA);
}

// ---- stores that say what they should not -------------------------------------------------------

static void another_wire_version_ends_the_connection(void **state)
{
    struct room *room = *state;
    spool_events(room, 1, 100);
    expect(room, FRAME_HELLO);
    answer(room, &(struct frame){.kind = FRAME_WELCOME, .wire_max = WIRE_VERSION + 1});
    welcome(room);
    assert_int_equal(expect(room, FRAME_DATA).seq, 1);
}

static void a_frame_out_of_place_ends_the_connection(void **state)
{
    struct room *room = *state;
    spool_events(room, 1, 100);
    expect(room, FRAME_HELLO);
    acknowledge(room, 0); // before the welcome
    welcome(room);
    expect(room, FRAME_DATA);
    answer(room, &(struct frame){.kind = FRAME_WELCOME, .wire_max = WIRE_VERSION}); // a second one
    welcome(room);
    expect(room, FRAME_DATA);
}

static void a_message_of_several_frames_ends_the_connection(void **state)
{
    struct room *room = *state;
    expect(room, FRAME_HELLO);
    zmq_send(room->router, zmq_msg_data(&room->peer), zmq_msg_size(&room->peer), ZMQ_SNDMORE);
    zmq_send(room->router, "{}", 2, ZMQ_SNDMORE);
    zmq_send(room->router, "{}", 2, 0);
    welcome(room);
}

static void an_ack_may_be_repeated(void **state)
{
    struct room *room = *state;
    struct frame none;
    spool_events(room, 3, 100);
    welcome(room);
    expect(room, FRAME_DATA);
    acknowledge(room, 2);
    acknowledge(room, 2);
    acknowledge(room, 3);
    assert_false(receive(room, &none, 100));
    assert_int_equal(spool_acked(room->spool), 3);
    assert_true(publisher_is_confirmed(room->publisher));
}

static void a_fork_is_remembered_and_nothing_more_is_sent(void **state)
{
    struct room *room = *state;
    struct frame none;
    const char *reason;
    spool_events(room, 3, 100);
    welcome(room);
    expect(room, FRAME_DATA);
    assert_false(publisher_is_forked(room->publisher, &reason));
    answer(room, &(struct frame){.kind = FRAME_NACK, .reason = NACK_FORK, .message = "other"});
    assert_false(receive(room, &none, 400));
    assert_true(publisher_is_forked(room->publisher, &reason));
    assert_string_equal(reason, "nack fork: other");
}

// And a refusal of the old key is none of the next one.
static void a_refusal_is_remembered_until_a_welcome(void **state)
{
    struct room *room = *state;
    struct frame none;
    const char *reason;
    const struct frame refused = {
        .kind = FRAME_NACK, .reason = NACK_NOT_ALLOWED, .message = "not known"};
    expect(room, FRAME_HELLO);
    assert_false(publisher_is_refused(room->publisher, &reason));
    answer(room, &refused);
    assert_false(receive(room, &none, 400));
    assert_true(publisher_is_refused(room->publisher, &reason));
    assert_string_equal(reason, "nack not_allowed: not known");
    const struct curve_key key = room->publisher->options.key;
    publisher_replace_key(room->publisher, &key);
    assert_false(publisher_is_refused(room->publisher, &reason));
    expect(room, FRAME_HELLO);
    answer(room, &refused);
    assert_false(receive(room, &none, 400));
    assert_true(publisher_is_refused(room->publisher, &reason));
    room->publisher->due_ms = 0; // the minute is over
    spool_events(room, 1, 100);
    welcome(room);
    expect(room, FRAME_DATA);
    assert_false(publisher_is_refused(room->publisher, &reason));
}

static void a_store_that_never_answers_is_called_again(void **state)
{
    struct room *room = *state;
    expect(room, FRAME_HELLO);
    expect(room, FRAME_HELLO);
    welcome(room);
}

// Less and less often; the pause is bounded.
static void an_address_that_cannot_be_used_is_tried_again(void **state)
{
    struct room *room = *state;
    int64_t ends = monotonic_ms() + 600;
    int tries = 0;
    while (monotonic_ms() < ends) {
        tries += publisher_timeout_ms(room->publisher) == 0;
        step(room);
        usleep(1000);
    }
    assert_in_range(tries, 2, 8);
}

// ---- a spool that fails -------------------------------------------------------------------------

static void execute(struct room *room, const char *sql)
{
    struct error err;
    assert_true(spool_file_execute(spool_database(room->spool), sql, &err));
}

// Steps until the publisher gives up, and checks that it is the spool that it complains of.
static void expect_stop(struct room *room, const char *words)
{
    struct error err = {0};
    int64_t ends = monotonic_ms() + 5000;
    bool going = true;
    while (going && monotonic_ms() < ends)
        going = publisher_step(room->publisher, &err);
    assert_false(going);
    assert_int_equal(err.react, REACT_STOP);
    if (strstr(err.text, words) == NULL)
        fail_msg("'%s' is not in '%s'", words, err.text);
}

static void a_spool_that_fails_at_hello_stops(void **state)
{
    struct room *room = *state;
    spool_events(room, 3, 100);
    execute(room, "DROP TABLE event");
    expect_stop(room, "no such table");
}

static void a_spool_that_fails_at_welcome_stops(void **state)
{
    struct room *room = *state;
    spool_events(room, 3, 100);
    expect(room, FRAME_HELLO);
    execute(room, "DROP TABLE event");
    answer(room, &(struct frame){.kind = FRAME_WELCOME, .wire_max = WIRE_VERSION, .seq = 1});
    expect_stop(room, "no such table");
}

static void a_spool_that_fails_at_data_stops(void **state)
{
    struct room *room = *state;
    struct frame none;
    welcome(room);
    assert_false(receive(room, &none, 100));
    spool_events(room, 3, 100);
    execute(room, "DROP TABLE event");
    expect_stop(room, "no such table");
}

static void a_spool_that_lacks_what_it_should_have_stops(void **state)
{
    struct room *room = *state;
    struct frame none;
    welcome(room);
    assert_false(receive(room, &none, 100));
    spool_events(room, 3, 100);
    execute(room, "DELETE FROM event");
    expect_stop(room, "the spool lacks event 1");
}

static void a_spool_that_cannot_begin_anew_stops(void **state)
{
    struct room *room = *state;
    struct error err;
    spool_events(room, 2000, 100);
    assert_true(spool_acknowledge(room->spool, 2000, &err) && spool_begin(room->spool, &err) &&
                spool_trim(room->spool, &err) && spool_commit(room->spool, &err));
    expect(room, FRAME_HELLO);
    execute(room, "DROP TABLE milestone");
    answer(room, &(struct frame){.kind = FRAME_WELCOME, .wire_max = WIRE_VERSION, .seq = 1});
    expect_stop(room, "no such table: milestone");
}

#define PUBLISHER_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PUBLISHER_TEST(two_frames_fly_and_no_third),
        PUBLISHER_TEST(large_events_make_small_frames),
        PUBLISHER_TEST(a_window_bounds_what_flies),
        PUBLISHER_TEST(an_event_larger_than_the_window_goes_alone),
        PUBLISHER_TEST(looks_wait_for_what_they_claim),
        PUBLISHER_TEST(an_ack_of_the_unsent_ends_the_connection),
        PUBLISHER_TEST(a_broken_answer_ends_the_connection),
        PUBLISHER_TEST(another_wire_version_ends_the_connection),
        PUBLISHER_TEST(a_frame_out_of_place_ends_the_connection),
        PUBLISHER_TEST(a_message_of_several_frames_ends_the_connection),
        PUBLISHER_TEST(an_ack_may_be_repeated),
        PUBLISHER_TEST(a_fork_is_remembered_and_nothing_more_is_sent),
        PUBLISHER_TEST(a_refusal_is_remembered_until_a_welcome),
        cmocka_unit_test_setup_teardown(a_store_that_never_answers_is_called_again,
                                        set_up_impatient, tear_down),
        cmocka_unit_test_setup_teardown(an_address_that_cannot_be_used_is_tried_again,
                                        set_up_nowhere, tear_down),
        PUBLISHER_TEST(a_spool_that_fails_at_hello_stops),
        PUBLISHER_TEST(a_spool_that_fails_at_welcome_stops),
        PUBLISHER_TEST(a_spool_that_fails_at_data_stops),
        PUBLISHER_TEST(a_spool_that_lacks_what_it_should_have_stops),
        PUBLISHER_TEST(a_spool_that_cannot_begin_anew_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
