// Event lines into facts, without a database: what is taken, what is quarantined, whom it touches.

#define _GNU_SOURCE // memmem

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "store/facts.h"

#define UID "0a0b0c0d-0000-4000-8000-000000000001"
#define OBSERVED                                                                                   \
    "\"cluster\":\"c1\",\"namespace\":\"risk\",\"name\":\"m\",\"uid\":\"" UID                      \
    "\",\"resource\":\"models.x\",\"kind\":\"Model\",\"extractor\":1,"                             \
    "\"at\":\"2026-01-01T00:00:00Z\",\"at_source\":\"object\""

static char *risk[] = {(char[]){"risk"}};
static struct allowed allowed = {
    .name = (char[]){"eu-1"}, .cluster = (char[]){"c1"}, .namespaces = risk, .namespace_count = 1};

// Reads the line as event 7 of its stream and takes it; the caller resets the event.
static struct batch_event take(struct facts *facts, const struct allowed *by, const char *line)
{
    struct batch_event event = {.allowed = by,
                                .collector = by ? by->name : "_store",
                                .epoch = 3,
                                .seq = 7,
                                .line = line,
                                .length = strlen(line),
                                .log_index = 42};
    batch_event_read(&event);
    facts_add(facts, &event);
    return event;
}

static char *wrap(const char *type, const char *data)
{
    return xasprintf(
        "{\"specversion\":\"1.0\",\"id\":\"eu-1:3:7\",\"type\":\"dev.modeltrail.%s.v1\","
        "\"time\":\"2026-01-01T00:00:00Z\",\"data\":%s}",
        type, data);
}

static struct batch_event take_data(struct facts *facts, const char *type, const char *data)
{
    static char *line;
    free(line);
    line = wrap(type, data);
    return take(facts, &allowed, line);
}

static void test_observation_touches_its_workload(void **state)
{
    (void)state;
    struct facts facts = {0};
    struct batch_event event =
        take_data(&facts, "workload.observed",
                  "{" OBSERVED ",\"position\":\"9\",\"object\":{\"deep\":[1,2,{\"x\":\"}\"}]}}");
    assert_string_equal(event.quarantined, "");
    assert_string_equal(event.id, "eu-1:3:7");
    assert_null(cJSON_GetObjectItemCaseSensitive(event.data, "object"));
    assert_int_equal(facts.state.count, 1);
    assert_int_equal(facts.touched.count, 1);
    const struct touched_workload *workload = facts.touched.items[0];
    assert_string_equal(workload->uid, UID);
    assert_int_equal(workload->reading_count, 1);
    assert_int_equal(workload->readings->reading.position, 9);
    assert_int_equal(workload->object->log_index, 42);
    batch_event_reset(&event);
    // The second observation of the same workload adds no second entry.
    event = take_data(&facts, "workload.observed", "{" OBSERVED ",\"position\":\"10\"}");
    assert_int_equal(facts.touched.count, 1);
    assert_int_equal(facts.touched.items[0]->reading_count, 2);
    batch_event_reset(&event);
    facts_reset(&facts);
}

static int64_t time_of(const struct facts *facts)
{
    return facts->touched.items[0]->readings->reading.at;
}

// Midnight of 2026-01-01; a slow clock said so an hour late, and it was recorded two hours later.
static void test_a_slow_clock_is_raised(void **state)
{
    (void)state;
    static const int64_t hour = 3600 * INT64_C(1000000);
    static const int64_t midnight = 1767225600 * INT64_C(1000000);
    static const struct {
        const char *source;
        int64_t lag, recorded, at;
    } cases[] = {
        {"collector_clock", hour, 2 * hour, hour},
        {"listing", hour, 2 * hour, hour},
        {"collector_clock", 3 * hour, 2 * hour, 2 * hour}, // never behind its recording (D26)
        {"object", hour, 2 * hour, 0},                     // the API server's clock is not slow
        {"collector_clock", 0, -hour, -hour},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct facts facts = {0};
        SCOPED(xfree_char)
        char *line =
            xasprintf("{\"specversion\":\"1.0\",\"id\":\"eu-1:3:7\","
                      "\"type\":\"dev.modeltrail.workload.observed.v1\",\"data\":{"
                      "\"cluster\":\"c1\",\"namespace\":\"risk\",\"name\":\"m\",\"uid\":\"" UID
                      "\",\"resource\":\"models.x\",\"kind\":\"Model\",\"extractor\":1,"
                      "\"position\":\"9\",\"at\":\"2026-01-01T00:00:00Z\","
                      "\"at_source\":\"%s\"}}",
                      cases[i].source);
        struct batch_event event = {.allowed = &allowed,
                                    .collector = "eu-1",
                                    .epoch = 3,
                                    .seq = 7,
                                    .line = line,
                                    .length = strlen(line),
                                    .recorded_at = midnight + cases[i].recorded,
                                    .lag_us = cases[i].lag};
        batch_event_read(&event);
        facts_add(&facts, &event);
        assert_string_equal(event.quarantined, "");
        assert_true(time_of(&facts) == midnight + cases[i].at);
        batch_event_reset(&event);
        facts_reset(&facts);
    }
}

static void test_nothing_is_taken_of_what_is_quarantined(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{" OBSERVED ",\"position\":\"9.5\"}",
        "{" OBSERVED ",\"position\":\"9\",\"not_before\":\"31.12.2025\"}",
        "{" OBSERVED ",\"position\":\"9\",\"placements\":[{\"uri\":\"s3://x\"}]}",
        "{" OBSERVED ",\"position\":\"9\",\"position\":\"10\"}",
        "{" OBSERVED ",\"position\":\"9\",\"object\":1,\"object\":2}",
        "{\"cluster\":\"c2\",\"namespace\":\"risk\"}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct facts facts = {0};
        struct batch_event event = take_data(&facts, "workload.observed", bad[i]);
        assert_string_not_equal(event.quarantined, "");
        assert_int_equal(facts.state.count, 0);
        assert_int_equal(facts.touched.count, 0);
        batch_event_reset(&event);
        facts_reset(&facts);
    }
}

// A key may spell "object" with an escape; the tree must not hold it all the same.
static void test_escaped_object_key(void **state)
{
    (void)state;
    struct facts facts = {0};
    struct batch_event event =
        take_data(&facts, "workload.observed",
                  "{" OBSERVED ",\"position\":\"9\",\"obj\\u0065ct\":{\"a\":1}}");
    assert_string_equal(event.quarantined, "");
    assert_null(cJSON_GetObjectItemCaseSensitive(event.data, "object"));
    batch_event_reset(&event);
    facts_reset(&facts);
}

static void test_scopes(void **state)
{
    (void)state;
    struct facts facts = {0};
    struct batch_event event =
        take_data(&facts, "scope.gap",
                  "{\"cluster\":\"c1\",\"namespace\":null,\"aspect\":\"state\",\"reason\":\"x\"}");
    // Of a collector of some namespaces: a gap in each of them.
    assert_string_equal(event.quarantined, "");
    assert_int_equal(facts.gap.count, allowed.namespace_count);
    batch_event_reset(&event);
    event =
        take_data(&facts, "scope.gap",
                  "{\"cluster\":\"c2\",\"namespace\":null,\"aspect\":\"state\",\"reason\":\"x\"}");
    assert_non_null(strstr(event.quarantined, "may not speak"));
    batch_event_reset(&event);
    event = take_data(
        &facts, "scope.gap",
        "{\"cluster\":\"c1\",\"namespace\":\"risk\",\"aspect\":\"state\",\"reason\":\"x\"}");
    assert_string_equal(event.quarantined, "");
    assert_int_equal(facts.gap.count, allowed.namespace_count + 1);
    batch_event_reset(&event);
    facts_reset(&facts);
}

#define REQUEST                                                                                    \
    "\"cluster\":\"c1\",\"namespace\":\"risk\",\"audit_id\":\"a\",\"stage\":\"ResponseComplete\"," \
    "\"resource\":\"models.x\",\"uid\":\"" UID "\",\"at\":\"2026-01-01T00:00:00Z\","               \
    "\"principal\":\"bob\",\"via\":\"audit_log\""

static void test_only_requests_that_matter_touch(void **state)
{
    (void)state;
    struct facts facts = {0};
    struct batch_event event =
        take_data(&facts, "request.audited", "{" REQUEST ",\"verb\":\"get\",\"code\":200}");
    batch_event_reset(&event);
    event = take_data(&facts, "request.audited", "{" REQUEST ",\"verb\":\"patch\",\"code\":403}");
    batch_event_reset(&event);
    assert_int_equal(facts.request.count, 2);
    assert_int_equal(facts.touched.count, 0);
    event = take_data(&facts, "request.audited",
                      "{" REQUEST ",\"verb\":\"patch\",\"code\":200,\"groups\":[\"a\",\"b\"]}");
    assert_string_equal(event.quarantined, "");
    batch_event_reset(&event);
    assert_int_equal(facts.touched.count, 1);
    assert_int_equal(facts.touched.items[0]->request_count, 1);
    assert_null(facts.touched.items[0]->object);
    facts_reset(&facts);
}

// A review has no result, but the generation that it says to bring (docs/fold.md 5).
static void test_a_review_is_a_request_of_other_evidence(void **state)
{
    (void)state;
    struct facts facts = {0};
    struct batch_event event = take_data(&facts, "request.reviewed",
                                         "{" REQUEST ",\"verb\":\"update\",\"generation\":\"2\"}");
    assert_string_equal(event.quarantined, "");
    assert_int_equal(facts.request.count, 1);
    assert_int_equal(facts.touched.count, 1);
    assert_int_equal(facts.touched.items[0]->request_count, 1);
    assert_non_null(memmem(facts.request.rows.data, facts.request.rows.length, "admission", 9));
    batch_event_reset(&event);
    facts_reset(&facts);
}

static void test_reason_is_cut_between_characters(void **state)
{
    (void)state;
    struct batch_event event = {.quarantined = ""};
    char reason[400];
    memset(reason, 'x', sizeof(reason));
    memcpy(reason + 254, "\xc3\xa9", 2); // would be cut in its middle
    reason[399] = '\0';
    batch_event_quarantine(&event, reason);
    assert_int_equal(strlen(event.quarantined), 254);
    batch_event_quarantine(&event, "a later reason");
    assert_int_equal(strlen(event.quarantined), 254);
}

static void test_many_workloads_are_kept_apart(void **state)
{
    (void)state;
    struct touched touched = {0};
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3000; i++) {
            char uid[37];
            snprintf(uid, sizeof(uid), "%08x-0000-4000-8000-000000000000", (unsigned)i);
            assert_string_equal(touched_get(&touched, i % 2 ? "c1" : "c", "models.x", uid)->uid,
                                uid);
        }
    }
    assert_int_equal(touched.count, 3000);
    touched_reset(&touched);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_observation_touches_its_workload),
        cmocka_unit_test(test_a_slow_clock_is_raised),
        cmocka_unit_test(test_nothing_is_taken_of_what_is_quarantined),
        cmocka_unit_test(test_escaped_object_key),
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_only_requests_that_matter_touch),
        cmocka_unit_test(test_a_review_is_a_request_of_other_evidence),
        cmocka_unit_test(test_reason_is_cut_between_characters),
        cmocka_unit_test(test_many_workloads_are_kept_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
