// Binary COPY rows, byte by byte as PostgreSQL documents them; the integration tests show that it
// reads them.

#include "tests/unit/unit.h"

#include <string.h>

#include "common/timestamp.h"
#include "store/batch_array.h"
#include "store/copy.h"

static void expect(struct copy *copy, const char *bytes, size_t length)
{
    assert_int_equal(copy->rows.length, length);
    assert_memory_equal(copy->rows.data, bytes, length);
    copy_reset(copy);
}

#define EXPECT(copy, literal) expect(copy, literal, sizeof(literal) - 1)

static void test_integers(void **state)
{
    (void)state;
    struct copy copy = {0};
    copy_row(&copy, 3);
    assert_int_equal(copy.count, 1);
    copy_int64(&copy, -2);
    copy_int32(&copy, 258);
    copy_optional_int64(&copy, INT64_MIN);
    EXPECT(&copy, "\0\3\0\0\0\10\377\377\377\377\377\377\377\376\0\0\0\4\0\0\1\2\377\377\377\377");
}

static void test_text_needs_no_escape(void **state)
{
    (void)state;
    struct copy copy = {0};
    copy_text(&copy, "\\.\n\t");
    copy_text(&copy, NULL);
    copy_text(&copy, "");
    EXPECT(&copy, "\0\0\0\4\\.\n\t\377\377\377\377\0\0\0\0");
}

static void test_time_counts_from_2000(void **state)
{
    (void)state;
    struct copy copy = {0};
    copy_time(&copy, 946684800000001);
    copy_time(&copy, 0); // before 2000
    copy_time(&copy, TIMESTAMP_NONE);
    copy_time_beginning(&copy);
    EXPECT(&copy, "\0\0\0\10\0\0\0\0\0\0\0\1"
                  "\0\0\0\10\377\374\242\376\304\310\040\000"
                  "\377\377\377\377"
                  "\0\0\0\10\200\0\0\0\0\0\0\0");
}

static void test_arrays(void **state)
{
    (void)state;
    struct copy copy = {0};
    const char *const texts[] = {"a", "bc"};
    copy_texts(&copy, texts, 2);
    EXPECT(&copy, "\0\0\0\37\0\0\0\1\0\0\0\0\0\0\0\31\0\0\0\2\0\0\0\1\0\0\0\1a\0\0\0\2bc");
    copy_uuids(&copy, NULL, 0);
    EXPECT(&copy, "\0\0\0\14\0\0\0\0\0\0\0\0\0\0\13\206");
}

// Length, digits, weight, sign, scale, digits of base 10000.
static void test_millionths(void **state)
{
    (void)state;
    struct copy copy = {0};
    copy_millionths(&copy, 0);
    EXPECT(&copy, "\0\0\0\10\0\0\0\0\0\0\0\0");
    copy_millionths(&copy, 12500000);
    EXPECT(&copy, "\0\0\0\14\0\2\0\0\0\0\0\1\0\14\23\210");
    copy_millionths(&copy, -100000000);
    EXPECT(&copy, "\0\0\0\12\0\1\0\0\100\0\0\0\0\144");
    copy_millionths(&copy, 1);
    EXPECT(&copy, "\0\0\0\12\0\1\377\376\0\0\0\6\0\144");
    copy_millionths(&copy, 123456789012345678);
    EXPECT(&copy, "\0\0\0\22\0\5\0\2\0\0\0\6\4\322\26\56\43\64\15\200\36\170");
    copy_millionths(&copy, INT64_MIN);
    EXPECT(&copy, "\377\377\377\377");
}

static void test_uuid(void **state)
{
    (void)state;
    uint8_t uuid[UUID_BYTES];
    char text[37];
    assert_true(uuid_parse("00112233-4455-6677-8899-AABBCCDDEEFF", uuid));
    uuid_format(uuid, text);
    assert_string_equal(text, "00112233-4455-6677-8899-aabbccddeeff");
    assert_false(uuid_parse("", uuid));
    assert_false(uuid_parse("00112233-4455-6677-8899-aabbccddeef", uuid));
    assert_false(uuid_parse("00112233-4455-6677-8899-aabbccddeeff0", uuid));
    assert_false(uuid_parse("0011223344-55-6677-8899-aabbccddeeff", uuid));
    assert_false(uuid_parse("{0112233-4455-6677-8899-aabbccddeeff", uuid));
}

// Dimensions, has-null, type, length, lower bound, elements.
static void test_sql_arrays(void **state)
{
    (void)state;
    SCOPED_SQL_ARRAY texts = {0};
    SCOPED_SQL_ARRAY numbers = {0};
    struct sql_params params = {0};
    sql_array_text(&texts, "a\"{}");
    sql_array_text(&texts, NULL);
    sql_array_int64(&numbers, -1);
    sql_params_array(&params, &texts);
    sql_params_array(&params, &numbers);
    static const char text_bytes[] =
        "\0\0\0\1\0\0\0\1\0\0\0\31\0\0\0\2\0\0\0\1\0\0\0\4a\"{}\377\377\377\377";
    static const char number_bytes[] = "\0\0\0\1\0\0\0\0\0\0\0\24\0\0\0\1\0\0\0\1\0\0\0\10"
                                       "\377\377\377\377\377\377\377\377";
    assert_int_equal(params.count, 2);
    assert_int_equal(params.lengths[0], sizeof(text_bytes) - 1);
    assert_memory_equal(params.values[0], text_bytes, sizeof(text_bytes) - 1);
    assert_int_equal(params.lengths[1], sizeof(number_bytes) - 1);
    assert_memory_equal(params.values[1], number_bytes, sizeof(number_bytes) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),   cmocka_unit_test(test_text_needs_no_escape),
        cmocka_unit_test(test_arrays),     cmocka_unit_test(test_time_counts_from_2000),
        cmocka_unit_test(test_millionths), cmocka_unit_test(test_uuid),
        cmocka_unit_test(test_sql_arrays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
