// Frames: every kind there and back, and every member that may be wrong.

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/event.h"

#define CHAIN "\"chain\":\"abababababababababababababababababababababababababababababababab\""

static struct frame there_and_back(const struct frame *frame)
{
    SCOPED_BUFFER bytes = {0};
    struct error err;
    struct frame read;
    frame_write(frame, &bytes);
    if (!frame_parse(bytes.data, bytes.length, &read, &err))
        fail_msg("%s", err.text);
    assert_int_equal(read.kind, frame->kind);
    assert_int_equal(read.seq, frame->seq);
    assert_int_equal(read.epoch, frame->epoch);
    assert_int_equal(read.count, frame->count);
    assert_memory_equal(read.chain, frame->chain, DIGEST_BYTES);
    return read;
}

static void every_kind_goes_both_ways(void **state)
{
    (void)state;
    struct frame hello = {.kind = FRAME_HELLO,
                          .epoch = 5,
                          .seq = 7,
                          .wire_min = 1,
                          .wire_max = 2,
                          .collector = "eu-\"1\"",
                          .program = "p 0.1"};
    memset(hello.chain, 0xab, DIGEST_BYTES);
    struct frame read = there_and_back(&hello);
    assert_string_equal(read.collector, "eu-\"1\"");
    assert_string_equal(read.program, "p 0.1");
    assert_true(read.wire_min == 1 && read.wire_max == 2);
    struct frame welcome = {.kind = FRAME_WELCOME, .seq = 7, .wire_max = 1};
    memset(welcome.chain, 0xcd, DIGEST_BYTES);
    assert_int_equal(there_and_back(&welcome).wire_max, 1);
    there_and_back(&(struct frame){.kind = FRAME_DATA, .epoch = 5, .seq = 8, .count = 3});
    there_and_back(&(struct frame){.kind = FRAME_ACK, .seq = INT64_MAX});
    there_and_back(&(struct frame){.kind = FRAME_BEAT, .epoch = 5});
}

static void every_reason_goes_both_ways(void **state)
{
    (void)state;
    static const char *const names[] = {"gap", "fork", "not_allowed", "too_large", "draining"};
    for (unsigned reason = NACK_GAP; reason <= NACK_DRAINING; reason++) {
        struct frame nack = {.kind = FRAME_NACK,
                             .seq = 3,
                             .reason = (enum nack_reason)reason,
                             .message = "line\n\"two\""};
        struct frame read = there_and_back(&nack);
        assert_int_equal(read.reason, reason);
        assert_string_equal(read.message, "line\n\"two\"");
        assert_string_equal(nack_reason_name(read.reason), names[reason]);
    }
}

// A store of the far future is still understood well enough to be refused by name.
static void large_wire_versions_are_cut(void **state)
{
    (void)state;
    struct error err;
    struct frame read;
    const char *hello = "{\"kind\":\"hello\",\"collector\":\"a\",\"wire_min\":1000000000000,"
                        "\"wire_max\":1000000000000,\"epoch\":1,\"next_seq\":1," CHAIN "}";
    assert_true(frame_parse(hello, strlen(hello), &read, &err));
    assert_true(read.wire_min == 1000 && read.wire_max == 1000);
    const char *welcome = "{\"kind\":\"welcome\",\"wire\":1000000000000,\"acked\":1," CHAIN "}";
    assert_true(frame_parse(welcome, strlen(welcome), &read, &err));
    assert_int_equal(read.wire_max, 1000);
}

static void refuses(const char *bytes, size_t length, const char *words)
{
    struct error err = {0};
    struct frame read;
    if (frame_parse(bytes, length, &read, &err))
        fail_msg("taken: %.200s", bytes);
    assert_int_equal(err.react, REACT_REJECT);
    if (strstr(err.text, words) == NULL)
        fail_msg("'%s' is not in '%s'", words, err.text);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"{\"kind\":\"hello\"}", "collector name"},
        {"{\"kind\":\"hello\",\"collector\":\"a\"}", "'wire_min'"},
        {"{\"kind\":\"hello\",\"collector\":\"a\",\"wire_min\":1}", "'wire_max'"},
        {"{\"kind\":\"hello\",\"collector\":\"a\",\"wire_min\":1,\"wire_max\":1}", "'epoch'"},
        {"{\"kind\":\"hello\",\"collector\":\"a\",\"wire_min\":1,\"wire_max\":1,\"epoch\":1}",
         "'next_seq'"},
        {"{\"kind\":\"welcome\"}", "'wire'"},
        {"{\"kind\":\"welcome\",\"wire\":1}", "'acked'"},
        {"{\"kind\":\"welcome\",\"wire\":1,\"acked\":\"1\"}", "'chain'"},
        {"{\"kind\":\"welcome\",\"wire\":1,\"acked\":\"1\",\"chain\":\"ab\"}", "'chain'"},
        {"{\"kind\":\"data\",\"epoch\":1,\"first\":1,\"n\":1.5}", "'n'"},
        {"{\"kind\":\"beat\"}", "'epoch'"},
        {"{\"kind\":\"nack\",\"acked\":1}", "known reason"},
        {"{\"kind\":\"nack\",\"acked\":1,\"reason\":\"whim\"}", "known reason"},
        {"{\"kind\":\"nack\",\"reason\":\"gap\"}", "'acked'"},
        {"{\"kind\":\"HELLO\"}", "known 'kind'"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        refuses(bad[i][0], strlen(bad[i][0]), bad[i][1]);
}

static void bounds_hold_before_anything_is_parsed(void **state)
{
    (void)state;
    size_t length = (size_t)FRAME_MAX_BYTES + 1;
    char *bytes = xmalloc(length);
    memset(bytes, ' ', length);
    refuses(bytes, length, "is larger than");
    refuses(bytes, 65537, "is too long"); // without a newline all of it is the header
    memcpy(bytes, "{\"kind\":\"ack\",\"acked\":1}", 24);
    bytes[65536] = '\n';
    struct frame read;
    struct error err;
    assert_true(frame_parse(bytes, length - 1, &read, &err));
    assert_int_equal(read.body_length, length - 1 - 65537);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_goes_both_ways),
        cmocka_unit_test(every_reason_goes_both_ways),
        cmocka_unit_test(large_wire_versions_are_cut),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(bounds_hold_before_anything_is_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
