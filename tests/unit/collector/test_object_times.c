// Which of an object's times dates its position and its generation.

#include "tests/unit/unit.h"

#include <string.h>

#include "collector/object_times.h"
#include "common/json.h"
#include "common/timestamp.h"

static int64_t instant(const char *text)
{
    int64_t at;
    if (!timestamp_parse(text, &at))
        fail_msg("no time: %s", text);
    return at;
}

// Seen at 12:00:00.5 with nothing known before, unless a test says otherwise.
static struct object_seen seen(void)
{
    return (struct object_seen){.at = instant("2026-01-01T12:00:00.5Z"),
                                .source = "collector_clock",
                                .not_before = TIMESTAMP_NONE};
}

static struct object_times read(const char *object, struct object_seen how)
{
    struct error err = {0};
    SCOPED(cJSON_Delete) cJSON *tree = json_parse(object, strlen(object), 100, &err);
    assert_non_null(tree);
    struct object_times times;
    object_times_read(tree, &how, &times);
    return times;
}

static void assert_at(const struct object_times *times, const char *at, const char *source)
{
    char text[TIMESTAMP_TEXT];
    timestamp_format(times->at, text);
    assert_string_equal(text, at);
    assert_string_equal(times->at_source, source);
}

#define MANAGED                                                                                    \
    "{\"metadata\":{\"generation\":3,\"creationTimestamp\":\"2026-01-01T01:00:00Z\","              \
    "\"managedFields\":[{\"time\":\"2026-01-01T10:00:00Z\"},"                                      \
    "{\"subresource\":\"status\",\"time\":\"2026-01-01T11:00:00Z\"}]},\"status\":{\"a\":1}}"

static void the_newest_managed_time_dates_the_position(void **state)
{
    (void)state;
    struct object_times times = read(MANAGED, seen());
    assert_at(&times, "2026-01-01T11:00:00.999999Z", "managed_fields");
    assert_true(times.not_before == instant("2026-01-01T11:00:00Z"));
}

static void the_newest_that_is_no_status_dates_the_generation(void **state)
{
    (void)state;
    struct object_times times = read(MANAGED, seen());
    assert_true(times.spec_at == instant("2026-01-01T10:00:00.999999Z"));
    assert_string_equal(times.spec_source, "managed_fields");
}

static void a_request_knows_better(void **state)
{
    (void)state;
    struct object_seen how = seen();
    how.source = "audit";
    struct object_times times = read(MANAGED, how);
    assert_at(&times, "2026-01-01T12:00:00.500000Z", "audit");
    assert_true(times.spec_at == instant("2026-01-01T10:00:00.999999Z"));
}

#define FRESH "{\"metadata\":{\"generation\":1,\"creationTimestamp\":\"2026-01-01T09:00:00Z\"}"

static void creation_dates_a_fresh_object_only(void **state)
{
    (void)state;
    struct object_times fresh = read(FRESH "}", seen());
    struct object_times later = read(FRESH ",\"status\":{\"x\":1}}", seen());
    assert_at(&fresh, "2026-01-01T09:00:00.999999Z", "object");
    assert_at(&later, "2026-01-01T12:00:00.500000Z", "collector_clock");
    assert_true(later.spec_at == instant("2026-01-01T09:00:00.999999Z"));
    assert_string_equal(later.spec_source, "object");
}

static void a_removal_is_dated_by_deletion_or_the_clock(void **state)
{
    (void)state;
    struct object_seen how = seen();
    how.removed = true;
    struct object_times plain = read(MANAGED, how);
    assert_at(&plain, "2026-01-01T12:00:00.500000Z", "collector_clock");
    struct object_times marked =
        read("{\"metadata\":{\"deletionTimestamp\":\"2026-01-01T11:59:00Z\"}}", how);
    assert_at(&marked, "2026-01-01T11:59:00.999999Z", "object");
}

static void marking_for_deletion_is_a_position_too(void **state)
{
    (void)state;
    struct object_times times =
        read("{\"metadata\":{\"deletionTimestamp\":\"2026-01-01T11:59:00Z\",\"managedFields\":["
             "{\"time\":\"2026-01-01T10:00:00Z\"}]}}",
             seen());
    assert_at(&times, "2026-01-01T11:59:00.999999Z", "object");
}

static void no_time_is_later_than_the_sighting(void **state)
{
    (void)state;
    struct object_times same_second =
        read("{\"metadata\":{\"managedFields\":[{\"time\":\"2026-01-01T12:00:00Z\"}]}}", seen());
    assert_at(&same_second, "2026-01-01T12:00:00.500000Z", "collector_clock");
    assert_true(same_second.not_before == instant("2026-01-01T12:00:00Z"));
    assert_true(same_second.spec_at == instant("2026-01-01T12:00:00.5Z"));
    struct object_times future =
        read("{\"metadata\":{\"managedFields\":[{\"time\":\"2030-01-01T12:00:00Z\"}]}}", seen());
    assert_at(&future, "2026-01-01T12:00:00.500000Z", "collector_clock");
    assert_true(future.not_before == TIMESTAMP_NONE);
}

static void a_time_before_the_lower_bound_is_another_write(void **state)
{
    (void)state;
    struct object_seen how = seen();
    how.not_before = instant("2026-01-01T11:30:00Z");
    struct object_times times = read(MANAGED, how);
    assert_at(&times, "2026-01-01T12:00:00.500000Z", "collector_clock");
    assert_true(times.not_before == how.not_before);
}

static void nonsense_is_no_time(void **state)
{
    (void)state;
    struct object_times times =
        read("{\"metadata\":{\"generation\":\"1\",\"creationTimestamp\":7,\"managedFields\":{\"a\":"
             "{\"time\":\"yesterday\"},\"b\":{\"time\":\"0001-01-01T00:00:00Z\"}},"
             "\"deletionTimestamp\":[]}}",
             seen());
    assert_at(&times, "2026-01-01T12:00:00.500000Z", "collector_clock");
    assert_true(times.spec_at == TIMESTAMP_NONE);
    assert_null(times.spec_source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_managed_time_dates_the_position),
        cmocka_unit_test(the_newest_that_is_no_status_dates_the_generation),
        cmocka_unit_test(a_request_knows_better),
        cmocka_unit_test(creation_dates_a_fresh_object_only),
        cmocka_unit_test(a_removal_is_dated_by_deletion_or_the_clock),
        cmocka_unit_test(marking_for_deletion_is_a_position_too),
        cmocka_unit_test(no_time_is_later_than_the_sighting),
        cmocka_unit_test(a_time_before_the_lower_bound_is_another_write),
        cmocka_unit_test(nonsense_is_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
