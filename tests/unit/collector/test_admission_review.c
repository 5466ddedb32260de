// AdmissionReviews, shaped as a real API server sends them, and the events that they give.

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/admission_review.h"
#include "collector/audit_event_list.h"
#include "collector/recent_digests.h"
#include "collector/spool.h"
#include "collector/spool_outbox.h"
#include "common/event.h"
#include "common/json.h"
#include "common/timestamp.h"

#define UID "5a536194-d997-45f5-b02a-1b2edb8be160"
#define AT 1700000000123456

static char folder[64];
static char path[96];

// What of a review differs from test to test; NULL takes what an update of a Model has.
struct shape {
    const char *operation;
    const char *resource;  // members: resource, requestResource, subResource
    const char *name;      // JSON
    const char *user;      // JSON
    const char *object;    // JSON
    const char *old;       // JSON
    const char *dry_run;   // JSON
    const char *namespace; // JSON
};

#define OBJECT(generation)                                                                         \
    "{\"metadata\":{\"name\":\"fraud\",\"namespace\":\"prod\",\"uid\":\"" UID                      \
    "\",\"generation\":" generation "},\"spec\":{\"storageUri\":\"s3://u:secret@b\"}}"
#define RESOURCE(group, version, name)                                                             \
    "{\"group\":\"" group "\",\"version\":\"" version "\",\"resource\":\"" name "\"}"

static const char * or (const char *text, const char *otherwise)
{
    return text != NULL ? text : otherwise;
}

static char *write_review(const struct shape *shape)
{
    return xasprintf(
        "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{"
        "\"uid\":\"r-1\",%s,\"name\":%s,\"namespace\":%s,\"operation\":\"%s\",\"userInfo\":%s,"
        "\"object\":%s,\"oldObject\":%s,\"dryRun\":%s,\"options\":{}}}",
        or (shape->resource, "\"resource\":" RESOURCE("mlops.seldon.io", "v1alpha1", "models")),
        or (shape->name, "\"fraud\""), or (shape->namespace, "\"prod\""),
        or (shape->operation, "UPDATE"),
        or (shape->user, "{\"username\":\"alice\",\"uid\":\"7\",\"groups\":[\"data-science\"]}"),
        or (shape->object, OBJECT("3")), or (shape->old, OBJECT("2")),
        or (shape->dry_run, "false"));
}

struct room {
    struct spool *spool;
    struct outbox *outbox;
    struct audit_coverage coverage;
    cJSON *event;
};

static int set_up(void **state)
{
    struct room *room = xcalloc(1, sizeof(*room));
    strcpy(folder, "/tmp/modeltrail-review-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/spool.db", folder);
    struct spool_options options = {
        .path = path, .collector = "t", .cluster = "c1", .max_bytes = 1 << 26};
    struct error err;
    assert_true(spool_open(&options, &room->spool, &err));
    assert_true(outbox_open(room->spool, &room->outbox, &err));
    *state = room;
    return 0;
}

static int tear_down(void **state)
{
    struct room *room = *state;
    cJSON_Delete(room->event);
    outbox_close(room->outbox);
    spool_close(room->spool);
    free(room);
    unlink(path);
    return rmdir(folder);
}

static bool emit(struct room *room, const char *text, struct error *err)
{
    struct admission_review review;
    struct error other;
    assert_true(spool_begin(room->spool, &other));
    bool done = admission_review_read(text, strlen(text), &review, err) &&
                admission_review_emit(room->outbox, &review, &room->coverage, AT, err);
    assert_true(spool_commit(room->spool, &other));
    return done;
}

// The data of the one event that the review gives; NULL when it gives none.
static const cJSON *take(struct room *room, const struct shape *shape)
{
    SCOPED(xfree_char) char *text = write_review(shape);
    SCOPED_BUFFER lines = {0};
    struct error err = {0};
    int64_t first = spool_last(room->spool) + 1;
    int64_t count = 0;
    if (!emit(room, text, &err))
        fail_msg("%s", err.text);
    if (spool_last(room->spool) < first)
        return NULL;
    assert_true(spool_read(room->spool, first, 2, SIZE_MAX, &lines, &count, &err));
    assert_int_equal(count, 1);
    assert_null(strstr(lines.data, "secret"));
    cJSON_Delete(room->event);
    room->event = json_parse(lines.data, lines.length - 1, 20, &err);
    assert_string_equal(json_text(room->event, "type"), TYPE_REQUEST_REVIEWED);
    return json_get(room->event, "data");
}

static void has(const cJSON *data, const char *key, const char *value)
{
    const char *text = json_text(data, key);
    assert_non_null(data);
    if (value == NULL)
        assert_true(cJSON_IsNull(json_get(data, key)));
    else if (text == NULL || strcmp(text, value) != 0)
        fail_msg("%s is '%s', not '%s'", key, text ? text : "(no text)", value);
}

static void an_update_is_told_with_who_and_which_generation(void **state)
{
    const cJSON *data = take(*state, &(struct shape){0});
    char at[TIMESTAMP_TEXT];
    timestamp_format(AT, at);
    has(data, "at", at);
    has(data, "cluster", "c1");
    has(data, "audit_id", "r-1");
    has(data, "stage", "Review");
    has(data, "verb", "update");
    has(data, "resource", "models.mlops.seldon.io");
    has(data, "kind", "Model");
    has(data, "api_version", "mlops.seldon.io/v1alpha1");
    has(data, "namespace", "prod");
    has(data, "name", "fraud");
    has(data, "uid", UID);
    has(data, "generation", "3");
    has(data, "principal", "alice");
    has(data, "via", "admission");
    has(data, "position", NULL);
    has(data, "code", NULL);
    has(data, "subresource", NULL);
    assert_string_equal(cJSON_GetArrayItem(json_get(data, "groups"), 0)->valuestring,
                        "data-science");
    assert_false(json_bool(data, "dry_run", true));
    assert_false(json_bool(data, "removes", true));
}

static void a_generation_is_told_only_when_it_was_raised(void **state)
{
    has(take(*state, &(struct shape){.old = OBJECT("3")}), "generation", NULL);
    has(take(*state, &(struct shape){.old = "null"}), "generation", NULL);
    has(take(*state, &(struct shape){.dry_run = "true"}), "generation", NULL);
    has(take(*state, &(struct shape){.operation = "CREATE", .old = "null", .object = OBJECT("1")}),
        "generation", "1");
    has(take(*state, &(struct shape){.object = "{\"metadata\":{\"generation\":0}}"}), "generation",
        NULL);
}

static void a_delete_is_told_by_what_was_there(void **state)
{
    const cJSON *data = take(*state, &(struct shape){.operation = "DELETE", .object = "null"});
    has(data, "verb", "delete");
    has(data, "uid", UID);
    has(data, "generation", NULL);
    // One of a deletecollection.
    data = take(*state, &(struct shape){.operation = "DELETE", .object = "null", .name = "\"\""});
    has(data, "name", "fraud");
}

static void a_dry_run_is_an_attempt(void **state)
{
    assert_true(json_bool(take(*state, &(struct shape){.dry_run = "true"}), "dry_run", false));
}

static void a_namespace_is_told_when_it_goes(void **state)
{
    struct shape shape = {.resource = "\"resource\":" RESOURCE("", "v1", "namespaces"),
                          .operation = "DELETE",
                          .name = "\"prod\"",
                          .namespace = "\"\"",
                          .object = "null",
                          .old = "{\"metadata\":{\"name\":\"prod\",\"uid\":\"" UID "\"}}"};
    const cJSON *data = take(*state, &shape);
    has(data, "resource", "namespaces");
    has(data, "kind", "Namespace");
    has(data, "name", "prod");
    has(data, "namespace", "prod");
    has(data, "uid", UID);
    shape.operation = "UPDATE";
    assert_null(take(*state, &shape));
}

static void the_version_is_the_one_that_was_asked_for(void **state)
{
    const cJSON *data =
        take(*state,
             &(struct shape){
                 .resource = "\"resource\":" RESOURCE(
                     "machinelearning.seldon.io", "v1",
                     "seldondeployments") ","
                                          "\"subResource\":\"scale\",\"requestResource\":" RESOURCE(
                                              "machinelearning.seldon.io", "v1alpha2",
                                              "seldondeployments")});
    has(data, "api_version", "machinelearning.seldon.io/v1alpha2");
    has(data, "subresource", "scale");
    has(data, "generation", NULL);
}

static void what_is_not_ours_gives_nothing(void **state)
{
    struct room *room = *state;
    static const char *const names[] = {"dev"};
    assert_null(take(room, &(struct shape){.operation = "CONNECT"}));
    assert_null(
        take(room, &(struct shape){.resource = "\"resource\":" RESOURCE("apps", "v1", "models")}));
    assert_null(take(room, &(struct shape){.resource = "\"resource\":null"}));
    room->coverage = (struct audit_coverage){.namespaces = names, .namespace_count = 1};
    assert_null(take(room, &(struct shape){0}));
    assert_non_null(take(room, &(struct shape){.namespace = "\"dev\""}));
}

static void an_odd_uid_is_left_out(void **state)
{
    has(take(*state, &(struct shape){.object = "{\"metadata\":{\"uid\":\"x\"}}"}), "uid", NULL);
}

static void what_is_no_review_is_rejected(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1beta1\",\"request\":{"
        "\"uid\":\"a\"}}",
        "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\"}",
        "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":[]}",
        "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{}}",
        "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{"
        "\"uid\":7}}",
    };
    struct error err;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_false(emit(*state, bad[i], &err));
        assert_int_equal(err.react, REACT_REJECT);
    }
    SCOPED(xfree_char) char *nobody = write_review(&(struct shape){.user = "null"});
    assert_false(emit(*state, nobody, &err));
    assert_int_equal(err.react, REACT_REJECT);
}

static void the_answer_names_the_review(void **state)
{
    (void)state;
    static const char text[] = "{\"request\":{\"uid\":\"a\\\"b\"},\"kind\":\"AdmissionReview\","
                               "\"apiVersion\":\"admission.k8s.io/v1\"}";
    struct admission_review review;
    struct error err;
    SCOPED_BUFFER answer = {0};
    assert_true(admission_review_read(text, strlen(text), &review, &err));
    admission_review_allow(&review, &answer);
    assert_string_equal(answer.data, "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":"
                                     "\"AdmissionReview\",\"response\":{\"uid\":\"a\\\"b\","
                                     "\"allowed\":true}}");
}

static void a_list_is_cut_into_its_items(void **state)
{
    (void)state;
    static const char text[] = "{\"kind\":\"EventList\",\"items\": [ {\"a\":[\"]\"]} ,{},7\n],"
                               "\"apiVersion\":\"audit.k8s.io/v1\"}";
    static const char *const items[] = {"{\"a\":[\"]\"]}", "{}", "7"};
    struct error err;
    struct span item;
    size_t place;
    assert_true(audit_event_list_read(text, strlen(text), &place, &err));
    for (size_t i = 0; i < 3; i++) {
        assert_true(audit_event_list_next(text, strlen(text), &place, &item));
        assert_int_equal(item.length, strlen(items[i]));
        assert_memory_equal(item.bytes, items[i], item.length);
    }
    assert_false(audit_event_list_next(text, strlen(text), &place, &item));
    assert_false(audit_event_list_read(text, strlen(text) - 1, &place, &err));
    assert_false(audit_event_list_read("{\"kind\":\"EventList\"}", 20, &place, &err));
}

static void what_was_taken_back_is_not_remembered(void **state)
{
    (void)state;
    struct recent_digests *recent = recent_digests_new(4);
    uint8_t one[DIGEST_BYTES] = {1, 1};
    uint8_t same_place[DIGEST_BYTES] = {1, 2};
    recent_digests_add(recent, one);
    assert_true(recent_digests_has(recent, one));
    recent_digests_settle(recent, false);
    assert_false(recent_digests_has(recent, one));
    recent_digests_add(recent, one);
    recent_digests_settle(recent, true);
    recent_digests_settle(recent, false);
    assert_true(recent_digests_has(recent, one));
    recent_digests_add(recent, same_place);
    assert_false(recent_digests_has(recent, one));
    recent_digests_free(recent);
    recent_digests_free(NULL);
}

#define WITH_ROOM(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ROOM(an_update_is_told_with_who_and_which_generation),
        WITH_ROOM(a_generation_is_told_only_when_it_was_raised),
        WITH_ROOM(a_delete_is_told_by_what_was_there),
        WITH_ROOM(a_dry_run_is_an_attempt),
        WITH_ROOM(a_namespace_is_told_when_it_goes),
        WITH_ROOM(the_version_is_the_one_that_was_asked_for),
        WITH_ROOM(what_is_not_ours_gives_nothing),
        WITH_ROOM(an_odd_uid_is_left_out),
        WITH_ROOM(what_is_no_review_is_rejected),
        cmocka_unit_test(the_answer_names_the_review),
        cmocka_unit_test(a_list_is_cut_into_its_items),
        cmocka_unit_test(what_was_taken_back_is_not_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
