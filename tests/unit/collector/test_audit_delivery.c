// Vendors' wrappings undone, and bytes that are none. What the events then become is tested through
// the collector (tests/integration/test_audit_delivery.py).

#include "tests/unit/unit.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "collector/audit_delivery.h"
#include "collector/audit_unpack.h"
#include "common/buffer.h"

// What was given: the events, each with its cluster before it.
struct given {
    struct buffer text;
    size_t count;
    size_t stop_at; // 0: never
};

static bool take(void *context, const struct audit_delivered *delivered, struct error *err)
{
    struct given *given = context;
    assert_int_equal(delivered->index, given->count++);
    buffer_printf(&given->text, "[%s%s%s]", delivered->cluster ? delivered->cluster : "",
                  delivered->hides_dry_run ? "?" : "", delivered->problem ? "!" : "");
    if (delivered->problem == NULL)
        buffer_append(&given->text, delivered->event.bytes, delivered->event.length);
    return given->count != given->stop_at || fail(err, REACT_RETRY, "stopped");
}

static bool decode_into(const char *format, const char *line, size_t length, struct given *given,
                        struct error *err)
{
    const struct audit_delivery *delivery = audit_delivery_find(format);
    assert_non_null(delivery);
    struct audit_taker taker = {take, given};
    return delivery->decode((struct span){line, length}, &taker, err);
}

static void gives(const char *format, const char *line, const char *expected)
{
    struct given given = {0};
    struct error err;
    if (!decode_into(format, line, strlen(line), &given, &err))
        fail_msg("%s: %s", line, err.text);
    assert_string_equal(given.text.data ? given.text.data : "", expected);
    buffer_reset(&given.text);
}

static void refuses(const char *format, const char *line, const char *reason)
{
    struct given given = {0};
    struct error err;
    assert_false(decode_into(format, line, strlen(line), &given, &err));
    assert_int_equal(err.react, REACT_REJECT);
    if (strstr(err.text, reason) == NULL)
        fail_msg("%s: %s", line, err.text);
    buffer_reset(&given.text);
}

#define AUDIT "\"logStream\":\"kube-apiserver-audit-1\",\"logGroup\":\"/aws/eks/eu/cluster\""

static void eks_gives_the_messages_of_audit_streams(void **state)
{
    (void)state;
    gives("eks",
          "{\"messageType\":\"DATA_MESSAGE\"," AUDIT
          ",\"logEvents\":[{\"id\":\"1\",\"message\":\"{\\\"a\\\":1}\"},{\"message\":\"x\"}]}",
          "[eu]{\"a\":1}[eu]x");
    gives("eks", "{\"messageType\":\"CONTROL_MESSAGE\"}", "");
    gives("eks",
          "{\"messageType\":\"DATA_MESSAGE\",\"logStream\":\"kube-apiserver-1\",\"logEvents\":[{"
          "\"message\":\"{}\"}]}",
          "");
    gives("eks",
          "{\"messageType\":\"DATA_MESSAGE\",\"logStream\":\"kube-apiserver-audit-1\","
          "\"logGroup\":\"mine\",\"logEvents\":[{\"message\":\"{}\"},{}]}"
          "{\"kind\":\"Event\",\"a\":2}\r",
          "[mine]{}[mine!][]{\"kind\":\"Event\",\"a\":2}");
}

static void eks_gives_what_aws_logs_prints_and_exports(void **state)
{
    (void)state;
    gives("eks", "{\"logStreamName\":\"kube-apiserver-audit-1\",\"message\":\"{}\"}", "[]{}");
    gives("eks", "{\"logStreamName\":\"authenticator-1\",\"message\":\"{}\"}", "");
    gives("eks", "{\"message\":\"{}\"}", "[]{}");
    gives("eks", "{\"message\":\"I0302 text\"}", "");
    gives("eks", "{\"events\":[{\"message\":\"{}\"}]}", "[]{}");
    gives("eks", "2026-01-01T00:00:00.000Z {\"a\":1}", "[]{\"a\":1}");
    gives("eks", "2026-01-01T00:00:00.000Z I0302 text", "");
    refuses("eks", "2026-01-01T00:00:00.000Z ", "no delivery");
    refuses("eks", "{\"a\":1}", "no delivery");
    refuses("eks", "{\"messageType\":\"X\"}", "unknown type");
}

static void aks_gives_the_logs_of_its_audit_categories(void **state)
{
    (void)state;
    gives("aks",
          "{\"category\":\"kube-audit\",\"resourceId\":\"/A/B/EU\",\"properties\":{\"log\":"
          "\"{\\\"a\\\":\\\"\\\\u00e9\\\"}\\n\"}}",
          "[EU]{\"a\":\"\\u00e9\"}\n");
    gives("aks",
          "{\"records\":[{\"category\":\"guard\",\"properties\":{\"log\":\"{}\"}},{\"category\":"
          "\"kube-audit-admin\",\"properties\":{\"log\":\"{}\"}},{\"category\":\"kube-audit\"}]}",
          "[]{}[!]");
    refuses("aks", "{\"a\":1}", "no record of Azure Monitor");
    refuses("aks", "{\"records\":[1]}", "something else");
}

static void gke_writes_the_event_anew(void **state)
{
    (void)state;
    gives("gke",
          "{\"insertId\":\"i\",\"timestamp\":\"t\",\"resource\":{\"labels\":{\"cluster_name\":"
          "\"eu\"}},\"labels\":{\"a/b\":\"c\"},\"protoPayload\":{\"serviceName\":\"k8s.io\","
          "\"methodName\":\"io.k8s.core.v1.namespaces.finalize.update\",\"resourceName\":"
          "\"core/v1/namespaces/risk/finalize\",\"authenticationInfo\":{\"principalEmail\":"
          "\"a\\\"b\"},\"status\":{\"code\":7,\"message\":\"no\"}}}",
          "[eu?]{\"kind\":\"Event\",\"level\":\"Metadata\",\"stage\":\"ResponseComplete\","
          "\"auditID\":\"i\",\"requestReceivedTimestamp\":\"t\",\"verb\":\"update\",\"objectRef\":"
          "{\"apiGroup\":\"\",\"apiVersion\":\"v1\",\"resource\":\"namespaces\",\"name\":\"risk\","
          "\"subresource\":\"finalize\"},\"user\":{\"username\":\"a\\\"b\"},\"responseStatus\":{"
          "\"code\":403,\"message\":\"no\"},\"annotations\":{\"a/b\":\"c\"}}");
    gives("gke", "{\"logName\":\"l\",\"textPayload\":\"x\"}", "");
    gives("gke", "{\"protoPayload\":{\"serviceName\":\"container.googleapis.com\"}}", "");
    refuses("gke", "{\"a\":1}", "no LogEntry");
}

// An operation that goes on has one entry at its beginning and one at its end.
static void gke_waits_for_the_end_of_an_operation(void **state)
{
    static const struct {
        const char *operation;
        bool is_final;
    } cases[] = {{"{\"first\":true,\"last\":true}", true},
                 {"{\"first\":true}", false},
                 {"{\"first\":true,\"last\":false}", false},
                 {"{\"last\":true}", true},
                 {"{}", true},
                 {"null", true}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct given given = {0};
        struct error err;
        SCOPED(xfree_char)
        char *line = xasprintf("{\"operation\":%s,\"protoPayload\":{\"serviceName\":\"k8s.io\"}}",
                               cases[i].operation);
        assert_true(decode_into("gke", line, strlen(line), &given, &err));
        bool is_final = strstr(given.text.data, "ResponseComplete") != NULL;
        assert_int_equal(is_final, cases[i].is_final);
        buffer_reset(&given.text);
    }
}

static void openshift_is_read_with_node_names_and_forwarded(void **state)
{
    (void)state;
    gives("openshift", "{\"kind\":\"Event\",\"level\":\"Metadata\"}",
          "[]{\"kind\":\"Event\",\"level\":\"Metadata\"}");
    gives("openshift", "ip-10-0-1-2.ec2.internal {\"kind\":\"Event\"}", "[]{\"kind\":\"Event\"}");
    // A forwarder's own level stands where the audit event's was.
    gives("openshift",
          "{\"kind\":\"Event\",\"level\":\"default\",\"a\":1,\"k8s_audit_level\":\"Request\","
          "\"log_type\":\"audit\",\"openshift\":{\"cluster_id\":\"c-1\"}}",
          "[c-1]{\"kind\":\"Event\",\"level\":\"Request\",\"a\":1,\"k8s_audit_level\":\"Request\","
          "\"log_type\":\"audit\",\"openshift\":{\"cluster_id\":\"c-1\"}}");
    gives("openshift", "{\"kind\":\"Event\",\"openshift_audit_level\":\"Metadata\"}", "");
    gives("openshift", "{\"log_type\":\"audit\",\"audit.linux\":{\"type\":\"x\"}}", "");
    gives("openshift", "{\"kind\":\"Event\",\"log_type\":\"infrastructure\"}", "");
    gives("openshift", "{\"kind\":\"Event\",\"openshift\":7,\"k8s_audit_level\":{}}",
          "[]{\"kind\":\"Event\",\"openshift\":7,\"k8s_audit_level\":{}}");
    refuses("openshift", "{\"kind\":\"Status\"}", "no audit event");
    refuses("openshift", "master-0 audit.log", "something else");
    refuses("openshift", "Master 0 {\"kind\":\"Event\"}", "something else");
    refuses("openshift", "master-0  {\"kind\":\"Event\"}", "something else");
}

static void arrays_and_neighbours_are_taken_one_by_one(void **state)
{
    (void)state;
    gives("aks", "[]", "");
    gives("aks", "", "");
    gives("aks", " [ {\"category\":\"a\"} , {\"category\":\"b\"} ] ", "");
    gives("aks", "{\"category\":\"a\"}\t{\"category\":\"b\"}{\"category\":\"c\"}", "");
    refuses("aks", "[{\"category\":\"a\"}] {}", "something follows");
    refuses("aks", "[{\"category\":\"a\"}", "");
    refuses("aks", "{\"category\":\"a\"},", "something else");
    refuses("aks", "{\"category\":\"a\"}]", "something else");
    struct given given = {0};
    struct error err;
    static const char with_nul[] = "{\"category\":\"a\"}\0x";
    assert_false(decode_into("aks", with_nul, sizeof(with_nul) - 1, &given, &err));
}

// The taker's error ends the decoding, and is its result.
static void a_taker_can_stop(void **state)
{
    static const char line[] = "{\"records\":[{\"category\":\"kube-audit\",\"properties\":{\"log\":"
                               "\"{}\"}},{\"category\":\"kube-audit\"}]}";
    struct given given = {.stop_at = 1};
    struct error err;
    (void)state;
    assert_false(decode_into("aks", line, strlen(line), &given, &err));
    assert_int_equal(err.react, REACT_RETRY);
    assert_int_equal(given.count, 1);
    buffer_reset(&given.text);
}

// Appends the gzip of bytes, one member.
static void compress_into(const char *bytes, size_t length, struct buffer *out)
{
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)bytes, .avail_in = (unsigned)length};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 9, Z_DEFAULT_STRATEGY),
                     Z_OK);
    size_t bound = deflateBound(&stream, length);
    out->data = xgrow(out->data, &out->capacity, out->length + bound + 1, 1);
    stream.next_out = (unsigned char *)out->data + out->length;
    stream.avail_out = (unsigned)bound;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out->length += stream.total_out;
    deflateEnd(&stream);
}

static char *base64_of(const struct buffer *bytes)
{
    size_t size = sodium_base64_encoded_len(bytes->length, sodium_base64_VARIANT_ORIGINAL);
    char *text = xcalloc(1, size);
    return sodium_bin2base64(text, size, (const unsigned char *)bytes->data, bytes->length,
                             sodium_base64_VARIANT_ORIGINAL);
}

static bool unpack(const struct buffer *packed, size_t cut, struct buffer *out, struct error *err)
{
    SCOPED(xfree_char) char *text = base64_of(packed);
    buffer_clear(out);
    return audit_unpack(text, strlen(text) - cut, out, err);
}

static void unpacks_members_and_nothing_else(void **state)
{
    SCOPED_BUFFER packed = {0};
    SCOPED_BUFFER out = {0};
    struct error err;
    (void)state;
    compress_into("one", 3, &packed);
    compress_into("two", 3, &packed);
    assert_true(unpack(&packed, 0, &out, &err));
    assert_string_equal(out.data, "onetwo");
    assert_false(unpack(&packed, 4, &out, &err));
    assert_int_equal(err.react, REACT_REJECT);
    buffer_append(&packed, "rest", 4);
    assert_false(unpack(&packed, 0, &out, &err));
    assert_false(audit_unpack("", 0, &out, &err));
    assert_false(audit_unpack("*", 1, &out, &err));
    assert_false(audit_unpack("AAAA", 4, &out, &err));
}

static void a_bomb_is_given_up(void **state)
{
    SCOPED_BUFFER packed = {0};
    SCOPED_BUFFER out = {0};
    struct error err;
    (void)state;
    char *zeros = xcalloc(1, AUDIT_UNPACK_MAX);
    compress_into(zeros, AUDIT_UNPACK_MAX, &packed);
    compress_into("x", 1, &packed);
    free(zeros);
    assert_false(unpack(&packed, 0, &out, &err));
    assert_int_equal(err.react, REACT_REJECT);
    assert_non_null(strstr(err.text, "expands to more"));
    assert_true(out.length <= AUDIT_UNPACK_MAX + 65536);
}

static void the_first_event_tells_a_lines_time(void **state)
{
    int64_t at = 0;
    static const char line[] =
        "{\"records\":[{\"category\":\"kube-audit\"},{\"category\":\"kube-audit\",\"properties\":{"
        "\"log\":\"{\\\"kind\\\":\\\"Event\\\",\\\"auditID\\\":\\\"1\\\","
        "\\\"requestReceivedTimestamp\\\":\\\"1970-01-01T00:00:01Z\\\"}\"}}]}";
    (void)state;
    assert_true(audit_delivery_find("aks")->line_time(line, strlen(line), &at));
    assert_int_equal(at, 1000000);
    assert_false(audit_delivery_find("eks")->line_time("!", 1, &at));
    assert_false(audit_delivery_find("gke")->line_time("[]", 2, &at));
    assert_null(audit_delivery_find("oke"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eks_gives_the_messages_of_audit_streams),
        cmocka_unit_test(eks_gives_what_aws_logs_prints_and_exports),
        cmocka_unit_test(aks_gives_the_logs_of_its_audit_categories),
        cmocka_unit_test(gke_writes_the_event_anew),
        cmocka_unit_test(gke_waits_for_the_end_of_an_operation),
        cmocka_unit_test(openshift_is_read_with_node_names_and_forwarded),
        cmocka_unit_test(arrays_and_neighbours_are_taken_one_by_one),
        cmocka_unit_test(a_taker_can_stop),
        cmocka_unit_test(unpacks_members_and_nothing_else),
        cmocka_unit_test(a_bomb_is_given_up),
        cmocka_unit_test(the_first_event_tells_a_lines_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
