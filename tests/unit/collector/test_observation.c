// Objects to events, with an outbox of the test's own.

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "collector/observation.h"
#include "common/buffer.h"
#include "common/event.h"
#include "common/json.h"
#include "common/timestamp.h"

// Stands in for the spool.
struct outbox {
    char *type;
    char *subject;
    int64_t time;
    char *data;
    bool full;
};

const char *outbox_cluster(const struct outbox *outbox)
{
    (void)outbox;
    return "c1";
}

bool outbox_event(struct outbox *outbox, const char *type, const char *subject, int64_t time,
                  const char *data, size_t length, struct error *err)
{
    if (outbox->full)
        return fail(err, REACT_RETRY, "spool is full");
    outbox->type = xstrdup(type);
    outbox->subject = subject != NULL ? xstrdup(subject) : NULL;
    outbox->time = time;
    outbox->data = xstrndup(data, length);
    return true;
}

static void outbox_reset(struct outbox *outbox)
{
    free(outbox->type);
    free(outbox->subject);
    free(outbox->data);
}
#define OUTBOX __attribute__((cleanup(outbox_reset))) struct outbox

#define UID "0E8C236E-e5c1-4f2a-98a2-9c940134a89b"
#define METADATA(version)                                                                          \
    "\"metadata\":{\"name\":\"iris\",\"namespace\":\"risk\",\"uid\":\"" UID "\","                  \
    "\"resourceVersion\":\"" version "\",\"generation\":4,\"creationTimestamp\":"                  \
    "\"2026-01-01T00:00:00Z\",\"ownerReferences\":[{\"uid\":\"x\"},{\"controller\":true,"          \
    "\"uid\":\"11111111-1111-4111-8111-111111111111\"}],\"managedFields\":[{\"time\":"             \
    "\"2026-01-01T01:00:00Z\"}]}"
#define MODEL                                                                                      \
    "{" METADATA("77") ",\n\"spec\":{\"storageUri\":\"s3://k:s@b/m/1\"},\"status\":{"              \
                       "\"observedGeneration\":3}}"

static bool emit(struct outbox *outbox, const char *object, struct object_head *head,
                 struct error *err)
{
    struct sighting sighting = {.cluster = "c1",
                                .kind = kinds_find("mlops.seldon.io", "models"),
                                .source = "listing",
                                .not_before = TIMESTAMP_NONE};
    assert_true(timestamp_parse("2026-01-02T00:00:00Z", &sighting.seen_at));
    return observation_emit(outbox, &sighting, object, strlen(object), head, err);
}

static void says_all_that_the_object_tells(void **state)
{
    (void)state;
    OUTBOX outbox = {0};
    struct object_head head;
    struct error err = {0};
    assert_true(emit(&outbox, MODEL, &head, &err));
    assert_string_equal(outbox.type, TYPE_WORKLOAD_OBSERVED);
    assert_string_equal(outbox.subject, "risk/Model/iris");
    assert_null(strchr(outbox.data, '\n'));
    SCOPED(cJSON_Delete) cJSON *data = json_parse(outbox.data, strlen(outbox.data), 100, &err);
    assert_non_null(data);
    static const char *const want[][2] = {
        {"cluster", "c1"},
        {"namespace", "risk"},
        {"name", "iris"},
        {"uid", "0e8c236e-e5c1-4f2a-98a2-9c940134a89b"},
        {"resource", "models.mlops.seldon.io"},
        {"kind", "Model"},
        {"position", "77"},
        {"generation", "4"},
        {"observed_generation", "3"},
        {"owner_uid", "11111111-1111-4111-8111-111111111111"},
        {"at", "2026-01-01T01:00:00.999999Z"},
        {"at_source", "managed_fields"},
        {"not_before", "2026-01-01T01:00:00Z"},
        {"spec_at", "2026-01-01T01:00:00.999999Z"},
        {"spec_source", "managed_fields"},
    };
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
        assert_string_equal(json_text(data, want[i][0]), want[i][1]);
    assert_true(cJSON_IsFalse(json_get(data, "removed")));
    assert_null(json_get(data, "deleting"));
    const cJSON *placement = json_get(data, "placements")->child;
    assert_string_equal(json_text(placement, "uri"), "s3://b/m/1");
    assert_string_equal(json_text(json_at(data, "object", "spec", NULL), "storageUri"),
                        "s3://b/m/1");
    assert_string_equal(json_get(data, "redacted")->child->valuestring, "/spec/storageUri");
    assert_true(head.position == 77);
    assert_string_equal(head.resource_version, "77");
}

// Whoever asked for its end had it by then: what is written later is the finalizers'
// (docs/fold.md).
static void a_deletion_in_progress_is_told(void **state)
{
    (void)state;
    OUTBOX outbox = {0};
    struct object_head head;
    struct error err = {0};
    assert_true(emit(&outbox,
                     "{\"metadata\":{\"name\":\"iris\",\"namespace\":\"risk\",\"uid\":\"" UID
                     "\",\"resourceVersion\":\"78\",\"deletionTimestamp\":"
                     "\"2026-01-01T02:00:00Z\"}}",
                     &head, &err));
    SCOPED(cJSON_Delete) cJSON *data = cJSON_Parse(outbox.data);
    assert_true(cJSON_IsTrue(json_get(data, "deleting")));
    assert_true(cJSON_IsFalse(json_get(data, "removed")));
}

static void refused_objects_still_have_a_head(void **state)
{
    (void)state;
    OUTBOX outbox = {0};
    struct object_head head = {.position = 5};
    struct error err = {0};
    assert_false(emit(&outbox, "{" METADATA("7x") "}", &head, &err));
    assert_int_equal(err.react, REACT_REJECT);
    assert_string_equal(head.name, "iris");
    assert_string_equal(head.resource_version, "7x");
    assert_true(head.position == 0);
    assert_null(outbox.data);
}

static void a_full_spool_is_to_be_retried(void **state)
{
    (void)state;
    OUTBOX outbox = {.full = true};
    struct object_head head;
    struct error err = {0};
    assert_false(emit(&outbox, MODEL, &head, &err));
    assert_int_equal(err.react, REACT_RETRY);
}

static void large_objects_are_named_by_digest(void **state)
{
    (void)state;
    OUTBOX outbox = {0};
    struct object_head head;
    struct error err = {0};
    SCOPED_BUFFER object = {0};
    buffer_append_text(&object, "{" METADATA("8") ",\"x\":\"");
    for (int i = 0; i < EVENT_MAX_BYTES; i++)
        buffer_append_char(&object, 'x');
    buffer_append_text(&object, "\"}");
    assert_true(emit(&outbox, object.data, &head, &err));
    assert_true(strlen(outbox.data) < 2000);
    assert_null(strstr(outbox.data, "\"object\":"));
    assert_non_null(strstr(outbox.data, "\"object_digest\":\""));
    assert_non_null(strstr(outbox.data, "\"object_bytes\":10"));
}

static void heads_are_read_without_a_tree(void **state)
{
    (void)state;
    struct object_head head;
    struct error err = {0};
    static const char object[] =
        "{\"spec\":{\"metadata\":{\"uid\":\"wrong\"},\"uid\":\"wrong\"},\"metadata\":{\"labels\":{"
        "\"name\":\"wrong\"},\"name\":\"a\\u00e4\",\"resourceVersion\":\"12\",\"uid\":\"u\"},"
        "\"name\":\"wrong\"}";
    assert_true(object_head_read(object, strlen(object), &head, &err));
    assert_string_equal(head.name, "a\xc3\xa4");
    assert_string_equal(head.uid, "u");
    assert_string_equal(head.namespace, "");
    assert_true(head.position == 12);
}

static void positions_are_positive_integers(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "0", "-1", "1.5", "1e3", " 1", "a", "9223372036854775807", NULL};
    for (size_t i = 0; bad[i] != NULL; i++) {
        struct object_head head;
        struct error err = {0};
        SCOPED(xfree_char)
        char *object = xasprintf("{\"metadata\":{\"resourceVersion\":\"%s\"}}", bad[i]);
        assert_true(object_head_read(object, strlen(object), &head, &err));
        assert_true(head.position == 0);
    }
}

static void heads_of_unacceptable_bytes_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "{", "{\"metadata\":{\"uid\":\"\\u0000\"}}", "{}{}",
                                      NULL};
    for (size_t i = 0; bad[i] != NULL; i++) {
        struct object_head head;
        struct error err = {0};
        assert_false(object_head_read(bad[i], strlen(bad[i]), &head, &err));
        assert_int_equal(err.react, REACT_REJECT);
    }
}

static void rejected_input_is_named_and_never_shown(void **state)
{
    (void)state;
    OUTBOX outbox = {0};
    struct error err = {0};
    assert_true(
        input_rejected_emit(&outbox, "audit_log /x@7", "bad \xff\x1b byte", "secret", 6, &err));
    assert_string_equal(outbox.type, TYPE_INPUT_REJECTED);
    assert_string_equal(
        outbox.data,
        "{\"cluster\":\"c1\",\"where\":\"audit_log /x@7\",\"reason\":\"bad \\\\xff\\\\x1b "
        "byte\",\"digest\":\"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97b"
        "f527a25b\",\"bytes\":6}");
    OUTBOX other = {0};
    assert_true(input_rejected_emit(&other, "x", "Invalid value: \"s3cr3t\": no; password=s3cr3t",
                                    "", 0, &err));
    assert_null(strstr(other.data, "s3cr3t"));
    assert_non_null(strstr(other.data, "[redacted]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_all_that_the_object_tells),
        cmocka_unit_test(a_deletion_in_progress_is_told),
        cmocka_unit_test(refused_objects_still_have_a_head),
        cmocka_unit_test(a_full_spool_is_to_be_retried),
        cmocka_unit_test(large_objects_are_named_by_digest),
        cmocka_unit_test(heads_are_read_without_a_tree),
        cmocka_unit_test(positions_are_positive_integers),
        cmocka_unit_test(heads_of_unacceptable_bytes_are_refused),
        cmocka_unit_test(rejected_input_is_named_and_never_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
