// What JSON from outside may look like (docs/rules.md 29), and the byte ranges that the scanner
// tells.

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/json_scan.h"

static bool check(const char *text)
{
    struct error err;
    return json_check(text, strlen(text), 64, &err);
}

static void takes_what_rfc_8259_takes(void **state)
{
    (void)state;
    static const char *const good[] = {
        "{}",
        "[]",
        " [1, 2.5e-3, -0, true, false, null] ",
        "\"\\u00e9\\ud83d\\ude00\"",
        "{\"a\":{\"b\":[{}]}}",
        "1e308",
        "\"\xc3\xa9\"",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        if (!check(good[i]))
            fail_msg("refused: %s", good[i]);
    }
}

static void refuses_the_rest(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{",
        "[1,]",
        "{\"a\"}",
        "{\"a\":1,}",
        "{,}",
        "[1 2]",
        "01",
        "1.",
        "-",
        "+1",
        "1e",
        "tru",
        "nul",
        "\"a",
        "\"\\x\"",
        "\"\t\"",
        "{} {}",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "1e1000000",
        "{\"\\u0000\":1}",
        "]",
        "}",
        "[}",
        "{]",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        if (check(bad[i]))
            fail_msg("taken: %s", bad[i]);
    }
}

static void refuses_nul_bytes(void **state)
{
    (void)state;
    struct error err;
    assert_false(json_check("\"a\0b\"", 5, 8, &err));
    assert_false(json_check("\"a\\\0\"", 5, 8, &err));
    assert_false(json_check("[1\0]", 4, 8, &err));
}

static void caps_the_depth(void **state)
{
    (void)state;
    enum { DEEP = 10000 };
    char *text = malloc(2 * DEEP);
    memset(text, '[', DEEP);
    memset(text + DEEP, ']', DEEP);
    struct error err;
    assert_false(json_check(text, 2 * DEEP, JSON_MAX_DEPTH, &err));
    assert_non_null(strstr(err.text, "nested too deeply"));
    assert_true(json_check(text + DEEP - 64, 128, 64, &err));
    assert_false(json_check(text + DEEP - 65, 130, 64, &err));
    free(text);
}

static void tells_byte_ranges(void **state)
{
    (void)state;
    const char *text = "{\"a\" : [1, \"x\"], \"b\":{}}";
    struct json_scan scan;
    json_scan_init(&scan, text, strlen(text), 8);
    static const struct {
        enum json_token_kind kind;
        const char *bytes;
        unsigned depth;
    } expected[] = {
        {JSON_OBJECT_BEGIN, "{", 0}, {JSON_KEY, "\"a\"", 1},      {JSON_ARRAY_BEGIN, "[", 1},
        {JSON_NUMBER, "1", 2},       {JSON_STRING, "\"x\"", 2},   {JSON_ARRAY_END, "]", 1},
        {JSON_KEY, "\"b\"", 1},      {JSON_OBJECT_BEGIN, "{", 1}, {JSON_OBJECT_END, "}", 1},
        {JSON_OBJECT_END, "}", 0},   {JSON_DONE, "", 0},
    };
    for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
        struct json_token token;
        struct error err;
        assert_true(json_scan_next(&scan, &token, &err));
        assert_int_equal(token.kind, expected[i].kind);
        assert_int_equal(token.depth, expected[i].depth);
        assert_int_equal(token.to - token.from, strlen(expected[i].bytes));
        assert_memory_equal(text + token.from, expected[i].bytes, token.to - token.from);
    }
}

static void skips_a_value(void **state)
{
    (void)state;
    const char *text = "[{\"a\":[1,{}]},2]";
    struct json_scan scan;
    struct json_token token;
    struct error err;
    size_t to;
    json_scan_init(&scan, text, strlen(text), 8);
    assert_true(json_scan_next(&scan, &token, &err));
    assert_true(json_scan_next(&scan, &token, &err));
    assert_true(json_scan_skip(&scan, &token, &to, &err));
    assert_int_equal(to, strlen("[{\"a\":[1,{}]}"));
    assert_true(json_scan_next(&scan, &token, &err));
    assert_int_equal(token.kind, JSON_NUMBER);
}

static void reads_exact_integers_only(void **state)
{
    (void)state;
    const char *text = "{\"s\":\"9007199254740993\",\"n\":7,\"big\":9007199254740993,\"f\":1.5,"
                       "\"over\":\"9223372036854775808\",\"least\":\"-9223372036854775808\"}";
    struct error err;
    SCOPED(cJSON_Delete) cJSON *tree = json_parse(text, strlen(text), 8, &err);
    assert_non_null(tree);
    int64_t value;
    assert_true(json_int64(tree, "s", &value) && value == 9007199254740993);
    assert_true(json_int64(tree, "n", &value) && value == 7);
    assert_true(json_int64(tree, "least", &value) && value == INT64_MIN);
    assert_false(json_int64(tree, "big", &value));
    assert_false(json_int64(tree, "f", &value));
    assert_false(json_int64(tree, "over", &value));
    assert_false(json_int64(tree, "S", &value)); // lookups mind the case
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_rfc_8259_takes), cmocka_unit_test(refuses_the_rest),
        cmocka_unit_test(refuses_nul_bytes),         cmocka_unit_test(caps_the_depth),
        cmocka_unit_test(tells_byte_ranges),         cmocka_unit_test(skips_a_value),
        cmocka_unit_test(reads_exact_integers_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
