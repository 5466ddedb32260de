// Readings and requests from event data, and from the column that the store keeps of them.

#include "common/error.h"
#include "store/fold_input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HEAD                                                                                       \
    "{\"position\":\"12\",\"extractor\":3,\"at\":\"2026-01-02T03:04:05.999999Z\",\"at_source\":"   \
    "\"object\""

static const char full[] =
    HEAD ",\"not_before\":\"2026-01-02T03:04:05Z\",\"generation\":\"7\","
         "\"observed_generation\":\"6\",\"ready\":false,"
         "\"failed\":true,\"deleting\":true,\"removed\":true,\"spec_at\":\"2026-01-02T03:04:"
         "01Z\",\"spec_source\":\"managed_fields\","
         "\"ready_since\":\"2026-01-02T03:04:02Z\",\"placements\":[{"
         "\"component\":\"predictor\",\"role\":\"live\","
         "\"traffic_percent\":33.3333333,\"stopped\":true,\"replicas\":2,"
         "\"node\":\"n\",\"uri\":\"s3://\\\"b\\\\/\\u00e9\\n\","
         "\"artifact_version\":4,\"image\":\"i\",\"digest\":\"d\","
         "\"labels\":{\"b\":\"2\",\"a\":\"1\",\"n\":3},"
         "\"revisioned\":true},{\"component\":\"other\",\"uri\":\"\","
         "\"traffic_percent\":-1,\"replicas\":-3}],"
         "\"revisions\":{\"latest_created\":\"r2\",\"kept\":\"r1\","
         "\"traffic\":[{\"revision\":\"r1\",\"percent\":90},{}]},"
         "\"routes\":[{\"target\":\"t\",\"target_kind\":\"Model\",\"role\":"
         "\"mirror\",\"percent\":12.5}]}";

static bool read_event(const char *json, struct fold_arena *arena, struct reading *out,
                       struct error *err)
{
    cJSON *data = cJSON_Parse(json);
    assert_non_null(data);
    bool taken = reading_from_event(data, 99, arena, out, err);
    cJSON_Delete(data);
    return taken;
}

static void all_members_are_taken(void **unused)
{
    (void)unused;
    SCOPED_FOLD_ARENA arena = {0};
    struct reading reading;
    struct error err = {0};
    assert_true(read_event(full, &arena, &reading, &err));
    assert_int_equal(reading.position, 12);
    assert_int_equal(reading.log_index, 99);
    assert_int_equal(reading.at_source, TIME_OBJECT);
    assert_int_equal(reading.at - reading.not_before, 999999);
    assert_int_equal(reading.generation, 7);
    assert_int_equal(reading.observed_generation, 6);
    assert_true(reading.ready_known && !reading.ready && reading.failed && reading.removed);
    assert_true(reading.is_deleting);
    assert_int_equal(reading.at - reading.spec_at, 4999999);
    assert_int_equal(reading.spec_source, TIME_MANAGED_FIELDS);
    assert_int_equal(reading.placement_count, 2);
    const struct raw_placement *first = &reading.placements[0];
    assert_int_equal(first->traffic, 33333333);
    assert_true(first->stopped && first->revisioned);
    assert_string_equal(first->uri, "s3://\"b\\/\xc3\xa9\n");
    assert_string_equal(first->artifact_version, "4");
    assert_int_equal(first->label_count, 2); // ascending; what is no text is left out
    assert_string_equal(first->labels[0].key, "a");
    const struct raw_placement *second = &reading.placements[1];
    assert_string_equal(second->role, "live");
    assert_null(second->uri);
    assert_int_equal(second->traffic, FOLD_NONE);
    assert_int_equal(second->replicas, FOLD_NONE);
    assert_int_equal(reading.traffic_count, 1);
    assert_string_equal(reading.kept, "r1");
    assert_int_equal(reading.routes[0].percent, 12500000);
}

static void the_column_gives_back_what_the_event_gave(void **unused)
{
    (void)unused;
    SCOPED_FOLD_ARENA arena = {0};
    struct reading reading;
    struct error err = {0};
    assert_true(read_event(full, &arena, &reading, &err));
    SCOPED_BUFFER detail = {0};
    reading_detail_print(&reading, &detail);
    struct reading again = {.position = 12, .log_index = 99};
    assert_true(reading_detail_parse(detail.data, &arena, &again, &err));
    assert_int_equal(again.position, 12);
    assert_int_equal(again.spec_at, reading.spec_at);
    assert_int_equal(again.ready_since, reading.ready_since);
    assert_int_equal(again.placements[0].traffic, reading.placements[0].traffic);
    SCOPED_BUFFER printed = {0};
    reading_detail_print(&again, &printed);
    assert_string_equal(printed.data, detail.data);
    // A damaged column is a person's business, no input to set aside.
    assert_false(reading_detail_parse("{\"placements\":7}", &arena, &again, &err));
    assert_int_equal(err.react, REACT_STOP);
}

static void what_is_missing_is_unknown(void **unused)
{
    (void)unused;
    SCOPED_FOLD_ARENA arena = {0};
    struct reading reading;
    struct error err = {0};
    assert_true(read_event(HEAD
                           ",\"revisions\":null,\"routes\":null,\"spec_at\":null,\"ready\":null}",
                           &arena, &reading, &err));
    assert_false(reading.ready_known);
    assert_int_equal(reading.generation, FOLD_NONE);
    assert_int_equal(reading.spec_at, FOLD_NONE);
    assert_int_equal(reading.placement_count + reading.route_count + reading.traffic_count, 0);
}

static void what_is_wrong_is_refused(void **unused)
{
    (void)unused;
    static const char *const wrong[] = {
        "{}",
        "{\"position\":\"12\",\"extractor\":1,\"at_source\":\"audit\"}",
        "{\"position\":\"12\",\"extractor\":1,\"at\":\"2026-01-02T03:04:05Z\",\"at_source\":"
        "\"inferred\"}",
        "{\"position\":\"x\",\"extractor\":1,\"at\":\"2026-01-02T03:04:05Z\",\"at_source\":"
        "\"audit\"}",
        "{\"position\":\"-1\",\"extractor\":1,\"at\":\"2026-01-02T03:04:05Z\",\"at_source\":"
        "\"audit\"}",
        "{\"position\":\"9223372036854775807\",\"extractor\":1,\"at\":\"2026-01-02T03:04:05Z\","
        "\"at_source\":\"audit\"}",
        "{\"position\":\"1\",\"at\":\"2026-01-02T03:04:05Z\",\"at_source\":\"audit\"}",
        HEAD ",\"placements\":{}}",
        HEAD ",\"placements\":[{\"uri\":\"s3://b\"}]}",
        HEAD ",\"routes\":[{\"target\":\"t\"}]}",
        HEAD ",\"spec_at\":\"2026-01-02T03:04:05Z\"}",
        HEAD ",\"ready_since\":\"yesterday\"}",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        SCOPED_FOLD_ARENA arena = {0};
        struct reading reading = {.position = -7};
        struct error err = {0};
        assert_false(read_event(wrong[i], &arena, &reading, &err));
        assert_int_equal(err.react, REACT_REJECT);
        assert_true(strlen(err.text) > 0);
        assert_int_equal(reading.position, -7); // untouched
    }
}

static void shares_are_exact(void **unused)
{
    (void)unused;
    static const struct {
        double percent;
        const char *text;
    } cases[] = {{0, "0"},
                 {100, "100"},
                 {12.5, "12.5"},
                 {33.3333333333, "33.333333"},
                 {66.6666666, "66.666667"},
                 {0.000001, "0.000001"},
                 {1000000, "1000000"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        SCOPED_BUFFER text = {0};
        fold_share_print(fold_share_from(cases[i].percent), &text);
        assert_string_equal(text.data, cases[i].text);
    }
    assert_int_equal(fold_share_from(-0.1), FOLD_NONE);
    assert_int_equal(fold_share_from(1e300), FOLD_NONE);
    assert_int_equal(fold_share_from(1.0 / 0.0 * 0.0), FOLD_NONE);
}

static void requests_are_taken_and_told_apart(void **unused)
{
    (void)unused;
    static const char json[] =
        "{\"uid\":\"0a0b0c0d-0000-4000-8000-000000000001\",\"verb\":\"patch\",\"subresource\":\"\","
        "\"code\":200,\"at\":\"2026-01-02T03:04:05Z\","
        "\"position\":\"9007199254740993\",\"generation\":\"9223372036854775807\"}";
    SCOPED_FOLD_ARENA arena = {0};
    struct error err = {0};
    cJSON *data = cJSON_Parse(json);
    struct fold_request request;
    assert_true(fold_request_from_event(data, false, 5, &arena, &request, &err));
    cJSON_Delete(data);
    assert_int_equal(request.position, INT64_C(9007199254740993));
    assert_int_equal(request.generation, FOLD_NONE); // no room to count on from there
    assert_null(request.subresource);
    assert_true(fold_request_matters(&request));
    request.subresource = "scale";
    assert_true(fold_request_is_candidate(&request));
    request.subresource = "status";
    assert_false(fold_request_matters(&request));
    request.removes = true;
    assert_true(fold_request_matters(&request));
    assert_false(fold_request_is_candidate(&request));
    request.code = 409;
    assert_false(fold_request_matters(&request));

    data = cJSON_Parse("{\"verb\":\"patch\"}");
    assert_false(fold_request_from_event(data, false, 5, &arena, &request, &err));
    cJSON_Delete(data);
    data = cJSON_Parse("{\"at\":\"2026-01-02T03:04:05Z\"}");
    assert_false(fold_request_from_event(data, false, 5, &arena, &request, &err));
    cJSON_Delete(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_members_are_taken),
        cmocka_unit_test(the_column_gives_back_what_the_event_gave),
        cmocka_unit_test(what_is_missing_is_unknown),
        cmocka_unit_test(what_is_wrong_is_refused),
        cmocka_unit_test(shares_are_exact),
        cmocka_unit_test(requests_are_taken_and_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
