// Waiting times stay within their bounds and grow.

#include "tests/unit/unit.h"

#include <stdbool.h>

#include "collector/backoff.h"

static void grows_within_its_bounds(void **state)
{
    (void)state;
    struct backoff backoff = {0};
    int64_t base_ms = BACKOFF_MIN_MS;
    for (int i = 0; i < 20; i++) {
        int64_t wait_ms = backoff_next_ms(&backoff);
        assert_true(wait_ms >= base_ms || wait_ms == BACKOFF_MAX_MS);
        assert_true(wait_ms <= BACKOFF_MAX_MS);
        base_ms = base_ms * 2 < BACKOFF_MAX_MS ? base_ms * 2 : BACKOFF_MAX_MS;
    }
    assert_int_equal(backoff_next_ms(&backoff), BACKOFF_MAX_MS);
    backoff_reset(&backoff);
    assert_true(backoff_next_ms(&backoff) < 2 * BACKOFF_MIN_MS);
}

static void two_do_not_walk_in_step(void **state)
{
    (void)state;
    int differ = 0;
    for (int i = 0; i < 50; i++) {
        struct backoff left = {0};
        struct backoff right = {0};
        differ += backoff_next_ms(&left) != backoff_next_ms(&right);
    }
    assert_true(differ > 25);
}

static void random_numbers_reach_both_ends(void **state)
{
    (void)state;
    bool low = false;
    bool high = false;
    for (int i = 0; i < 1000; i++) {
        int64_t number = backoff_random(300, 302);
        assert_true(number >= 300 && number <= 302);
        low |= number == 300;
        high |= number == 302;
    }
    assert_true(low && high);
    assert_int_equal(backoff_random(7, 7), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_within_its_bounds),
        cmocka_unit_test(two_do_not_walk_in_step),
        cmocka_unit_test(random_numbers_reach_both_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
