// The collector's clock: it runs on by itself, and follows the wall clock only when it is asked to.

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "collector/clock.h"
#include "common/memory.h"
#include "common/timestamp.h"

#define YEAR_US (365 * 86400 * INT64_C(1000000))

static int64_t ahead(void)
{
    int64_t ahead_us = clock_now() - timestamp_now();
    return (ahead_us + 50000) / 100000 - (ahead_us < -50000); // to the nearest tenth of a second
}

// Where the text says that the machine is a year ahead; NULL where the kernel names no boot.
static char *text_a_year_ahead(void)
{
    SCOPED(xfree_char) char *text = clock_print();
    char *space = strrchr(text, ' ');
    if (space == NULL || space == text)
        return NULL;
    *space = '\0';
    return xasprintf("%s %lld", text, strtoll(space + 1, NULL, 10) + YEAR_US);
}

static void follows_when_asked(void **state)
{
    (void)state;
    assert_int_equal(ahead(), 0);
    assert_true(clock_agree() == 0); // nothing was agreed before, so nothing was set
    assert_int_equal(ahead(), 0);
    assert_true(clock_agree() == 0);
    SCOPED(xfree_char) char *text = text_a_year_ahead();
    if (text == NULL)
        skip();
    assert_true(clock_resume(text));
    assert_int_equal(ahead(), YEAR_US / 100000);
    int64_t by_us = clock_agree();
    assert_true(by_us < -YEAR_US + 100000 && by_us > -YEAR_US - 100000);
    assert_int_equal(ahead(), 0);
}

static void another_boot_is_another_clock(void **state)
{
    (void)state;
    static const char *const other[] = {"", "5", "00000000-0000-0000-0000-000000000000 77"};
    for (size_t i = 0; i < sizeof(other) / sizeof(*other); i++) {
        assert_false(clock_resume(other[i]));
        assert_true(clock_agree() == 0);
        assert_int_equal(ahead(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_when_asked),
        cmocka_unit_test(another_boot_is_another_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
