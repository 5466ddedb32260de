// What differs between two objects: every value where it stands, and nothing that is the same.

#include "query/object_diff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect_lines(const char *from, const char *to, bool whole, const char *lines)
{
    struct object_diff diff;
    struct error err = {0};
    SCOPED_BUFFER out = {0};
    assert_true(object_diff_make(from, to, whole, &diff, &err));
    buffer_append_text(&out, "");
    assert_true(object_diff_append_lines(diff.items.data, &out, &err));
    assert_string_equal(out.data, lines);
    object_diff_reset(&diff);
}

static void values_are_told_where_they_stand(void **state)
{
    (void)state;
    expect_lines("{\"spec\":{\"predictor\":{\"model\":{\"storageUri\":\"s3://a/1\",\"x\":1}}}}",
                 "{\"spec\":{\"predictor\":{\"model\":{\"x\":1,\"storageUri\":\"s3://a/2\"}}}}",
                 false, "spec.predictor.model.storageUri: \"s3://a/1\" -> \"s3://a/2\"\n");
    expect_lines("{\"a\":1,\"c\":true}", "{\"b\":[],\"c\":null,\"d\":{\"e\":{}}}", false,
                 "a: 1 -> none\nb: none -> []\nc: true -> null\nd.e: none -> {}\n");
    expect_lines("{\"a\":[1,{\"b\":2}]}", "{\"a\":[1,{\"b\":2}]}", false, "");
}

static void no_difference_is_an_empty_list(void **state)
{
    (void)state;
    struct object_diff diff;
    struct error err;
    assert_true(object_diff_make("{\"a\": \"\\u0041\"}", "{\"a\":\"A\"}", false, &diff, &err));
    assert_string_equal(diff.items.data, "[]");
    assert_int_equal(diff.count, 0);
    assert_int_equal(diff.left_out_count, 0);
    object_diff_reset(&diff);
}

// A double holds neither.
static void numbers_are_those_of_the_text(void **state)
{
    (void)state;
    expect_lines("{\"n\":9007199254740992,\"f\":0.1}", "{\"n\":9007199254740993,\"f\":0.10}", false,
                 "f: 0.1 -> 0.10\nn: 9007199254740992 -> 9007199254740993\n");
    expect_lines("{\"n\":1}", "{\"n\":\"1\"}", false, "n: 1 -> \"1\"\n");
}

static void items_are_found_by_their_names(void **state)
{
    (void)state;
    expect_lines(
        "{\"containers\":[{\"name\":\"a\",\"image\":\"x\"},{\"name\":\"b\",\"image\":\"y\"}]}",
        "{\"containers\":[{\"name\":\"new\",\"image\":\"z\"},{\"name\":\"a\",\"image\":\"x\"},"
        "{\"name\":\"b\",\"image\":\"y2\"}]}",
        false,
        "containers[name=b].image: \"y\" -> \"y2\"\n"
        "containers[name=new].image: none -> \"z\"\n"
        "containers[name=new].name: none -> \"new\"\n");
    // One without a name, two of one name, an empty one: by place, on both sides.
    expect_lines("[{\"name\":\"a\",\"v\":1}]", "[{\"name\":\"a\",\"v\":2},{\"v\":1}]", false,
                 "[0].v: 1 -> 2\n[1].v: none -> 1\n");
    expect_lines("[{\"name\":\"a\",\"v\":1},{\"name\":\"a\",\"v\":2}]",
                 "[{\"name\":\"a\",\"v\":2}]", false,
                 "[0].v: 1 -> 2\n[1].name: \"a\" -> none\n[1].v: 2 -> none\n");
    expect_lines("[]", "[{\"name\":\"a\"}]", false, "[name=a].name: none -> \"a\"\n");
    expect_lines("[{\"name\":\"a\"}]", "[]", false, "[name=a].name: \"a\" -> none\n");
}

static void another_order_of_named_items_is_told(void **state)
{
    (void)state;
    expect_lines("{\"s\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"}]}",
                 "{\"s\":[{\"name\":\"c\"},{\"name\":\"a\"},{\"name\":\"b\"}]}", false,
                 "s[*].name: [\"a\", \"b\", \"c\"] -> [\"c\", \"a\", \"b\"]\n");
}

static void what_changed_its_kind_is_gone_and_new(void **state)
{
    (void)state;
    expect_lines("{\"a\":\"x\"}", "{\"a\":{\"b\":1}}", false, "a: \"x\" -> none\na.b: none -> 1\n");
    expect_lines("{\"a\":[1]}", "{\"a\":{\"b\":1}}", false, "a[0]: 1 -> none\na.b: none -> 1\n");
    expect_lines("{\"a\":{}}", "{\"a\":[]}", false, "a: {} -> []\n");
    expect_lines("{\"a\":{}}", "{\"a\":{\"b\":1}}", false, "a.b: none -> 1\n");
}

static void strange_names_are_quoted(void **state)
{
    (void)state;
    expect_lines("{\"metadata\":{\"annotations\":{}}}",
                 "{\"metadata\":{\"annotations\":{\"modeltrail.io/ticket\":\"T-1\",\"\":1}}}",
                 false,
                 "metadata.annotations[\"\"]: none -> 1\n"
                 "metadata.annotations[\"modeltrail.io/ticket\"]: none -> \"T-1\"\n");
    expect_lines("[{\"name\":\"a b\",\"v\":1}]", "[{\"name\":\"a b\",\"v\":2}]", false,
                 "[name=\"a b\"].v: 1 -> 2\n");
}

static const char written[] =
    "{\"metadata\":{\"name\":\"m\",\"resourceVersion\":\"1\",\"generation\":1,"
    "\"managedFields\":[{\"manager\":\"a\"}]},\"status\":{\"x\":1},"
    "\"spec\":{\"status\":1,\"metadata\":{\"generation\":1}}}";
static const char rewritten[] =
    "{\"metadata\":{\"name\":\"m\",\"resourceVersion\":\"2\",\"generation\":1},"
    "\"status\":{\"x\":2},"
    "\"spec\":{\"status\":2,\"metadata\":{\"generation\":2}}}";

static void what_every_write_changes_is_left_out(void **state)
{
    (void)state;
    struct object_diff diff;
    struct error err;
    expect_lines(written, rewritten, false,
                 "spec.metadata.generation: 1 -> 2\nspec.status: 1 -> 2\n");
    assert_true(object_diff_make(written, rewritten, false, &diff, &err));
    assert_int_equal(diff.left_out_count, 3);
    assert_string_equal(diff.left_out[0], "metadata.managedFields");
    assert_string_equal(diff.left_out[1], "metadata.resourceVersion");
    assert_string_equal(diff.left_out[2], "status");
    object_diff_reset(&diff);
    expect_lines(written, rewritten, true,
                 "metadata.managedFields[0].manager: \"a\" -> none\n"
                 "metadata.resourceVersion: \"1\" -> \"2\"\n"
                 "spec.metadata.generation: 1 -> 2\nspec.status: 1 -> 2\nstatus.x: 1 -> 2\n");
}

static void what_is_no_json_is_refused(void **state)
{
    (void)state;
    struct object_diff diff;
    struct error err;
    assert_false(object_diff_make("{", "{}", false, &diff, &err));
    assert_non_null(strstr(err.text, "the object before"));
    assert_false(object_diff_make("{}", "{\"a\":\"\\u0000\"}", false, &diff, &err));
    assert_false(object_diff_make("{}", "", false, &diff, &err));
}

// As deep as the scanner takes; two long lists; names that make long paths of many values.
static void hostile_objects_are_compared_in_time(void **state)
{
    (void)state;
    struct object_diff diff;
    struct error err;
    SCOPED_BUFFER deep = {0};
    for (int i = 0; i < 255; i++)
        buffer_append_text(&deep, "{\"a\":");
    buffer_append_text(&deep, "1");
    for (int i = 0; i < 255; i++)
        buffer_append_char(&deep, '}');
    assert_true(object_diff_make("{}", deep.data, false, &diff, &err));
    assert_int_equal(diff.count, 1);
    object_diff_reset(&diff);
    SCOPED_BUFFER wide = {0};
    buffer_append_text(&wide, "{\"");
    for (int i = 0; i < 100000; i++)
        buffer_append_text(&wide, "long-");
    buffer_append_text(&wide, "\":[0");
    for (int i = 0; i < 100000; i++)
        buffer_append_text(&wide, ",{}");
    buffer_append_text(&wide, "]}");
    assert_true(object_diff_make("{}", wide.data, false, &diff, &err));
    assert_true(diff.is_cut);
    assert_true(diff.items.length < (size_t)16 << 20);
    assert_int_equal(diff.items.data[diff.items.length - 1], ']');
    object_diff_reset(&diff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_told_where_they_stand),
        cmocka_unit_test(no_difference_is_an_empty_list),
        cmocka_unit_test(numbers_are_those_of_the_text),
        cmocka_unit_test(items_are_found_by_their_names),
        cmocka_unit_test(another_order_of_named_items_is_told),
        cmocka_unit_test(what_changed_its_kind_is_gone_and_new),
        cmocka_unit_test(strange_names_are_quoted),
        cmocka_unit_test(what_every_write_changes_is_left_out),
        cmocka_unit_test(what_is_no_json_is_refused),
        cmocka_unit_test(hostile_objects_are_compared_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
