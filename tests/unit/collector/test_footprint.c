// Pages of code are let go of when it is time, and come back when they are used.

#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "collector/footprint.h"
#include "common/digest.h"

// Resident pages that a file stands behind.
static long file_pages(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long size, resident, shared;
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld %ld", &size, &resident, &shared), 3);
    fclose(file);
    return shared;
}

static void code_goes_after_the_start_and_comes_back(void **state)
{
    (void)state;
    uint8_t before[DIGEST_BYTES];
    uint8_t after[DIGEST_BYTES];
    struct footprint footprint = {0};
    digest_sha256("x", 1, before);
    footprint_step(&footprint, 1000);
    footprint_step(&footprint, 10999);
    long pages = file_pages();
    footprint_step(&footprint, 11000);
    long left = file_pages();
    assert_true(left < pages * 3 / 4);
    digest_sha256("x", 1, after);
    assert_memory_equal(before, after, DIGEST_BYTES);
    // Not again before its time: what is used meanwhile stays.
    assert_true(footprint.next_ms > 11000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_goes_after_the_start_and_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
