// A list is cut into its items wherever the pieces of it begin and end.

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/list_splitter.h"

#define ITEMS_MAX 16

struct split {
    char *items[ITEMS_MAX];
    bool cut[ITEMS_MAX];
    size_t count;
    bool bad;
    struct error err;
};

// Feeds text in pieces of `piece` bytes.
static struct split split_in(struct list_splitter *splitter, const char *text, size_t piece)
{
    struct split split = {0};
    size_t length = strlen(text);
    size_t at = 0;
    while (at < length && !split.bad) {
        size_t offered = length - at < piece ? length - at : piece;
        size_t used = 0;
        // A copy of its own, so that reading past the piece is seen.
        char *copy = malloc(offered);
        memcpy(copy, text + at, offered);
        enum split_result result = list_splitter_feed(splitter, copy, offered, &used, &split.err);
        free(copy);
        split.bad = result == SPLIT_BAD;
        if (result == SPLIT_ITEM) {
            const struct buffer *item = list_splitter_item(splitter, &split.cut[split.count]);
            split.items[split.count++] = xstrndup(item->data, item->length);
        }
        at += used;
    }
    return split;
}

static void split_free(struct split *split)
{
    for (size_t i = 0; i < split->count; i++)
        free(split->items[i]);
}

static const char tricky[] =
    "{\"apiVersion\":\"v1\", \"items\" : [ {\"a\":\"}]\\\"{\"},{\"b\":[[],{}]} ,\n{}],"
    "\"kind\":\"ModelList\",\"more\":{\"items\":[1]},\"n\":-1.5,\"metadata\":{\"continue\":"
    "\"to\\\"ken\","
    "\"resourceVersion\":\"4711\"}}\n";

static void cuts_at_any_border(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < sizeof(tricky); piece++) {
        SCOPED(list_splitter_free) struct list_splitter *splitter = list_splitter_new(1000);
        struct split split = split_in(splitter, tricky, piece);
        assert_false(split.bad);
        assert_int_equal(split.count, 3);
        assert_string_equal(split.items[0], "{\"a\":\"}]\\\"{\"}");
        assert_string_equal(split.items[1], "{\"b\":[[],{}]}");
        assert_string_equal(split.items[2], "{}");
        SCOPED(xfree_char) char *version = NULL;
        SCOPED(xfree_char) char *token = NULL;
        assert_true(list_splitter_finish(splitter, &version, &token, &split.err));
        assert_string_equal(version, "4711");
        assert_string_equal(token, "to\"ken");
        split_free(&split);
    }
}

static void knows_a_list_that_ends_early(void **state)
{
    (void)state;
    for (size_t length = 0; length + 2 < sizeof(tricky); length++) {
        SCOPED(list_splitter_free) struct list_splitter *splitter = list_splitter_new(1000);
        SCOPED(xfree_char) char *text = xstrndup(tricky, length);
        struct split split = split_in(splitter, text, 1000);
        char *version = NULL;
        char *token = NULL;
        assert_false(split.bad);
        assert_false(list_splitter_finish(splitter, &version, &token, &split.err));
        assert_int_equal(split.err.react, REACT_RETRY);
        split_free(&split);
    }
}

static void takes_lists_without_items(void **state)
{
    (void)state;
    static const char *const empty[] = {
        "{\"items\":[],\"metadata\":{\"resourceVersion\":\"1\"}}",
        "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":null}",
        "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[ ] , \"z\" : null }",
    };
    for (size_t i = 0; i < sizeof(empty) / sizeof(*empty); i++) {
        SCOPED(list_splitter_free) struct list_splitter *splitter = list_splitter_new(1000);
        struct split split = split_in(splitter, empty[i], 3);
        SCOPED(xfree_char) char *version = NULL;
        SCOPED(xfree_char) char *token = NULL;
        assert_int_equal(split.count, 0);
        assert_true(list_splitter_finish(splitter, &version, &token, &split.err));
        assert_string_equal(token, "");
    }
}

static void refuses_what_is_no_list(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "[]",
        "<html>",
        "{\"items\":{}}",
        "{\"items\":[1]}",
        "{\"items\":[{}{}]}",
        "{\"items\":[],\"items\":[]}",
        "{\"metadata\":{},\"metadata\":{}}",
        "{\"a\":}",
        "{\"a\" 1}",
        "{} {}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        SCOPED(list_splitter_free) struct list_splitter *splitter = list_splitter_new(1000);
        struct split split = split_in(splitter, bad[i], 1000);
        if (!split.bad)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(split.err.react, REACT_REJECT);
        split_free(&split);
    }
}

static void a_list_needs_its_resource_version(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"items\":[]}",
        "{\"items\":[],\"metadata\":{}}",
        "{\"items\":[],\"metadata\":\"x\"}",
        "{\"metadata\":{\"resourceVersion\":\"1\"}}",
        "{\"items\":[],\"metadata\":{\"resourceVersion\":7}}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        SCOPED(list_splitter_free) struct list_splitter *splitter = list_splitter_new(1000);
        struct split split = split_in(splitter, bad[i], 1000);
        char *version = NULL;
        char *token = NULL;
        assert_false(list_splitter_finish(splitter, &version, &token, &split.err));
        assert_int_equal(split.err.react, REACT_REJECT);
    }
}

static void cuts_items_that_are_too_long(void **state)
{
    (void)state;
    SCOPED(list_splitter_free) struct list_splitter *splitter = list_splitter_new(40);
    struct split split =
        split_in(splitter,
                 "{\"items\":[{\"metadata\":{\"uid\":\"u-1\"},\"x\":\"0123456789\"},"
                 "{\"y\":1}],\"metadata\":{\"resourceVersion\":\"1\"}}",
                 7);
    assert_int_equal(split.count, 2);
    assert_true(split.cut[0]);
    assert_int_equal(strlen(split.items[0]), 40);
    assert_false(split.cut[1]);
    assert_string_equal(split.items[1], "{\"y\":1}");
    char uid[40];
    assert_true(object_uid_skim(split.items[0], strlen(split.items[0]), uid, sizeof(uid)));
    assert_string_equal(uid, "u-1");
    split_free(&split);
}

static void finds_uids_with_less_care(void **state)
{
    (void)state;
    char uid[40] = "";
    // Neither an escaped NUL nor bad UTF-8 nor a missing end hides who it is.
    static const char object[] =
        "{\"metadata\":{\"annotations\":{\"uid\":\"no\",\"x\":\"\\u0000\\\"\"},\"name\":\"\xff\","
        "\"ownerReferences\":[{\"uid\":\"neither\"}],\"uid\":\"yes\"},\"spec\":{\"uid\":";
    assert_true(object_uid_skim(object, sizeof(object) - 1, uid, sizeof(uid)));
    assert_string_equal(uid, "yes");
    static const char *const without[] = {
        "",
        "{",
        "{\"uid\":\"x\"}",
        "{\"spec\":{\"uid\":\"x\"}}",
        "{\"metadata\":{\"uid\":5}}",
        "{\"metadata\":{\"uid\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}}",
        "{\"metadata\":{\"uid",
        "]]]]}}}}\"\\",
    };
    for (size_t i = 0; i < sizeof(without) / sizeof(*without); i++)
        assert_false(object_uid_skim(without[i], strlen(without[i]), uid, sizeof(uid)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_at_any_border),
        cmocka_unit_test(knows_a_list_that_ends_early),
        cmocka_unit_test(takes_lists_without_items),
        cmocka_unit_test(refuses_what_is_no_list),
        cmocka_unit_test(a_list_needs_its_resource_version),
        cmocka_unit_test(cuts_items_that_are_too_long),
        cmocka_unit_test(finds_uids_with_less_care),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
