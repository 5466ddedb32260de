// Audit lines, shaped as a real API server writes them, and the events that they give.

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/audit_event.h"
#include "collector/audit_line.h"
#include "collector/spool.h"
#include "collector/spool_outbox.h"
#include "common/event.h"
#include "common/json.h"

#define UID "5a536194-d997-45f5-b02a-1b2edb8be160"
#define RESOURCE "seldondeployments.machinelearning.seldon.io"

static char folder[64];
static char path[96];

// What of a line differs from test to test; NULL takes what a plain successful patch has.
struct shape {
    const char *stage;
    const char *verb;
    const char *uri;
    const char *reference;
    const char *status;
    const char *user; // members of the line: user, impersonatedUser
    const char *request;
    const char *response;
    const char *level;
    const char *annotations;
    bool hides_dry_run; // as a delivery may
};

#define OBJECT                                                                                     \
    "{\"apiVersion\":\"machinelearning.seldon.io/v1\",\"kind\":\"SeldonDeployment\",\"metadata\":" \
    "{\"name\":\"fraud\",\"namespace\":\"prod\",\"uid\":\"" UID                                    \
    "\",\"resourceVersion\":\"281\",\"generation\":2,\"creationTimestamp\":"                       \
    "\"2026-01-02T03:04:05Z\"},\"spec\":{\"predictors\":[{\"name\":\"main\",\"graph\":{\"name\":"  \
    "\"c\",\"implementation\":\"SKLEARN_SERVER\",\"modelUri\":\"s3://models/fraud/v3\"}}]}}"

#define REFERENCE                                                                                  \
    "{\"resource\":\"seldondeployments\",\"namespace\":\"prod\",\"name\":\"fraud\",\"apiGroup\":"  \
    "\"machinelearning.seldon.io\",\"apiVersion\":\"v1\"}"

static char *write_line(const struct shape *shape)
{
    const char *response = shape->response ? shape->response : OBJECT;
    return xasprintf(
        "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"%s\","
        "\"auditID\":\"a-1\",\"stage\":\"%s\",\"requestURI\":\"/apis/x%s\",\"verb\":\"%s\",%s,"
        "\"sourceIPs\":[\"10.9.9.9\",\"192.0.2.7\"],\"userAgent\":\"kubectl/v1.34\","
        "\"objectRef\":%s,\"responseStatus\":%s%s%s%s%s%s%s,"
        "\"requestReceivedTimestamp\":\"2026-01-02T03:04:05.123456Z\","
        "\"stageTimestamp\":\"2026-01-02T03:04:05.200000Z\"}",
        shape->level ? shape->level : "RequestResponse",
        shape->stage ? shape->stage : "ResponseComplete", shape->uri ? shape->uri : "",
        shape->verb ? shape->verb : "patch",
        shape->user ? shape->user
                    : "\"user\":{\"username\":\"alice\",\"groups\":[\"data-science\"]}",
        shape->reference ? shape->reference : REFERENCE,
        shape->status ? shape->status : "{\"metadata\":{},\"code\":200}",
        shape->request ? ",\"requestObject\":" : "", shape->request ? shape->request : "",
        *response ? ",\"responseObject\":" : "", response,
        shape->annotations ? ",\"annotations\":" : "",
        shape->annotations ? shape->annotations : "");
}

struct room {
    struct spool *spool;
    struct outbox *outbox;
    cJSON *events; // array, as emitted
    struct audit_coverage coverage;
};

static int set_up(void **state)
{
    struct room *room = xcalloc(1, sizeof(*room));
    strcpy(folder, "/tmp/modeltrail-audit-XXXXXX");
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
    cJSON_Delete(room->events);
    outbox_close(room->outbox);
    spool_close(room->spool);
    free(room);
    unlink(path);
    return rmdir(folder);
}

static void read_events(struct room *room, int64_t first)
{
    SCOPED_BUFFER lines = {0};
    int64_t count;
    struct error err;
    assert_true(spool_read(room->spool, first, 1000, SIZE_MAX, &lines, &count, &err));
    cJSON_Delete(room->events);
    room->events = cJSON_CreateArray();
    for (char *line = lines.data; count > 0; count--) {
        char *end = strchr(line, '\n');
        cJSON *event = json_parse(line, (size_t)(end - line), 200, &err);
        assert_non_null(event);
        cJSON_AddItemToArray(room->events, event);
        line = end + 1;
    }
}

// Emits what the text gives, and reads it back into room->events. False when it was rejected.
static bool emit_of(struct room *room, const char *text, bool hides_dry_run, struct error *err)
{
    struct audit_gaps gaps = {0};
    struct audit_line line;
    struct error other;
    int64_t first = spool_last(room->spool) + 1;
    assert_true(spool_begin(room->spool, &other));
    bool read = audit_line_read(text, strlen(text), &line, err);
    if (read) {
        line.hides_dry_run = hides_dry_run;
        read = audit_event_emit(room->outbox, &line, &room->coverage, "here", &gaps, err);
    }
    assert_true(spool_commit(room->spool, &other));
    read_events(room, first);
    return read;
}

static bool emit(struct room *room, const char *text, struct error *err)
{
    return emit_of(room, text, false, err);
}

static int take(struct room *room, const struct shape *shape)
{
    SCOPED(xfree_char) char *text = write_line(shape);
    struct error err = {0};
    if (!emit_of(room, text, shape->hides_dry_run, &err))
        fail_msg("%s", err.text);
    return cJSON_GetArraySize(room->events);
}

// The data of the event at an index, whose type it checks.
static const cJSON *data_of(const struct room *room, int index, const char *type)
{
    const cJSON *event = cJSON_GetArrayItem(room->events, index);
    assert_non_null(event);
    assert_string_equal(json_text(event, "type"), type);
    return json_get(event, "data");
}

static void has(const cJSON *data, const char *key, const char *value)
{
    const char *text = json_text(data, key);
    if (value == NULL)
        assert_true(cJSON_IsNull(json_get(data, key)));
    else if (text == NULL || strcmp(text, value) != 0)
        fail_msg("%s is '%s', not '%s'", key, text ? text : "(no text)", value);
}

static void gives_observation_then_request(void **state)
{
    struct room *room = *state;
    assert_int_equal(take(room, &(struct shape){0}), 2);
    const cJSON *observed = data_of(room, 0, TYPE_WORKLOAD_OBSERVED);
    has(observed, "uid", UID);
    has(observed, "position", "281");
    has(observed, "at", "2026-01-02T03:04:05.123456Z");
    has(observed, "at_source", "audit");
    assert_int_equal(cJSON_GetArraySize(json_get(observed, "placements")), 1);
    const cJSON *request = data_of(room, 1, TYPE_REQUEST_AUDITED);
    has(request, "cluster", "c1");
    has(request, "audit_id", "a-1");
    has(request, "stage", "ResponseComplete");
    has(request, "verb", "patch");
    has(request, "resource", RESOURCE);
    has(request, "kind", "SeldonDeployment");
    has(request, "api_version", "machinelearning.seldon.io/v1");
    has(request, "subresource", NULL);
    has(request, "namespace", "prod");
    has(request, "name", "fraud");
    has(request, "uid", UID);
    has(request, "position", "281");
    has(request, "generation", "2");
    has(request, "principal", "alice");
    has(request, "impersonated_by", NULL);
    has(request, "source_ip", "192.0.2.7");
    has(request, "via", "audit_log");
    has(request, "at", "2026-01-02T03:04:05.123456Z");
    assert_int_equal(json_get(request, "code")->valueint, 200);
    assert_false(json_bool(request, "dry_run", true));
    assert_false(json_bool(request, "removes", true));
    const cJSON *event = cJSON_GetArrayItem(room->events, 1);
    has(event, "subject", "prod/SeldonDeployment/fraud");
    has(event, "time", "2026-01-02T03:04:05.123456Z");
}

static void skips_what_is_not_ours(void **state)
{
    struct room *room = *state;
    assert_int_equal(take(room, &(struct shape){.stage = "RequestReceived"}), 0);
    assert_int_equal(take(room, &(struct shape){.stage = "ResponseStarted"}), 0);
    assert_int_equal(take(room, &(struct shape){.verb = "get"}), 0);
    assert_int_equal(take(room, &(struct shape){.reference = "{\"resource\":\"pods\"}"}), 0);
    // The same plural in another group is another kind.
    assert_int_equal(take(room, &(struct shape){.reference = "{\"resource\":\"seldondeployments\","
                                                             "\"apiGroup\":\"example.org\"}"}),
                     0);
    static const char *const others[] = {"dev"};
    room->coverage = (struct audit_coverage){.namespaces = others, .namespace_count = 1};
    assert_int_equal(take(room, &(struct shape){0}), 0);
}

static void panic_is_a_request_only(void **state)
{
    struct room *room = *state;
    struct shape shape = {
        .stage = "Panic", .status = "{\"code\":500,\"message\":\"boom\"}", .response = ""};
    assert_int_equal(take(room, &shape), 1);
    const cJSON *request = data_of(room, 0, TYPE_REQUEST_AUDITED);
    has(request, "stage", "Panic");
    has(request, "message", "boom");
}

static void refusal_is_an_attempt(void **state)
{
    struct room *room = *state;
    struct shape shape = {
        .status = "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"may not\",\"reason\":"
                  "\"Forbidden\",\"code\":403}",
        .response = "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"details\":{"
                    "\"name\":\"fraud\"},\"code\":403}"};
    assert_int_equal(take(room, &shape), 1);
    const cJSON *request = data_of(room, 0, TYPE_REQUEST_AUDITED);
    assert_int_equal(json_get(request, "code")->valueint, 403);
    has(request, "reason", "Forbidden");
    has(request, "message", "may not");
    has(request, "uid", NULL);
    has(request, "position", NULL);
    assert_false(json_bool(request, "removes", true));
}

static void dry_run_is_never_an_observation(void **state)
{
    struct room *room = *state;
    static const char *const uris[] = {"?dryRun=All",         "?force=true\\u0026dryRun=All",
                                       "?%64ryRun=All",       "?a=1&&dry%52u%6e=%41ll&b",
                                       "?dryRun=&dryRun=All", "?%zz=1&dryRun=All"};
    for (size_t i = 0; i < sizeof(uris) / sizeof(*uris); i++) {
        assert_int_equal(take(room, &(struct shape){.uri = uris[i]}), 1);
        const cJSON *request = data_of(room, 0, TYPE_REQUEST_AUDITED);
        assert_true(json_bool(request, "dry_run", false));
        has(request, "position", NULL);
        has(request, "generation", NULL);
        has(request, "uid", UID);
    }
    assert_int_equal(take(room, &(struct shape){.uri = "?fieldManager=dryRun"}), 2);
}

// The API server drops such parameters and writes: nobody hides a write behind one.
static void what_the_api_server_drops_asks_no_dry_run(void **state)
{
    struct room *room = *state;
    static const char *const uris[] = {"?%64ryRun",    "?dryRun=%zz",     "?dry%5Run=All",
                                       "?dryRun;=All", "?dryRun=All;a=b", "?dryRun+=1",
                                       "?DRYRUN=All",  "?dryRun%=All",    "?dryRun%4",
                                       "?%64ryRun=",   "?a=?dryRun=All",  "?"};
    for (size_t i = 0; i < sizeof(uris) / sizeof(*uris); i++) {
        if (take(room, &(struct shape){.uri = uris[i]}) != 2)
            fail_msg("'%s' was taken for a dry run", uris[i]);
    }
}

#define DELETED                                                                                    \
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Success\","           \
    "\"details\":{\"name\":\"fraud\",\"uid\":\"" UID "\"}}"

static void delete_answered_with_status_removes(void **state)
{
    struct room *room = *state;
    assert_int_equal(take(room, &(struct shape){.verb = "delete", .response = DELETED}), 1);
    const cJSON *request = data_of(room, 0, TYPE_REQUEST_AUDITED);
    assert_true(json_bool(request, "removes", false));
    has(request, "uid", UID);
    has(request, "position", NULL);
}

// kubectl puts the dry run of a delete into the body, and nothing of it into the URI.
static void dry_run_of_a_delete_is_in_its_body(void **state)
{
    struct room *room = *state;
    struct shape shape = {.verb = "delete",
                          .request = "{\"kind\":\"DeleteOptions\",\"dryRun\":[\"All\"]}",
                          .response = DELETED};
    assert_int_equal(take(room, &shape), 1);
    const cJSON *request = data_of(room, 0, TYPE_REQUEST_AUDITED);
    assert_true(json_bool(request, "dry_run", false));
    assert_false(json_bool(request, "removes", true));
    shape.request = "{\"kind\":\"DeleteOptions\",\"dryRun\":[]}";
    take(room, &shape);
    assert_false(json_bool(data_of(room, 0, TYPE_REQUEST_AUDITED), "dry_run", true));
}

static void delete_answered_with_the_object_does_not_remove(void **state)
{
    struct room *room = *state;
    assert_int_equal(take(room, &(struct shape){.verb = "delete"}), 2);
    assert_false(json_bool(data_of(room, 0, TYPE_WORKLOAD_OBSERVED), "removed", true));
    assert_false(json_bool(data_of(room, 1, TYPE_REQUEST_AUDITED), "removes", true));
}

#define SUBRESOURCE(name)                                                                          \
    "{\"resource\":\"seldondeployments\",\"namespace\":\"prod\",\"name\":\"fraud\",\"apiGroup\":"  \
    "\"machinelearning.seldon.io\",\"apiVersion\":\"v1\",\"subresource\":\"" name "\"}"

static void status_observes_and_scale_does_not(void **state)
{
    struct room *room = *state;
    assert_int_equal(take(room, &(struct shape){.reference = SUBRESOURCE("status")}), 2);
    has(data_of(room, 1, TYPE_REQUEST_AUDITED), "subresource", "status");
    struct shape scale = {
        .reference = SUBRESOURCE("scale"),
        .response = "{\"kind\":\"Scale\",\"apiVersion\":\"autoscaling/v1\",\"metadata\":{\"name\":"
                    "\"fraud\",\"namespace\":\"prod\",\"uid\":\"" UID
                    "\",\"resourceVersion\":\"286\"},\"spec\":{\"replicas\":3}}"};
    assert_int_equal(take(room, &scale), 1);
    const cJSON *request = data_of(room, 0, TYPE_REQUEST_AUDITED);
    has(request, "position", "286");
    has(request, "uid", UID);
    has(request, "generation", NULL);
}

static void impersonation_names_both(void **state)
{
    struct room *room = *state;
    struct shape shape = {.user = "\"user\":{\"username\":\"admin\",\"groups\":[\"ops\"]},"
                                  "\"impersonatedUser\":{\"username\":\"carol\",\"groups\":["
                                  "\"ml\"]}"};
    assert_int_equal(take(room, &shape), 2);
    const cJSON *request = data_of(room, 1, TYPE_REQUEST_AUDITED);
    has(request, "principal", "carol");
    has(request, "impersonated_by", "admin");
    assert_string_equal(json_get(request, "groups")->child->valuestring, "ml");
}

static void a_generated_name_is_in_the_answer(void **state)
{
    struct room *room = *state;
    struct shape shape = {.verb = "create",
                          .reference =
                              "{\"resource\":\"seldondeployments\",\"namespace\":\"prod\","
                              "\"apiGroup\":\"machinelearning.seldon.io\",\"apiVersion\":\"v1\"}"};
    assert_int_equal(take(room, &shape), 2);
    has(data_of(room, 1, TYPE_REQUEST_AUDITED), "name", "fraud");
}

static void metadata_level_gives_a_request(void **state)
{
    struct room *room = *state;
    assert_int_equal(take(room, &(struct shape){.response = ""}), 1);
    has(data_of(room, 0, TYPE_REQUEST_AUDITED), "position", NULL);
    // A log that is said to be complete and hides the result leaves a gap.
    room->coverage.complete = true;
    assert_int_equal(take(room, &(struct shape){.response = ""}), 2);
    const cJSON *gap = data_of(room, 0, TYPE_SCOPE_GAP);
    has(gap, "aspect", "state");
    has(gap, "resource", RESOURCE);
    has(gap, "to", NULL);
}

static void a_collection_is_deleted_without_uid(void **state)
{
    struct room *room = *state;
    struct shape shape = {.verb = "deletecollection",
                          .reference =
                              "{\"resource\":\"seldondeployments\",\"namespace\":\"prod\","
                              "\"apiGroup\":\"machinelearning.seldon.io\",\"apiVersion\":\"v1\"}",
                          .response = "{\"kind\":\"SeldonDeploymentList\",\"metadata\":{"
                                      "\"resourceVersion\":\"300\"},\"items\":[" OBJECT "]}"};
    assert_int_equal(take(room, &shape), 1);
    const cJSON *request = data_of(room, 0, TYPE_REQUEST_AUDITED);
    has(request, "uid", NULL);
    has(request, "name", NULL);
    has(request, "position", NULL);
    room->coverage.complete = true;
    assert_int_equal(take(room, &shape), 2);
    has(data_of(room, 0, TYPE_SCOPE_GAP), "namespace", "prod");
}

static void namespaces_give_their_labels(void **state)
{
    struct room *room = *state;
    struct shape shape = {
        .reference = "{\"resource\":\"namespaces\",\"namespace\":\"prod\",\"name\":\"prod\","
                     "\"apiVersion\":\"v1\"}",
        .response = "{\"kind\":\"Namespace\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"prod\","
                    "\"uid\":\"" UID "\",\"resourceVersion\":\"234\",\"labels\":{"
                    "\"modeltrail.io/environment\":\"prod\"}},\"spec\":{\"finalizers\":["
                    "\"kubernetes\"]}}"};
    assert_int_equal(take(room, &shape), 1);
    const cJSON *observed = data_of(room, 0, TYPE_NAMESPACE_OBSERVED);
    has(observed, "namespace", "prod");
    has(observed, "position", "234");
    has(json_get(observed, "labels"), "modeltrail.io/environment", "prod");
    assert_false(json_bool(observed, "removed", true));
    static const char *const names[] = {"prod"};
    room->coverage = (struct audit_coverage){.namespaces = names, .namespace_count = 1};
    assert_int_equal(take(room, &shape), 1);
    shape.uri = "?dryRun=All";
    assert_int_equal(take(room, &shape), 0);
}

#define NOTE "\"attribution.modeltrail.io/"
#define OTHER_UID "11111111-2222-4333-8444-555555555555"
#define CREATED "{" NOTE "created-uid\":\"" UID "\"," NOTE "created-generation\":\"1\"}"
#define RAISED "{" NOTE "uid\":\"" UID "\"," NOTE "generation-4\":\"4>5\"}"
#define KEPT "{" NOTE "uid\":\"" UID "\"," NOTE "generation-5\":\"5>5\"}"
#define SEEN "{" NOTE "uid\":\"" UID "\"}"

// What a request below RequestResponse tells of its object: the policy's annotations.
static void the_policy_names_the_object(void **state)
{
    static const struct {
        struct shape shape;
        const char *uid;
        const char *generation;
    } cases[] = {
        {{.verb = "create", .status = "{\"code\":201}", .annotations = CREATED}, UID, "1"},
        {{.status = "{\"code\":201}", .annotations = CREATED}, UID, "1"},
        {{.annotations = RAISED}, UID, "5"},
        {{.annotations = KEPT}, UID, NULL},
        {{.verb = "delete", .annotations = SEEN}, UID, NULL},
        // A create that failed made nothing, and a collection has more uids than one.
        {{.verb = "create", .status = "{\"code\":409}", .annotations = CREATED}, NULL, NULL},
        {{.status = "{\"code\":409}", .annotations = RAISED}, UID, NULL},
        {{.verb = "deletecollection", .annotations = SEEN}, NULL, NULL},
        {{.uri = "?dryRun=All", .annotations = RAISED}, UID, NULL},
        {{.annotations = "{" NOTE "uid\":\"" UID "\"," NOTE "dry-run\":\"true\"}"}, UID, NULL},
        {{.annotations = "{" NOTE "uid\":\"no uuid\"}"}, NULL, NULL},
        {{.annotations = "{}"}, NULL, NULL},
        {{0}, NULL, NULL},
    };
    struct room *room = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct shape shape = cases[i].shape;
        shape.level = "Metadata";
        shape.response = "";
        assert_int_equal(take(room, &shape), 1);
        const cJSON *request = data_of(room, 0, TYPE_REQUEST_AUDITED);
        has(request, "level", "Metadata");
        has(request, "uid", cases[i].uid);
        has(request, "generation", cases[i].generation);
        has(request, "position", NULL);
        assert_false(json_bool(request, "removes", true));
    }
}

// The answer knows what was stored; an annotation of an earlier try does not.
static void an_answer_comes_before_the_policy(void **state)
{
    struct room *room = *state;
    assert_int_equal(take(room, &(struct shape){.annotations = RAISED}), 2);
    has(data_of(room, 1, TYPE_REQUEST_AUDITED), "generation", "2");
}

#define SENT "{\"metadata\":{\"uid\":\"" UID "\",\"resourceVersion\":\"9\",\"generation\":3}}"

static void an_update_sends_its_objects_uid(void **state)
{
    struct room *room = *state;
    struct shape shape = {.verb = "update", .level = "Request", .request = SENT, .response = ""};
    assert_int_equal(take(room, &shape), 1);
    const cJSON *request = data_of(room, 0, TYPE_REQUEST_AUDITED);
    has(request, "level", "Request");
    has(request, "uid", UID);
    has(request, "generation", NULL);
    has(request, "position", NULL);
    static const char *const others[] = {"create", "patch"};
    for (size_t i = 0; i < 2; i++) {
        shape.verb = others[i];
        assert_int_equal(take(room, &shape), 1);
        has(data_of(room, 0, TYPE_REQUEST_AUDITED), "uid", NULL);
    }
    shape = (struct shape){.verb = "update", .request = "\"skipped\"", .response = ""};
    assert_int_equal(take(room, &shape), 1);
}

// The API server takes objectRef's uid from the client's object, and gives a new one in a create.
static void a_create_claims_no_uid(void **state)
{
    struct room *room = *state;
    struct shape shape = {.reference = "{\"resource\":\"seldondeployments\",\"namespace\":\"prod\","
                                       "\"name\":\"fraud\",\"uid\":\"" OTHER_UID
                                       "\",\"apiGroup\":\"machinelearning.seldon.io\"}",
                          .response = ""};
    assert_int_equal(take(room, &shape), 1);
    has(data_of(room, 0, TYPE_REQUEST_AUDITED), "uid", OTHER_UID);
    shape.verb = "create";
    assert_int_equal(take(room, &shape), 1);
    has(data_of(room, 0, TYPE_REQUEST_AUDITED), "uid", NULL);
}

static void levels_are_the_api_servers(void **state)
{
    struct room *room = *state;
    assert_int_equal(take(room, &(struct shape){0}), 2);
    has(data_of(room, 1, TYPE_REQUEST_AUDITED), "level", "RequestResponse");
    assert_int_equal(take(room, &(struct shape){.level = "Everything"}), 2);
    has(data_of(room, 1, TYPE_REQUEST_AUDITED), "level", NULL);
}

// An answer that may be a dry run's is no observation, and what it tells came perhaps never to be.
static void where_a_dry_run_is_hidden_an_answer_proves_nothing(void **state)
{
    struct room *room = *state;
    assert_int_equal(take(room, &(struct shape){.hides_dry_run = true}), 1);
    const cJSON *request = data_of(room, 0, TYPE_REQUEST_AUDITED);
    assert_true(cJSON_IsNull(json_get(request, "dry_run")));
    has(request, "uid", UID);
    has(request, "position", NULL);
    has(request, "generation", NULL);
    struct shape gone = {.verb = "delete", .response = DELETED, .hides_dry_run = true};
    assert_int_equal(take(room, &gone), 1);
    assert_false(json_bool(data_of(room, 0, TYPE_REQUEST_AUDITED), "removes", true));
    // The policy sees dry runs.
    assert_int_equal(take(room, &(struct shape){.hides_dry_run = true, .annotations = KEPT}), 2);
    assert_false(json_bool(data_of(room, 1, TYPE_REQUEST_AUDITED), "dry_run", true));
}

static void who_deletes_a_namespace_is_told(void **state)
{
    struct room *room = *state;
    struct shape shape = {
        .verb = "delete",
        .reference = "{\"resource\":\"namespaces\",\"namespace\":\"prod\",\"name\":\"prod\","
                     "\"apiVersion\":\"v1\"}",
        .response = "{\"kind\":\"Namespace\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"prod\","
                    "\"uid\":\"" UID "\",\"resourceVersion\":\"234\"},\"spec\":{\"finalizers\":["
                    "\"kubernetes\"]}}"};
    assert_int_equal(take(room, &shape), 2);
    data_of(room, 0, TYPE_NAMESPACE_OBSERVED);
    const cJSON *request = data_of(room, 1, TYPE_REQUEST_AUDITED);
    has(request, "resource", "namespaces");
    has(request, "kind", "Namespace");
    has(request, "namespace", "prod");
    has(request, "name", "prod");
    has(request, "uid", UID);
    has(request, "api_version", NULL);
    assert_false(json_bool(request, "removes", true));
    has(cJSON_GetArrayItem(room->events, 1), "subject", "prod/Namespace/prod");
    shape.status = "{\"code\":403,\"reason\":\"Forbidden\"}";
    shape.response = "";
    assert_int_equal(take(room, &shape), 1);
    has(data_of(room, 0, TYPE_REQUEST_AUDITED), "reason", "Forbidden");
    static const char *const others[] = {"dev"};
    room->coverage = (struct audit_coverage){.namespaces = others, .namespace_count = 1};
    assert_int_equal(take(room, &shape), 0);
}

static void an_unusable_object_is_reported_and_the_request_stays(void **state)
{
    struct room *room = *state;
    struct shape shape = {.response = "{\"kind\":\"SeldonDeployment\",\"metadata\":{\"uid\":\"" UID
                                      "\",\"resourceVersion\":\"not-a-number\"}}"};
    assert_int_equal(take(room, &shape), 2);
    has(data_of(room, 0, TYPE_INPUT_REJECTED), "where", "here");
    data_of(room, 1, TYPE_REQUEST_AUDITED);
}

static void hostile_lines_are_rejected(void **state)
{
    struct room *room = *state;
    struct error err;
    SCOPED_BUFFER deep = {0};
    buffer_append_text(&deep, "{\"kind\":\"Event\",\"responseObject\":");
    for (int i = 0; i < 10000; i++)
        buffer_append_char(&deep, '[');
    static const char *const lines[] = {
        "",
        "{}",
        "[1]",
        "null",
        "{\"kind\":\"Event\"",
        "{\"kind\":\"Event\",\"auditID\":\"1\"}",
        "{\"kind\":\"Event\",\"auditID\":\"\\u0000\"}",
        "{\"kind\":\"Event\",\"auditID\":\"\xff\"}",
        "{\"kind\":\"Event\",\"auditID\":\"a\",\"requestReceivedTimestamp\":\"yesterday\"}"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        assert_false(emit(room, lines[i], &err));
        assert_int_equal(err.react, REACT_REJECT);
    }
    assert_false(emit(room, deep.data, &err));
    assert_int_equal(err.react, REACT_REJECT);
    SCOPED(xfree_char) char *nobody = write_line(&(struct shape){.user = "\"user\":{}"});
    assert_false(emit(room, nobody, &err));
    assert_int_equal(err.react, REACT_REJECT);
}

#define AUDIT_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AUDIT_TEST(gives_observation_then_request),
        AUDIT_TEST(skips_what_is_not_ours),
        AUDIT_TEST(panic_is_a_request_only),
        AUDIT_TEST(refusal_is_an_attempt),
        AUDIT_TEST(dry_run_is_never_an_observation),
        AUDIT_TEST(what_the_api_server_drops_asks_no_dry_run),
        AUDIT_TEST(delete_answered_with_status_removes),
        AUDIT_TEST(dry_run_of_a_delete_is_in_its_body),
        AUDIT_TEST(delete_answered_with_the_object_does_not_remove),
        AUDIT_TEST(status_observes_and_scale_does_not),
        AUDIT_TEST(impersonation_names_both),
        AUDIT_TEST(a_generated_name_is_in_the_answer),
        AUDIT_TEST(metadata_level_gives_a_request),
        AUDIT_TEST(a_collection_is_deleted_without_uid),
        AUDIT_TEST(namespaces_give_their_labels),
        AUDIT_TEST(who_deletes_a_namespace_is_told),
        AUDIT_TEST(the_policy_names_the_object),
        AUDIT_TEST(an_answer_comes_before_the_policy),
        AUDIT_TEST(an_update_sends_its_objects_uid),
        AUDIT_TEST(a_create_claims_no_uid),
        AUDIT_TEST(levels_are_the_api_servers),
        AUDIT_TEST(where_a_dry_run_is_hidden_an_answer_proves_nothing),
        AUDIT_TEST(an_unusable_object_is_reported_and_the_request_stays),
        AUDIT_TEST(hostile_lines_are_rejected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
