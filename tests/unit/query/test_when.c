// Instants as people write them.

#include "query/when.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *text, enum when_kind kind, const char *read)
{
    struct when when;
    struct error err;
    assert_true(when_parse("as-of", text, &when, &err));
    assert_int_equal(when.kind, kind);
    assert_string_equal(when.text, read);
}

static void expect_refused(const char *text)
{
    struct when when;
    struct error err;
    assert_false(when_parse("until", text, &when, &err));
    assert_non_null(strstr(err.text, "--until"));
    assert_non_null(strstr(err.text, "; hint: "));
}

static void reads_rfc3339_into_utc(void **state)
{
    (void)state;
    expect("2026-03-01T09:00:00Z", WHEN_INSTANT, "2026-03-01T09:00:00Z");
    expect("2026-03-01T09:00:00.5+02:00", WHEN_INSTANT, "2026-03-01T07:00:00.500000Z");
}

static void leaves_a_date_to_its_zone(void **state)
{
    (void)state;
    expect("2024-02-29", WHEN_DAY, "2024-02-29");
}

static void reads_ages_of_several_units(void **state)
{
    (void)state;
    expect("45s", WHEN_AGE, "45 seconds");
    expect("3d", WHEN_AGE, "259200 seconds");
    expect("1w2d3h4m5s", WHEN_AGE, "788645 seconds");
    expect("0s", WHEN_AGE, "0 seconds");
}

static void gives_none_when_not_asked(void **state)
{
    (void)state;
    struct when when;
    struct error err;
    assert_true(when_parse("since", NULL, &when, &err));
    assert_int_equal(when.kind, WHEN_NONE);
    assert_null(when_kind_name(when.kind));
}

static void refuses_what_is_no_time(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "",
        "d",
        "3",
        "3y",
        "-3d",
        "3 d",
        "2026-02-29",
        "2026-13-01",
        "2026-3-1",
        "yesterday",
        "2026-03-01T09:00:00",
        "99999999999999999999d",
        "9223372036854775807w",
        "2026-03-01T25:00:00Z",
        "2026-03-01'; DROP TABLE x",
        "366001d",
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
        expect_refused(refused[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_rfc3339_into_utc),      cmocka_unit_test(leaves_a_date_to_its_zone),
        cmocka_unit_test(reads_ages_of_several_units), cmocka_unit_test(gives_none_when_not_asked),
        cmocka_unit_test(refuses_what_is_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
