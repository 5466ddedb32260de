// Bodies between curl and a handler: none of it lost, doubled or kept without end, compressed or
// not.

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "collector/http_body.h"

// A handler that takes so much at a time, until it is given more.
struct taker {
    struct buffer taken;
    size_t room;
    bool aborts;
};

static size_t take(void *context, const char *bytes, size_t length)
{
    struct taker *taker = context;
    if (taker->aborts)
        return HTTP_ABORT;
    size_t used = length < taker->room ? length : taker->room;
    buffer_append(&taker->taken, bytes, used);
    taker->room -= used;
    return used;
}

static void reset(struct http_body *body, struct taker *taker)
{
    http_body_reset(body);
    buffer_reset(&taker->taken);
}

// Appends the text as one member of a gzip file.
static void compress_text(const char *text, size_t length, struct buffer *out)
{
    z_stream stream = {0};
    size_t most = length + 1000;
    char *bytes = malloc(most);
    assert_non_null(bytes);
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY),
                     Z_OK);
    stream.next_in = (unsigned char *)(uintptr_t)text;
    stream.avail_in = (unsigned)length;
    stream.next_out = (unsigned char *)bytes;
    stream.avail_out = (unsigned)most;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    buffer_append(out, bytes, most - stream.avail_out);
    deflateEnd(&stream);
    free(bytes);
}

static void what_is_not_taken_waits(void **state)
{
    (void)state;
    struct taker taker = {.room = 3};
    struct http_body body = {.take = take, .context = &taker};
    bool blocked;
    assert_true(http_body_add(&body, "abcdef", 6));
    assert_true(http_body_has_rest(&body));
    taker.room = 1;
    assert_true(http_body_offer(&body, &blocked));
    assert_true(blocked);
    taker.room = SIZE_MAX;
    assert_true(http_body_offer(&body, &blocked));
    assert_false(blocked);
    assert_false(http_body_has_rest(&body));
    assert_true(http_body_add(&body, "gh", 2));
    assert_string_equal(taker.taken.data, "abcdefgh");
    reset(&body, &taker);
}

// Every split of the compressed bytes, by a handler that takes little at a time.
static void gzip_in_pieces(void **state)
{
    (void)state;
    SCOPED_BUFFER bytes = {0};
    compress_text("one two three", 13, &bytes);
    compress_text(" four", 5, &bytes); // another member
    for (size_t at = 1; at <= bytes.length; at++) {
        struct taker taker = {0};
        struct http_body body = {.take = take, .context = &taker, .is_gzip = true};
        assert_true(http_body_add(&body, bytes.data, at));
        bool blocked = true;
        for (int i = 0; blocked && i < 100; i++) {
            taker.room = 2;
            assert_true(http_body_offer(&body, &blocked));
        }
        taker.room = SIZE_MAX;
        assert_true(http_body_add(&body, bytes.data + at, bytes.length - at));
        assert_false(http_body_has_rest(&body));
        assert_string_equal(taker.taken.data, "one two three four");
        reset(&body, &taker);
    }
}

static void a_bomb_costs_no_memory(void **state)
{
    (void)state;
    size_t length = (size_t)4 * 1024 * 1024;
    char *text = calloc(1, length);
    assert_non_null(text);
    SCOPED_BUFFER bytes = {0};
    compress_text(text, length, &bytes);
    free(text);
    struct taker taker = {.room = 1};
    struct http_body body = {.take = take, .context = &taker, .is_gzip = true};
    bool blocked;
    assert_true(http_body_add(&body, bytes.data, bytes.length));
    assert_true(body.plain.capacity <= (size_t)64 * 1024);
    taker.room = SIZE_MAX;
    assert_true(http_body_offer(&body, &blocked));
    assert_int_equal(taker.taken.length, length);
    reset(&body, &taker);
    // And what it expands to counts, not what was sent.
    taker = (struct taker){.room = SIZE_MAX};
    body = (struct http_body){.take = take, .context = &taker, .is_gzip = true, .max_bytes = 50000};
    assert_false(http_body_add(&body, bytes.data, bytes.length));
    assert_string_equal(body.problem, "answer is too long");
    reset(&body, &taker);
}

static void answers_without_success_are_collected(void **state)
{
    (void)state;
    struct taker taker = {.room = SIZE_MAX};
    struct http_body body = {.take = take, .context = &taker, .is_collected = true};
    assert_true(http_body_add(&body, "ab", 2));
    assert_true(http_body_add(&body, "c", 1));
    assert_string_equal(body.collected.data, "abc");
    assert_int_equal(taker.taken.length, 0);
    char *large = calloc(1, HTTP_COLLECT_MAX_BYTES);
    assert_non_null(large);
    assert_false(http_body_add(&body, large, HTTP_COLLECT_MAX_BYTES));
    assert_string_equal(body.problem, "answer is too long");
    reset(&body, &taker);
    body = (struct http_body){0}; // without a handler too
    assert_true(http_body_add(&body, large, HTTP_COLLECT_MAX_BYTES));
    assert_int_equal(body.collected.length, HTTP_COLLECT_MAX_BYTES);
    free(large);
    reset(&body, &taker);
}

static void bodies_that_are_given_up(void **state)
{
    (void)state;
    struct taker taker = {.aborts = true};
    struct http_body body = {.take = take, .context = &taker};
    assert_false(http_body_add(&body, "a", 1));
    assert_string_equal(body.problem, "given up");
    reset(&body, &taker);
    taker = (struct taker){.room = SIZE_MAX};
    body = (struct http_body){.take = take, .context = &taker, .is_gzip = true};
    assert_false(http_body_add(&body, "no gzip at all", 14));
    assert_string_equal(body.problem, "bad gzip data");
    reset(&body, &taker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_taken_waits),
        cmocka_unit_test(gzip_in_pieces),
        cmocka_unit_test(a_bomb_costs_no_memory),
        cmocka_unit_test(answers_without_success_are_collected),
        cmocka_unit_test(bodies_that_are_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
