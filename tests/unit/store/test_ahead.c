// Reading ahead: what is taken from a listener that stands in for the real one, in which order, how
// much, and what becomes of a frame whose turn comes before all of its lines are read.

#include "tests/unit/unit.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/memory.h"
#include "store/ahead.h"

// Messages waiting in the listeners.
struct listeners {
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
    snprintf(user, user_size, "eu-1");
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
    struct listeners listeners = {0};
    struct ahead ahead = {0};
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
    struct listeners listeners = {0};
    struct ahead ahead = {0};
    struct ahead_message message = {0};
    wait_data(&listeners, 1, 3, 0, 1);
    wait_data(&listeners, 4, 2, 0, 1);
    for (int i = 0; i < 3; i++) // the message and two of its lines
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
    struct listeners listeners = {0};
    struct ahead ahead = {0};
    struct ahead_message message = {0};
    wait_data(&listeners, 1, 1, 0, 1);
    assert_true(ahead_take(&ahead, &listeners, &message));
    assert_null(message.events);
    assert_true(ahead_is_empty(&ahead));
    ahead_message_reset(&message);
    empty(&listeners);
}

// 60 frames of 300 KB: neither all of them are taken nor all of their lines read.
static void enough_is_enough(void **state)
{
    (void)state;
    struct listeners listeners = {0};
    struct ahead ahead = {0};
    for (int i = 0; i < 60; i++)
        wait_data(&listeners, 1 + 3 * i, 3, 0, 100000);
    work_all(&ahead, &listeners);
    assert_in_range(ahead.bytes, 1 << 20, 9 << 20);
    assert_in_range(ahead.data_bytes, 4 << 20, 5 << 20);
    size_t before = listeners.given;
    assert_false(ahead_work(&ahead, &listeners));
    struct ahead_message message = {0};
    for (size_t i = 0; i < before; i++)
        assert_true(ahead_take(&ahead, &listeners, &message));
    assert_int_equal(listeners.given, before);
    assert_int_equal(ahead.bytes, 0);
    assert_int_equal(ahead.data_bytes, 0);
    ahead_message_reset(&message);
    empty(&listeners);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_in_order_with_their_lines_read),
        cmocka_unit_test(a_frame_may_be_taken_half_read),
        cmocka_unit_test(without_work_messages_come_from_the_listener),
        cmocka_unit_test(enough_is_enough),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
