// The arithmetic of the memory bound, over all sizes that matter.

#include "tests/unit/unit.h"

#include "store/window.h"

#define MIB ((int64_t)1024 * 1024)

static void windows_never_exceed_their_room(void **state)
{
    (void)state;
    for (size_t collectors = 1; collectors <= 2000; collectors += 37) {
        int64_t least = window_least_memory(collectors);
        for (int64_t memory = least; memory < least + 4096 * MIB; memory += 97 * MIB) {
            int64_t room = window_room(memory, collectors);
            for (size_t old = 0; old <= collectors; old += 1 + collectors / 7) {
                int64_t share = window_share(memory, collectors, old);
                bool fits = share >= WINDOW_LEAST;
                assert_true(room < memory && share <= WINDOW_MOST);
                // Whoever is welcomed can send an event of the largest size.
                assert_true(fits || old > 0);
                assert_true(!fits ||
                            (int64_t)(collectors - old) * share + (int64_t)old * WINDOW_V1 <= room);
            }
        }
    }
}

static void the_least_memory_is_just_enough(void **state)
{
    (void)state;
    for (size_t collectors = 1; collectors <= 2000; collectors *= 3) {
        int64_t least = window_least_memory(collectors);
        assert_true(window_share(least, collectors, 0) >= WINDOW_LEAST);
        assert_true(window_share(least - (int64_t)collectors * 5, collectors, 0) < WINDOW_LEAST);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_never_exceed_their_room),
        cmocka_unit_test(the_least_memory_is_just_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
