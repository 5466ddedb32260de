// What each type of event must not say: it is quarantined for a reason that names the member, and
// leaves no fact behind.

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/memory.h"
#include "store/facts.h"

#define UID "0a0b0c0d-0000-4000-8000-000000000001"
#define AT "\"2026-01-01T00:00:00Z\""

struct good {
    const char *type;
    const char *data; // the members of an event that is taken
};

static const struct good observed = {
    "workload.observed",
    "\"cluster\":\"c1\",\"namespace\":\"risk\",\"name\":\"m\",\"uid\":\"" UID
    "\",\"resource\":\"models.x\",\"kind\":\"Model\",\"at\":" AT ",\"at_source\":\"object\""};
static const struct good listed = {
    "scope.listed", "\"cluster\":\"c1\",\"namespace\":\"risk\",\"resource\":\"models.x\","
                    "\"kind\":\"Model\",\"listed_at\":" AT};
static const struct good watched = {
    "scope.watched",
    "\"cluster\":\"c1\",\"namespace\":\"risk\",\"source\":\"watch\",\"through\":" AT
    ",\"watched_since\":" AT};
static const struct good gap = {"scope.gap",
                                "\"cluster\":\"c1\",\"namespace\":\"risk\",\"reason\":\"r\""};
static const struct good namespace = {
    "namespace.observed",
    "\"cluster\":\"c1\",\"namespace\":\"risk\",\"position\":\"1\",\"at\":" AT};
static const struct good audited = {
    "request.audited", "\"cluster\":\"c1\",\"namespace\":\"risk\",\"audit_id\":\"a\",\"stage\":"
                       "\"ResponseComplete\",\"resource\":\"models.x\",\"verb\":\"get\",\"at\":" AT
                       ",\"principal\":\"bob\",\"via\":\"audit_log\""};
static const struct good rejected = {"input.rejected", "\"where\":\"w\",\"digest\":\"\""};

static const struct good declared = {
    "commit.declared",
    "\"branch\":\"main\",\"commit\":\"0123456789012345678901234567890123456789\","
    "\"author\":{\"name\":\"Alice\"},\"committer\":{},\"paths\":[{\"path\":\"a\"}]"};

static const struct good synced = {
    "gitops.observed", "\"cluster\":\"c1\",\"namespace\":\"risk\",\"name\":\"m\",\"uid\":\"" UID
                       "\",\"tool\":\"argocd\",\"resource\":\"applications.argoproj.io\",\"kind\":"
                       "\"Application\",\"position\":\"9\",\"at\":" AT};

static char *models[] = {(char[]){"https://git.example/models.git"}};
static char *risk[] = {(char[]){"risk"}};
static const struct allowed allowed = {.name = (char[]){"eu-1"},
                                       .cluster = (char[]){"c1"},
                                       .namespaces = risk,
                                       .namespace_count = 1,
                                       .repositories = models,
                                       .repository_count = 1};

static size_t rows(const struct facts *facts)
{
    return (size_t)(facts->state.count + facts->listing.count + facts->watched.count +
                    facts->gap.count + facts->namespace_label.count + facts->request.count +
                    facts->commit.count + facts->commit_path.count + facts->gitops_sync.count);
}

// Gives the reason, and how many rows of facts there were.
static void take(const struct good *good, const char *more, char *reason, size_t size, size_t *made)
{
    struct facts facts = {0};
    SCOPED(xfree_char)
    char *line = xasprintf("{\"specversion\":\"1.0\",\"id\":\"eu-1:3:7\",\"type\":"
                           "\"dev.modeltrail.%s.v1\",\"data\":{%s,%s}}",
                           good->type, good->data, more);
    struct batch_event event = {.allowed = &allowed,
                                .collector = allowed.name,
                                .epoch = 3,
                                .seq = 7,
                                .line = line,
                                .length = strlen(line),
                                .log_index = 42};
    batch_event_read(&event);
    facts_add(&facts, &event);
    snprintf(reason, size, "%s", event.quarantined);
    *made = rows(&facts) + facts.touched.count;
    batch_event_reset(&event);
    facts_reset(&facts);
}

static void is_taken(const struct good *good, const char *more)
{
    char reason[256];
    size_t made;
    take(good, more, reason, sizeof(reason), &made);
    assert_string_equal(reason, "");
    assert_true(made > 0);
}

static void is_refused(const struct good *good, const char *more, const char *words)
{
    char reason[256];
    size_t made;
    take(good, more, reason, sizeof(reason), &made);
    if (strstr(reason, words) == NULL)
        fail_msg("%s {%.200s}: '%s' is not in '%s'", good->type, more, words, reason);
    assert_int_equal(made, 0);
}

static void members_have_their_types(void **state)
{
    (void)state;
    is_taken(&observed, "\"extractor\":1,\"position\":\"9\"");
    is_refused(&observed, "\"extractor\":1,\"position\":\"9e99\"", "position");
    is_refused(&observed, "\"extractor\":-1,\"position\":\"9\"", "\"extractor\" is no integer");
    is_refused(&observed, "\"extractor\":3000000000,\"position\":\"9\"",
               "\"extractor\" is no integer");
    is_refused(
        &observed,
        "\"extractor\":1,\"position\":\"9\",\"spec_source\":\"managed_fields\",\"spec_at\":\"1969-"
        "12-31T00:00:00Z\"",
        "before 1970");
    is_taken(&namespace, "\"labels\":{\"modeltrail.io/environment\":\"dev\"}");
    is_refused(&namespace, "\"labels\":[]", "data.labels is no object");
    is_taken(&namespace, "\"gitops\":{\"tool\":\"seldon\",\"repository\":null}");
    is_refused(&namespace, "\"gitops\":[]", "data.gitops is no object");
    is_refused(&namespace, "\"gitops\":{\"repository\":\"https://h/x\"}", "data.tool is missing");
    is_refused(&namespace, "\"removed\":\"yes\"", "data.removed is no boolean");
    is_refused(&namespace, "\"labels\":{\"modeltrail.io/environment\":7}",
               "data.modeltrail.io/environment is no string");
}

static void too_many(const char *member, const char *item, const char *words)
{
    SCOPED_BUFFER more = {0};
    buffer_printf(&more, "\"extractor\":1,\"position\":\"9\",\"%s\":[%s", member, item);
    for (int i = 0; i < 2000; i++)
        buffer_printf(&more, ",%s", item);
    buffer_append_char(&more, ']');
    is_refused(&observed, more.data, words);
}

// A reason goes into a column, which takes UTF-8 only.
static void a_reason_that_cannot_be_stored_is_replaced(void **state)
{
    (void)state;
    struct batch_event event = {.quarantined = ""};
    batch_event_quarantine(&event, "\xff\xfe");
    assert_string_equal(event.quarantined, "not usable");
}

static void the_owner_of_an_object_is_kept(void **state)
{
    (void)state;
    struct facts facts = {0};
    SCOPED(xfree_char)
    char *line = xasprintf("{\"specversion\":\"1.0\",\"id\":\"eu-1:3:7\",\"type\":"
                           "\"dev.modeltrail.workload.observed.v1\",\"data\":{%s,\"extractor\":1,"
                           "\"position\":\"9\",\"owner_uid\":\"" UID "\"}}",
                           observed.data);
    struct batch_event event = {.allowed = &allowed,
                                .collector = allowed.name,
                                .epoch = 3,
                                .seq = 7,
                                .line = line,
                                .length = strlen(line),
                                .log_index = 42};
    uint8_t uid[UUID_BYTES];
    batch_event_read(&event);
    facts_add(&facts, &event);
    assert_string_equal(event.quarantined, "");
    assert_true(uuid_parse(UID, uid));
    assert_memory_equal(facts.touched.items[0]->object->owner_uid, uid, UUID_BYTES);
    batch_event_reset(&event);
    facts_reset(&facts);
}

static void lists_have_bounds(void **state)
{
    (void)state;
    too_many("placements", "{\"component\":\"c\",\"role\":\"live\",\"uri\":\"s3://x\"}",
             "more than 2000 placements");
    too_many("routes", "{\"target\":\"t\",\"target_kind\":\"Model\",\"role\":\"live\"}",
             "more than 2000 routes");
}

static void scopes_are_complete(void **state)
{
    (void)state;
    is_taken(&listed, "\"position\":\"9\",\"members\":[\"" UID "\"]");
    is_refused(&listed, "\"position\":\"-9\",\"members\":[]", "data.position is negative");
    is_refused(&listed, "\"position\":\"9\",\"members\":{}", "data.members is no array");
    is_refused(&listed, "\"position\":\"x\",\"members\":[]",
               "data.position is no integer of 64 bits");
    is_refused(&listed, "\"position\":\"9\",\"members\":[\"x\"]", "members");
    is_taken(&watched, "\"aspect\":\"actor\"");
    is_refused(&watched, "\"aspect\":\"weather\"", "data.aspect is neither state nor actor");
    is_refused(&watched, "\"aspect\":\"actor\",\"installed\":1", "data.installed is no boolean");
    is_taken(&gap, "\"aspect\":\"state\"");
    is_refused(&gap, "\"aspect\":\"weather\"", "data.aspect is neither state nor actor");
    is_refused(&gap, "\"aspect\":\"state\",\"from\":\"9999-12-31T23:59:59-23:59\"",
               "data.from is no instant");
}

static void requests_are_complete(void **state)
{
    (void)state;
    is_taken(&audited, "\"code\":200,\"groups\":[\"a\"]");
    is_refused(&audited, "\"code\":-1", "data.code is no status code");
    is_refused(&audited, "\"code\":3000000000", "data.code is no status code");
    is_refused(&audited, "\"groups\":[\"a\",1]", "data.groups holds something else than strings");
    is_refused(&audited, "\"groups\":\"a\"", "data.groups is no array");
    is_refused(&audited, "\"dry_run\":1", "data.dry_run is no boolean");
    is_refused(&audited, "\"uid\":\"x\"", "data.uid is no UUID");
}

static void what_a_collector_rejected_is_checked_too(void **state)
{
    (void)state;
    is_refused(&rejected, "\"cluster\":\"c1\",\"reason\":\"no JSON\"", "no JSON");
    is_refused(&rejected, "\"cluster\":\"c2\",\"reason\":\"no JSON\"", "may not speak");
    is_refused(&rejected, "\"cluster\":\"c1\"", "data.reason is missing");
}

// Collectors before these members were there leave them out.
static void what_a_tool_says_has_its_types(void **state)
{
    (void)state;
    is_taken(&synced, "\"repositories\":[{\"path\":\"prod\"}]");
    is_taken(&synced, "\"destination\":null,\"syncs\":[{\"recurse\":null,\"shaping\":null}]");
    is_taken(&synced,
             "\"destination\":{},\"repositories\":[{\"recurse\":true,\"shaping\":\"helm\"}]");
    is_taken(&synced, "\"destination\":{\"local\":false,\"namespace\":\"risk\"}");
    is_refused(&synced, "\"destination\":[]", "data.destination is no object");
    is_refused(&synced, "\"destination\":{\"local\":\"yes\"}", "data.local is no boolean");
    is_refused(&synced, "\"destination\":{\"namespace\":7}", "data.namespace is no string");
    is_refused(&synced, "\"repositories\":[{},{\"recurse\":1}]", "data.recurse is no boolean");
    is_refused(&synced, "\"syncs\":[{\"shaping\":[]}]", "data.shaping is no string");
    is_refused(&synced, "\"operation\":{\"automated\":\"no\"}", "data.automated is no boolean");
}

#define MODELS "\"repository\":\"https://git.example/models.git\""

// A collector of one namespace may declare commits, which are of none; but only those of the
// repositories that it was given.
static void commits_are_of_a_repository_that_the_collector_may_tell_of(void **state)
{
    (void)state;
    is_taken(&declared, "\"cluster\":\"c1\"," MODELS ",\"signature\":\"none\"");
    is_refused(&declared, "\"cluster\":\"c2\"," MODELS ",\"signature\":\"none\"",
               "may not speak for c2");
    is_refused(&declared, "\"cluster\":\"c1\"," MODELS ",\"signature\":\"fine\"",
               "no status of a signature");
    is_refused(&declared,
               "\"cluster\":\"c1\",\"signature\":\"none\","
               "\"repository\":\"https://git.example/models\"",
               "eu-1 may not declare commits of https://git.example/models; hint: name it in "
               "'repositories'");
    is_refused(&declared, "\"cluster\":\"c1\",\"signature\":\"none\",\"repository\":\"*\"",
               "may not declare");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_have_their_types),
        cmocka_unit_test(a_reason_that_cannot_be_stored_is_replaced),
        cmocka_unit_test(the_owner_of_an_object_is_kept),
        cmocka_unit_test(lists_have_bounds),
        cmocka_unit_test(scopes_are_complete),
        cmocka_unit_test(requests_are_complete),
        cmocka_unit_test(what_a_collector_rejected_is_checked_too),
        cmocka_unit_test(what_a_tool_says_has_its_types),
        cmocka_unit_test(commits_are_of_a_repository_that_the_collector_may_tell_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
