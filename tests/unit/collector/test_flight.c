// What may fly: two frames, a window's bytes, and one large event alone.

#include "tests/unit/unit.h"

#include "collector/flight.h"

#define MIB (1024 * 1024)

static void test_two_frames_fly_and_no_third(void **state)
{
    (void)state;
    struct flights flights;
    flights_begin(&flights, 10, 1000);
    assert_int_equal(flights_frame_bytes(&flights), 500);
    flights_add(&flights, 3, 400);
    assert_true(flights_may_send(&flights));
    assert_int_equal(flights_frame_bytes(&flights), 500);
    flights_add(&flights, 2, 450);
    assert_false(flights_may_send(&flights));
    assert_int_equal(flights.sent, 15);
}

static void test_acks_land_whole_frames(void **state)
{
    (void)state;
    struct flights flights;
    flights_begin(&flights, 10, 1000);
    flights_add(&flights, 3, 400);
    flights_add(&flights, 2, 450);
    flights_ack(&flights, 12); // inside of the first
    assert_int_equal(flights.count, 2);
    flights_ack(&flights, 13);
    assert_int_equal(flights.count, 1);
    assert_int_equal(flights.frames[0].last, 15);
    flights_ack(&flights, 15);
    assert_int_equal(flights.count, 0);
    assert_int_equal(flights.acked, 15);
}

static void test_a_frame_has_what_is_left_of_the_window(void **state)
{
    (void)state;
    struct flights flights;
    flights_begin(&flights, 0, 1000);
    flights_add(&flights, 1, 900);
    assert_int_equal(flights_frame_bytes(&flights), 100);
    flights.window = 800; // the store has less room by now
    assert_int_equal(flights_frame_bytes(&flights), 0);
}

static void test_a_frame_has_a_bound_of_its_own(void **state)
{
    (void)state;
    struct flights flights;
    flights_begin(&flights, 0, 100 * (int64_t)MIB);
    assert_int_equal(flights_frame_bytes(&flights), MIB);
    flights_begin(&flights, 0, 0); // told by none: as of version 1
    assert_int_equal(flights.window, 2 * MIB);
}

static void test_a_large_event_waits_until_it_is_alone(void **state)
{
    (void)state;
    struct flights flights;
    flights_begin(&flights, 0, 1000);
    flights_add(&flights, 1, 300);
    assert_true(flights_hold(&flights, 2000));
    assert_false(flights_may_send(&flights));
    flights_ack(&flights, 1);
    assert_true(flights_may_send(&flights));
    assert_false(flights_hold(&flights, 2000));
}

static void test_nothing_flies_after_the_end(void **state)
{
    (void)state;
    struct flights flights;
    flights_begin(&flights, 0, 1000);
    flights_add(&flights, 1, 300);
    assert_true(flights_hold(&flights, 2000));
    flights_end(&flights);
    assert_int_equal(flights.count, 0);
    assert_true(flights_may_send(&flights));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_frames_fly_and_no_third),
        cmocka_unit_test(test_acks_land_whole_frames),
        cmocka_unit_test(test_a_frame_has_what_is_left_of_the_window),
        cmocka_unit_test(test_a_frame_has_a_bound_of_its_own),
        cmocka_unit_test(test_a_large_event_waits_until_it_is_alone),
        cmocka_unit_test(test_nothing_flies_after_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
