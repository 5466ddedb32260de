// Fields of CSV and TSV, and JSON that is safe on a screen.

#include "query/age.h"
#include "query/delimited.h"
#include "query/json_safe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect_csv(const char *text, bool guard, const char *field)
{
    SCOPED_BUFFER out = {0};
    buffer_append_text(&out, "");
    delimited_append_csv(&out, text, guard);
    assert_string_equal(out.data, field);
}

static void csv_quotes_only_where_rfc4180_asks(void **state)
{
    (void)state;
    expect_csv("plain text", true, "plain text");
    expect_csv("a,b", true, "\"a,b\"");
    expect_csv("say \"hi\"", true, "\"say \"\"hi\"\"\"");
    expect_csv("two\nlines", true, "\"two\nlines\"");
    expect_csv("two\rlines", true, "\"two\rlines\"");
    expect_csv("", true, "");
    expect_csv(NULL, true, "");
}

static void csv_disarms_formulas(void **state)
{
    (void)state;
    expect_csv("=1+1", true, "\"'=1+1\"");
    expect_csv("+49", true, "\"'+49\"");
    expect_csv("-2", true, "\"'-2\"");
    expect_csv("@SUM(A1)", true, "\"'@SUM(A1)\"");
    expect_csv("\t=1", true, "\"'\t=1\"");
    expect_csv("\r=1", true, "\"'\r=1\"");
    expect_csv("=HYPERLINK(\"x\")", true, "\"'=HYPERLINK(\"\"x\"\")\"");
    expect_csv("a=1", true, "a=1");
    expect_csv("-2", false, "-2");
}

static void tsv_keeps_one_line_and_its_columns(void **state)
{
    (void)state;
    SCOPED_BUFFER out = {0};
    delimited_append_tsv(&out, "a\tb\nc\rd\\te");
    assert_string_equal(out.data, "a\\tb\\nc\\rd\\\\te");
    buffer_clear(&out);
    delimited_append_tsv(&out, NULL);
    assert_int_equal(out.length, 0);
}

static void json_keeps_its_meaning_and_loses_its_controls(void **state)
{
    (void)state;
    SCOPED_BUFFER out = {0};
    json_append_safe(&out,
                     "{\"a\":\"\xc3\xa9 \x7f \xc2\x9b \xe2\x80\xae \xf3\xa0\x81\x81\",\n \"b\":1}");
    assert_string_equal(out.data,
                        "{\"a\":\"\xc3\xa9 \\u007f \\u009b \\u202e \\udb40\\udc41\",  \"b\":1}");
    buffer_clear(&out);
    json_append_safe(&out, "");
    assert_string_equal(out.data, "");
}

static void expect_age(int64_t seconds, const char *text)
{
    SCOPED_BUFFER out = {0};
    age_append(&out, 1000000, 1000000 + seconds * 1000000);
    assert_string_equal(out.data, text);
}

static void ages_use_the_largest_telling_unit(void **state)
{
    (void)state;
    expect_age(-5, "0s");
    expect_age(119, "119s");
    expect_age(120, "2m");
    expect_age(3 * 3600 - 1, "179m");
    expect_age(3 * 3600, "3h");
    expect_age(48 * 3600, "2d");
    expect_age(400 * 86400, "400d");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_quotes_only_where_rfc4180_asks),
        cmocka_unit_test(csv_disarms_formulas),
        cmocka_unit_test(tsv_keeps_one_line_and_its_columns),
        cmocka_unit_test(json_keeps_its_meaning_and_loses_its_controls),
        cmocka_unit_test(ages_use_the_largest_telling_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
