// Reading ahead: what is taken from a listener that stands in for the real one, in which order, how
// much, and what becomes of a frame whose turn comes before all of its lines are read.

#include "tests/unit/unit.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/memory.h"
#include "store/ahead.h"

#define HELLO                                                                                      \
    "{\"kind\":\"hello\",\"collector\":\"c\",\"program\":\"p\",\"wire_min\":1,\"wire_max\":1,"     \
    "\"epoch\":"                                                                                   \
    "\"7\",\"next_seq\":\"1\",\"chain\":"                                                          \
    "\"0000000000000000000000000000000000000000000000000000000000000000\"}\n"

// Messages waiting in the listeners, all of one user.
struct listeners {
    const char *user;
    char *waiting[64];
    size_t count;
    size_t given;
};

bool listeners_receive(struct listeners *listeners, struct peer *peer, char *user, size_t user_size,
                       struct buffer *payload)
{
    if (listeners->given == listeners->count)
        return false;
    peer->length = 1;
    snprintf(user, user_size, "%s", listeners->user);
    const char *message = listeners->waiting[listeners->given++];
    buffer_clear(payload);
    buffer_append(payload, message, strlen(message));
    return true;
}

static void empty(struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++)
        free(listeners->waiting[i]);
}

static void wait_text(struct listeners *listeners, const char *text)
{
    listeners->waiting[listeners->count++] = xstrdup(text);
}

// A data frame of `count` events; each line's data carries `padding` bytes; line `bad` is no JSON.
static void wait_data(struct listeners *listeners, int first, int count, int bad, size_t padding)
{
    SCOPED_BUFFER text = {0};
    SCOPED(xfree_char) char *filler = xcalloc(padding + 1, 1);
    memset(filler, 'x', padding);
    buffer_printf(
        &text,
        "{\"kind\":\"data\",\"epoch\":\"7\",\"first\":\"%d\",\"n\":%d,\"chain\":\"%064d\"}\n",
        first, count, 0);
    for (int i = first; i < first + count; i++) {
        if (i == bad)
            buffer_append_text(&text, "{nonsense\n");
        else
            buffer_printf(&text,
                          "{\"specversion\":\"1.0\",\"id\":\"eu-1:7:%d\",\"type\":\"t\",\"data\":"
                          "{\"n\":%d,\"filler\":\"%s\",\"object\":{\"a\":1}}}\n",
                          i, i, filler);
    }
    listeners->waiting[listeners->count++] = xstrdup(text.data);
}

static size_t work_all(struct ahead *ahead, struct listeners *listeners)
{
    size_t pieces = 0;
    while (ahead_work(ahead, listeners))
        pieces++;
    return pieces;
}

static void messages_come_in_order_with_their_lines_read(void **state)
{
    (void)state;
    struct listeners listeners = {.user = "eu-1"};
    struct ahead ahead = {.bytes_most = 64 << 20};
    struct ahead_message message = {0};
    wait_text(&listeners, "{\"kind\":\"beat\",\"epoch\":\"7\"}\n[]");
    wait_data(&listeners, 1, 3, 2, 1);
    wait_text(&listeners, "nonsense");
    assert_int_equal(work_all(&ahead, &listeners), 3 + 3); // three messages and three lines
    assert_true(ahead_take(&ahead, &listeners, &message));
    assert_null(message.events);
    assert_memory_equal(message.payload.data, "{\"kind\":\"beat\"", 14);
    assert_true(ahead_take(&ahead, &listeners, &message));
    assert_int_equal(message.event_count, 3);
    assert_string_equal(message.events[0].quarantined, "");
    assert_string_equal(message.events[0].text, "{\"n\":1,\"filler\":\"x\"}");
    assert_string_not_equal(message.events[1].quarantined, "");
    assert_null(message.events[1].text);
    assert_string_equal(message.events[2].id, "eu-1:7:3");
    assert_true(ahead_take(&ahead, &listeners, &message));
    assert_memory_equal(message.payload.data, "nonsense", 8);
    assert_false(ahead_take(&ahead, &listeners, &message));
    ahead_message_reset(&message);
    ahead_reset(&ahead);
    empty(&listeners);
}

static void a_frame_may_be_taken_half_read(void **state)
{
    (void)state;
    struct listeners listeners = {.user = "eu-1"};
    struct ahead ahead = {.bytes_most = 64 << 20};
    struct ahead_message message = {0};
    wait_data(&listeners, 1, 3, 0, 1);
    wait_data(&listeners, 4, 2, 0, 1);
    for (int i = 0; i < 4; i++) // the messages and two lines
        assert_true(ahead_work(&ahead, &listeners));
    assert_true(ahead_take(&ahead, &listeners, &message));
    assert_int_equal(message.event_count, 2);
    work_all(&ahead, &listeners);
    assert_true(ahead_take(&ahead, &listeners, &message));
    assert_int_equal(message.event_count, 2);
    assert_string_equal(message.events[1].id, "eu-1:7:5");
    ahead_message_reset(&message);
    ahead_reset(&ahead);
    empty(&listeners);
}

static void without_work_messages_come_from_the_listener(void **state)
{
    (void)state;
    struct listeners listeners = {.user = "eu-1"};
    struct ahead ahead = {.bytes_most = 64 << 20};
    struct ahead_message message = {0};
    wait_data(&listeners, 1, 1, 0, 1);
    assert_true(ahead_take(&ahead, &listeners, &message));
    assert_null(message.events);
    assert_true(ahead_is_empty(&ahead));
    ahead_message_reset(&message);
    empty(&listeners);
}

// 60 frames of 300 KB, and room for 9 MB: neither all of them are taken nor all lines of those.
static void enough_is_enough(void **state)
{
    (void)state;
    struct listeners listeners = {.user = "eu-1"};
    struct ahead ahead = {.bytes_most = 64 << 20};
    ahead.bytes_most = 9 << 20;
    for (int i = 0; i < 60; i++)
        wait_data(&listeners, 1 + 3 * i, 3, 0, 100000);
    work_all(&ahead, &listeners);
    assert_true(ahead_is_full(&ahead));
    assert_in_range(ahead.bytes, 9 << 20, (9 << 20) + 400000);
    // Twice the bytes of each line and something for its tree.
    assert_in_range(ahead.tree_bytes, 2 * ahead.bytes, 2 * ahead.bytes + 90 * 4000);
    size_t before = listeners.given;
    assert_false(ahead_work(&ahead, &listeners));
    struct ahead_message message = {0};
    for (size_t i = 0; i < before; i++)
        assert_true(ahead_take(&ahead, &listeners, &message));
    assert_int_equal(listeners.given, before);
    assert_int_equal(ahead.bytes, 0);
    assert_int_equal(ahead.tree_bytes, 0);
    ahead_message_reset(&message);
    ahead_reset(&ahead);
    empty(&listeners);
}

// Lines that are all numbers: each takes two bytes and a node of the tree.
static void wait_trees(struct listeners *listeners, int first, int count, int numbers)
{
    SCOPED_BUFFER text = {0};
    buffer_printf(
        &text,
        "{\"kind\":\"data\",\"epoch\":\"7\",\"first\":\"%d\",\"n\":%d,\"chain\":\"%064d\"}\n",
        first, count, 0);
    for (int i = first; i < first + count; i++) {
        buffer_printf(&text,
                      "{\"specversion\":\"1.0\",\"id\":\"eu-1:7:%d\",\"type\":\"t\",\"data\":"
                      "{\"a\":[0",
                      i);
        for (int n = 0; n < numbers; n++)
            buffer_append_text(&text, ",0");
        buffer_append_text(&text, "]}}\n");
    }
    wait_text(listeners, text.data);
}

static void trees_are_bounded_by_what_they_take(void **state)
{
    (void)state;
    struct listeners listeners = {.user = "eu-1"};
    struct ahead ahead = {.bytes_most = 64 << 20};
    wait_trees(&listeners, 1, 50, 10000);
    work_all(&ahead, &listeners);
    assert_in_range(ahead.messages[0].event_count, 10, 20);
    assert_in_range(ahead.tree_bytes, 24 << 20, 26 << 20);
    ahead_reset(&ahead);
    empty(&listeners);
}

static void a_large_tree_is_left_to_its_batch(void **state)
{
    (void)state;
    struct listeners listeners = {.user = "eu-1"};
    struct ahead ahead = {.bytes_most = 64 << 20};
    wait_trees(&listeners, 1, 2, 100000);
    wait_data(&listeners, 3, 2, 0, 1);
    work_all(&ahead, &listeners);
    assert_int_equal(ahead.messages[0].event_count, 0);
    assert_int_equal(ahead.messages[1].event_count, 2);
    assert_in_range(ahead.tree_bytes, 1, 1 << 20);
    ahead_reset(&ahead);
    empty(&listeners);
}

// Collectors that wait for a stalled database come again and again.
static void of_what_comes_again_the_newest_is_kept(void **state)
{
    (void)state;
    struct listeners listeners = {.user = "eu-1"};
    struct ahead ahead = {.bytes_most = 64 << 20};
    struct ahead_message message = {0};
    wait_data(&listeners, 1, 3, 0, 1);
    for (int i = 0; i < 10; i++)
        wait_text(&listeners, "{\"kind\":\"beat\",\"epoch\":\"7\"}\n[]");
    wait_data(&listeners, 4, 3, 0, 1);
    for (int i = 0; i < 10; i++)
        wait_text(&listeners, "nonsense");
    work_all(&ahead, &listeners);
    assert_int_equal(ahead.count, 4);
    for (int i = 0; i < 10; i++)
        wait_text(&listeners, HELLO);
    wait_data(&listeners, 1, 3, 0, 1);
    work_all(&ahead, &listeners);
    static const int kinds[] = {FRAME_DATA, FRAME_DATA, FRAME_HELLO, FRAME_DATA};
    assert_int_equal(ahead.count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_true(ahead_take(&ahead, &listeners, &message));
        assert_int_equal(message.kind, kinds[i]);
        assert_int_equal(message.event_count, kinds[i] == FRAME_DATA ? 3 : 0);
    }
    assert_int_equal(ahead.bytes, 0);
    assert_int_equal(ahead.tree_bytes, 0);
    ahead_message_reset(&message);
    ahead_reset(&ahead);
    empty(&listeners);
}

static void a_hello_goes_before_the_data_of_others(void **state)
{
    (void)state;
    struct listeners listeners = {.user = "eu-1"};
    struct ahead ahead = {.bytes_most = 64 << 20};
    struct ahead_message message = {0};
    wait_data(&listeners, 1, 3, 0, 1);
    wait_data(&listeners, 4, 3, 0, 1);
    for (int i = 0; i < 4; i++) // the messages and two lines
        assert_true(ahead_work(&ahead, &listeners));
    listeners.user = "us-1";
    wait_text(&listeners, HELLO);
    work_all(&ahead, &listeners);
    assert_true(ahead_take(&ahead, &listeners, &message));
    assert_string_equal(message.user, "us-1");
    for (int frame = 0; frame < 2; frame++) {
        assert_true(ahead_take(&ahead, &listeners, &message));
        assert_string_equal(message.user, "eu-1");
        assert_int_equal(message.event_count, 3);
        assert_string_equal(message.events[2].quarantined, "");
    }
    ahead_message_reset(&message);
    ahead_reset(&ahead);
    empty(&listeners);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_in_order_with_their_lines_read),
        cmocka_unit_test(a_frame_may_be_taken_half_read),
        cmocka_unit_test(without_work_messages_come_from_the_listener),
        cmocka_unit_test(enough_is_enough),
        cmocka_unit_test(trees_are_bounded_by_what_they_take),
        cmocka_unit_test(a_large_tree_is_left_to_its_batch),
        cmocka_unit_test(of_what_comes_again_the_newest_is_kept),
        cmocka_unit_test(a_hello_goes_before_the_data_of_others),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
