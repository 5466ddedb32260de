// The small parts of the Kubernetes source: watch lines, uids, and marks that survive as cursors.

#include "tests/unit/unit.h"

#include <string.h>

#include "collector/scope_event.h"
#include "collector/stream_mark.h"
#include "collector/watch_line.h"
#include "common/timestamp.h"

static void reads_watch_lines(void **state)
{
    (void)state;
    struct error err;
    struct watch_line line;
    static const char text[] =
        "{\"type\":\"DELETED\",\"object\":{\"type\":\"ADDED\",\"object\":[{}]}}\r";
    assert_true(watch_line_parse(text, strlen(text), &line, &err));
    assert_int_equal(line.type, WATCH_DELETED);
    assert_int_equal(line.object_length, strlen("{\"type\":\"ADDED\",\"object\":[{}]}"));
    assert_memory_equal(line.object, "{\"type\":\"ADDED\"", 15);
    static const char other_order[] = "{ \"x\":1, \"object\" : {} , \"type\":\"ERROR\" }";
    assert_true(watch_line_parse(other_order, strlen(other_order), &line, &err));
    assert_int_equal(line.type, WATCH_ERROR);
    assert_int_equal(line.object_length, 2);
}

static void refuses_other_lines(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"type\":\"ADDED\"}",
        "{\"type\":\"ADDED\",\"object\":[]}",
        "{\"type\":\"ADDED\",\"object\":\"x\"}",
        "{\"type\":\"NEW\",\"object\":{}}",
        "{\"type\":5,\"object\":{}}",
        "{\"type\":\"ADDED\",\"object\":{}",
        "{\"type\":\"ADDED\",\"object\":{}} x",
        "{\"type\":\"ADDED\",\"object\":{\"a\":\"\\u0000\"}}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct error err;
        struct watch_line line;
        if (watch_line_parse(bad[i], strlen(bad[i]), &line, &err))
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(err.react, REACT_REJECT);
    }
}

static void uids_there_and_back(void **state)
{
    (void)state;
    uint8_t uid[UID_BYTES];
    char text[UID_TEXT];
    assert_true(uid_parse("0A1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9", uid));
    uid_format(uid, text);
    assert_string_equal(text, "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9");
    assert_false(uid_parse("", uid));
    assert_false(uid_parse("0a1b2c3d4e5f60718293a4b5c6d7e8f9", uid));
    assert_false(uid_parse("0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8fg", uid));
    assert_false(uid_parse("0a1b2c3d-4e5f-6071-8293+a4b5c6d7e8f9", uid));
}

static void marks_survive_as_text(void **state)
{
    (void)state;
    struct stream_mark mark;
    struct stream_mark read;
    SCOPED_BUFFER text = {0};
    stream_mark_init(&mark);
    mark.rv = 9007199254740993;
    mark.high_rv = 9007199254740999;
    mark.since = 5;
    mark.through = 7;
    mark.extractor = 3;
    mark.unusable_from = 6;
    stream_mark_open_gap(&mark, 100, "list: HTTP 403: you may not; really");
    mark.gap_said = mark.tainted = true;
    stream_mark_write(&mark, &text);
    assert_true(stream_mark_read(text.data, &read));
    assert_memory_equal(&read, &mark, sizeof(mark));
    assert_int_equal(read.gap_from, 7); // observation ended at `through`, not when it was noticed

    buffer_clear(&text);
    stream_mark_init(&mark);
    stream_mark_write(&mark, &text);
    assert_true(stream_mark_read(text.data, &read));
    assert_int_equal(read.since, TIMESTAMP_NONE);
    assert_int_equal(read.gap_from, TIMESTAMP_NONE);

    // As the version before wrote it.
    assert_true(stream_mark_read("1 5 6 1 2 3 1 0 4 why", &read));
    assert_int_equal(read.rv, 5);
    assert_int_equal(read.extractor, 4);
    assert_int_equal(read.unusable_from, TIMESTAMP_NONE);
    assert_string_equal(read.reason, "why");
}

static void marks_move_with_the_clock(void **state)
{
    (void)state;
    struct stream_mark mark;
    stream_mark_init(&mark);
    stream_mark_clock_set(&mark, 50);
    assert_int_equal(mark.since, TIMESTAMP_NONE);
    mark.since = 5;
    mark.through = 7;
    mark.watched_through = 6;
    stream_mark_open_gap(&mark, 100, "why");
    stream_mark_clock_set(&mark, 50);
    assert_int_equal(mark.since, 55);
    assert_int_equal(mark.through, 57);
    assert_int_equal(mark.watched_through, 56);
    assert_int_equal(mark.gap_from, 7); // the store knows the gap by it
}

static void other_cursors_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    "17",  "3 1 1 1 1 1 1 0 0 1", "2 1 1 1 1 1 0 0 1",
                                      "2 1", "1 x", "1 -5 1 1 1 1 0 0 1",  "1 5 5 5 5"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct stream_mark mark;
        assert_false(stream_mark_read(bad[i], &mark));
        assert_int_equal(mark.rv, 0);
        assert_int_equal(mark.since, TIMESTAMP_NONE);
    }
}

static void the_first_gap_stays(void **state)
{
    (void)state;
    struct stream_mark mark;
    stream_mark_init(&mark);
    stream_mark_open_gap(&mark, 100, "first"); // nothing was observed yet
    assert_int_equal(mark.gap_from, 100);
    mark.gap_said = true;
    stream_mark_open_gap(&mark, 200, "second");
    assert_int_equal(mark.gap_from, 100);
    assert_string_equal(mark.reason, "first");
    assert_true(mark.gap_said);
}

static void lists_that_went_back(void **state)
{
    (void)state;
    struct stream_mark mark;
    stream_mark_init(&mark);
    mark.list_floor = 100;
    assert_true(stream_mark_list_is_clean(&mark, 100));
    assert_false(stream_mark_list_is_clean(&mark, 99)); // older than what was seen
    mark.suspect_rv = 120; // a listed object is older than its known position 120
    assert_true(stream_mark_list_is_clean(&mark, 119));  // the watch was just ahead of the list
    assert_false(stream_mark_list_is_clean(&mark, 120)); // the list should have had it
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_watch_lines),         cmocka_unit_test(refuses_other_lines),
        cmocka_unit_test(uids_there_and_back),       cmocka_unit_test(marks_survive_as_text),
        cmocka_unit_test(marks_move_with_the_clock), cmocka_unit_test(other_cursors_are_refused),
        cmocka_unit_test(the_first_gap_stays),       cmocka_unit_test(lists_that_went_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
