// Waiting times stay within their bounds and grow.

#include "tests/unit/unit.h"

#include <stdbool.h>

#include "collector/backoff.h"

static void grows_within_its_bounds(void **state)
{
    (void)state;
    struct backoff backoff = {0};
    int64_t base_ms = 2 * BACKOFF_MIN_MS;
    for (int i = 0; i < 20; i++) {
        int64_t wait_ms = backoff_next_ms(&backoff);
        assert_in_range(wait_ms, base_ms / 2, base_ms);
        base_ms = base_ms * 2 < BACKOFF_MAX_MS ? base_ms * 2 : BACKOFF_MAX_MS;
    }
    assert_int_equal(base_ms, BACKOFF_MAX_MS);
    backoff_reset(&backoff);
    assert_in_range(backoff_next_ms(&backoff), BACKOFF_MIN_MS, 2 * BACKOFF_MIN_MS);
}

// Where the trouble lasts, and all wait as long as they may, they must not wait alike.
static void the_longest_waits_differ(void **state)
{
    (void)state;
    struct backoff backoff = {.base_ms = BACKOFF_MAX_MS};
    bool lower_half = false;
    bool upper_half = false;
    int differ = 0;
    int64_t before_ms = 0;
    for (int i = 0; i < 100; i++) {
        int64_t wait_ms = backoff_next_ms(&backoff);
        assert_in_range(wait_ms, BACKOFF_MAX_MS / 2, BACKOFF_MAX_MS);
        lower_half |= wait_ms < BACKOFF_MAX_MS * 3 / 4;
        upper_half |= wait_ms > BACKOFF_MAX_MS * 3 / 4;
        differ += wait_ms != before_ms;
        before_ms = wait_ms;
    }
    assert_true(lower_half && upper_half);
    assert_true(differ > 90);
}

static void a_wish_is_heard_unless_absurd(void **state)
{
    (void)state;
    assert_int_equal(backoff_asked_ms(0), 0);
    for (int i = 0; i < 100; i++) {
        assert_in_range(backoff_asked_ms(10), 10000, 11000);
        assert_in_range(backoff_asked_ms(INT64_MAX), BACKOFF_ASKED_MAX_S * 1000,
                        BACKOFF_ASKED_MAX_S * 1100);
    }
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
        cmocka_unit_test(the_longest_waits_differ),
        cmocka_unit_test(a_wish_is_heard_unless_absurd),
        cmocka_unit_test(two_do_not_walk_in_step),
        cmocka_unit_test(random_numbers_reach_both_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
