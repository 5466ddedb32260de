// The canonical form against bytes written down by hand, and the leaf hash against its parts.

#include "tests/unit/unit.h"

#include <string.h>

#include "common/timestamp.h"
#include "store/envelope.h"

static struct envelope example(void)
{
    struct envelope envelope = {.collector = "eu-1",
                                .epoch = 1764000000000,
                                .seq = 17,
                                .event_id = "eu-1:1764000000000:17",
                                .type = "dev.modeltrail.workload.observed.v1",
                                .time = 1767323045000006};
    memset(envelope.body_digest, 0xab, DIGEST_BYTES);
    return envelope;
}

#define AB8 "abababababababab"

static void test_canonical_form(void **state)
{
    (void)state;
    SCOPED_BUFFER out = {0};
    struct envelope envelope = example();
    envelope_write(&envelope, &out);
    assert_string_equal(
        out.data, "{\"body\":\"" AB8 AB8 AB8 AB8 "\",\"collector\":\"eu-1\","
                  "\"epoch\":\"1764000000000\",\"id\":\"eu-1:1764000000000:17\",\"seq\":\"17\","
                  "\"time\":\"2026-01-02T03:04:05.000006Z\","
                  "\"type\":\"dev.modeltrail.workload.observed.v1\"}");
}

static void test_strings_and_missing_time(void **state)
{
    (void)state;
    SCOPED_BUFFER out = {0};
    struct envelope envelope = example();
    envelope.type = "a\"\\\b\t\n\f\r\x01\x1f/\xc3\xa9";
    envelope.time = TIMESTAMP_NONE;
    envelope_write(&envelope, &out);
    assert_non_null(strstr(out.data,
                           "\"time\":null,\"type\":\"a\\\"\\\\\\b\\t\\n\\f\\r\\u0001\\u001f/"
                           "\xc3\xa9\"}"));
}

static void test_leaf_hash(void **state)
{
    (void)state;
    SCOPED_BUFFER scratch = {0};
    SCOPED_BUFFER bytes = {0};
    uint8_t leaf[DIGEST_BYTES];
    uint8_t expected[DIGEST_BYTES];
    struct envelope envelope = example();
    buffer_append_text(&scratch, "left from before");
    envelope_leaf_hash(&envelope, &scratch, leaf);
    buffer_append_char(&bytes, '\0');
    envelope_write(&envelope, &bytes);
    digest_sha256(bytes.data, bytes.length, expected);
    assert_memory_equal(leaf, expected, DIGEST_BYTES);
}

// SHA-256 of 16 zero bytes and "abc", computed with sha256sum.
static void test_body_digest(void **state)
{
    (void)state;
    uint8_t salt[SALT_BYTES] = {0};
    uint8_t digest[DIGEST_BYTES];
    char hex[DIGEST_HEX];
    envelope_body_digest(salt, "abc", 3, digest);
    hex_encode(digest, DIGEST_BYTES, hex);
    assert_string_equal(hex, "277e7ff6d232b9763f4a66e8d05d210da32dac9c6dbce1026ad4cc98acb5fefe");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canonical_form),
        cmocka_unit_test(test_strings_and_missing_time),
        cmocka_unit_test(test_leaf_hash),
        cmocka_unit_test(test_body_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
