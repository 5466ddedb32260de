// Google Kubernetes Engine: Cloud Audit Logs, one LogEntry with an AuditLog as its protoPayload for
// each request (Cloud Logging, "LogEntry"; Cloud Audit Logs, "AuditLog"; GKE, "Audit logging
// information"). An entry is written anew as the audit event that it was made from, so far as it
// tells: the request's URI and the user's groups are lost on the way.

#include "collector/audit_delivery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/json.h"
#include "common/text.h"

#define PARTS_MAX 8

struct gke {
    const struct audit_taker *taker;
    size_t index;
    struct buffer event; // the one being given
};

enum { // of a LogEntry
    ENTRY_PAYLOAD,
    ENTRY_INSERT_ID,
    ENTRY_LABELS,
    ENTRY_TIMESTAMP,
    ENTRY_RESOURCE,
    ENTRY_OPERATION,
    ENTRY_LOG_NAME,
    ENTRY_MEMBERS
};

enum { // of an AuditLog
    PAYLOAD_SERVICE,
    PAYLOAD_METHOD,
    PAYLOAD_RESOURCE,
    PAYLOAD_AUTHENTICATION,
    PAYLOAD_METADATA,
    PAYLOAD_REQUEST,
    PAYLOAD_RESPONSE,
    PAYLOAD_STATUS,
    PAYLOAD_MEMBERS
};

// Members of an object that may be missing, and then has none.
static bool members_of(struct span object, const char *const keys[], struct span values[],
                       size_t count, struct error *err)
{
    memset(values, 0, count * sizeof(*values));
    return object.bytes == NULL || object.bytes[0] != '{' ||
           span_members(object, keys, values, count, err);
}

// Members follow others, hence the comma.
static void add_text(struct buffer *out, const char *key, const char *text)
{
    if (text == NULL || *text == '\0')
        return;
    buffer_printf(out, ",\"%s\":", key);
    buffer_append_json_string(out, text, strlen(text));
}

static void add_span(struct buffer *out, const char *key, struct span value)
{
    if (value.bytes == NULL)
        return;
    buffer_printf(out, ",\"%s\":", key);
    buffer_append(out, value.bytes, value.length);
}

// The last part of "io.k8s.core.v1.pods.create": groups are spelled backwards, and of our kinds
// resourceName tells them plainly.
static void add_verb(struct buffer *out, struct span method)
{
    SCOPED(xfree_char) char *text = span_text(method);
    const char *dot = text ? strrchr(text, '.') : NULL;
    add_text(out, "verb", dot ? dot + 1 : text);
}

static size_t split(char *text, const char *part[PARTS_MAX])
{
    size_t count = 0;
    char *rest = text;
    while (rest != NULL && count < PARTS_MAX)
        part[count++] = strsep(&rest, "/");
    return count;
}

static void add_reference(struct buffer *out, const char *group, const char *version,
                          const char *namespace, const char *const part[3])
{
    buffer_append_text(out, ",\"objectRef\":{\"apiGroup\":");
    const char *spelled = strcmp(group, "core") == 0 ? "" : group;
    buffer_append_json_string(out, spelled, strlen(spelled));
    add_text(out, "apiVersion", version);
    add_text(out, "namespace", namespace);
    add_text(out, "resource", part[0]);
    add_text(out, "name", part[1]);
    add_text(out, "subresource", part[2]);
    buffer_append_char(out, '}');
}

// GROUP/VERSION[/namespaces/NS]/RESOURCE[/NAME[/SUBRESOURCE]]; of the namespaces' own subresources
// the name looks like a namespace's resource.
static void add_object_ref(struct buffer *out, struct span resource_name)
{
    const char *part[PARTS_MAX + 3] = {0};
    SCOPED(xfree_char) char *text = span_text(resource_name);
    size_t count = text ? split(text, part) : 0;
    if (count < 3)
        return; // no resource: /healthz and the like
    bool in_namespace = count > 4 && strcmp(part[2], "namespaces") == 0 &&
                        strcmp(part[4], "finalize") != 0 && strcmp(part[4], "status") != 0;
    add_reference(out, part[0], part[1], in_namespace ? part[3] : NULL,
                  part + (in_namespace ? 4 : 2));
}

// What google.rpc.Code says each code is in HTTP.
static int http_code(int64_t code)
{
    static const int codes[] = {200, 499, 500, 400, 504, 404, 409, 403, 429,
                                400, 409, 400, 501, 500, 503, 500, 401};
    if (code >= 0 && code < (int64_t)(sizeof(codes) / sizeof(*codes)))
        return codes[code];
    return code >= 100 && code < 600 ? (int)code : 0;
}

// 0 where it is missing or no whole number, which is also what gRPC means by it.
static int64_t integer_of(struct span value)
{
    char digits[24] = "";
    int64_t number;
    if (value.bytes == NULL || value.length >= sizeof(digits))
        return 0;
    memcpy(digits, value.bytes, value.length);
    return text_to_int64(digits, &number) ? number : 0;
}

// The status is gRPC's, and 0 where all went well. A refusal's answer, where it is shown, is the
// API server's own Status and knows better.
static bool add_status(struct buffer *out, struct span status, struct span response, bool creates,
                       struct error *err)
{
    enum { CODE, MESSAGE, REASON, KIND, MEMBERS };
    static const char *const keys[MEMBERS] = {"code", "message", "reason", "kind"};
    struct span member[MEMBERS];
    struct span answer[MEMBERS];
    if (!members_of(status, keys, member, MEMBERS, err) ||
        !members_of(response, keys, answer, MEMBERS, err))
        return false;
    int code = http_code(integer_of(member[CODE]));
    bool tells = span_is(answer[KIND], "Status");
    int64_t told = tells ? integer_of(answer[CODE]) : 0;
    if (told >= 100 && told < 600)
        code = (int)told;
    else if (creates && code == 200)
        code = 201;
    buffer_printf(out, ",\"responseStatus\":{\"code\":%d", code);
    add_span(out, "message", tells && answer[MESSAGE].bytes ? answer[MESSAGE] : member[MESSAGE]);
    add_span(out, "reason", tells ? answer[REASON] : (struct span){0});
    buffer_append_char(out, '}');
    return true;
}

// A person's or service account's e-mail, a Kubernetes name, or a federated subject.
static bool principal_of(struct span info, char **name, struct error *err)
{
    enum { EMAIL, SUBJECT, MEMBERS };
    static const char *const keys[MEMBERS] = {"principalEmail", "principalSubject"};
    struct span member[MEMBERS];
    if (!members_of(info, keys, member, MEMBERS, err))
        return false;
    *name = span_text(member[EMAIL]);
    if (*name != NULL && **name != '\0')
        return true;
    free(*name);
    *name = span_text(member[SUBJECT]);
    return true;
}

// The first of those on whose behalf a Google service account was used, if any is told.
static bool delegator_of(struct span info, char **name, struct error *err)
{
    static const char *const keys[] = {"serviceAccountDelegationInfo"};
    struct span list;
    *name = NULL;
    if (!members_of(info, keys, &list, 1, err))
        return false;
    SCOPED(cJSON_Delete)
    cJSON *parsed = list.bytes ? json_parse(list.bytes, list.length, 16, err) : NULL;
    const cJSON *first = cJSON_IsArray(parsed) ? parsed->child : NULL;
    const char *text = json_text(json_get(first, "firstPartyPrincipal"), "principalEmail");
    if (text == NULL)
        text = json_text(first, "principalSubject");
    *name = text ? xstrdup(text) : NULL;
    return list.bytes == NULL || parsed != NULL;
}

static void add_name(struct buffer *out, const char *key, const char *name)
{
    buffer_printf(out, ",\"%s\":{\"username\":", key);
    buffer_append_json_string(out, name, strlen(name));
    buffer_append_char(out, '}');
}

static bool add_user(struct buffer *out, struct span info, struct error *err)
{
    SCOPED(xfree_char) char *principal = NULL;
    SCOPED(xfree_char) char *delegator = NULL;
    if (!principal_of(info, &principal, err) || !delegator_of(info, &delegator, err))
        return false;
    if (principal == NULL || *principal == '\0')
        return true; // whoever takes the event refuses it, if it matters
    add_name(out, "user", delegator ? delegator : principal);
    if (delegator != NULL)
        add_name(out, "impersonatedUser", principal);
    return true;
}

// One address; what else the audit event may have named is gone.
static bool add_client(struct buffer *out, struct span metadata, struct error *err)
{
    enum { IP, AGENT, MEMBERS };
    static const char *const keys[MEMBERS] = {"callerIp", "callerSuppliedUserAgent"};
    struct span member[MEMBERS];
    if (!members_of(metadata, keys, member, MEMBERS, err))
        return false;
    if (member[IP].bytes != NULL) {
        buffer_append_text(out, ",\"sourceIPs\":[");
        buffer_append(out, member[IP].bytes, member[IP].length);
        buffer_append_char(out, ']');
    }
    add_span(out, "userAgent", member[AGENT]);
    return true;
}

// The entry does not tell the level; what is in it does.
static const char *level_of(const struct span payload[PAYLOAD_MEMBERS])
{
    if (payload[PAYLOAD_RESPONSE].bytes != NULL)
        return "RequestResponse";
    return payload[PAYLOAD_REQUEST].bytes != NULL ? "Request" : "Metadata";
}

// True for a string that ends so; the closing quote is not part of it.
static bool ends_with(struct span text, const char *end)
{
    size_t length = strlen(end);
    return text.bytes != NULL && text.length > length + 1 &&
           memcmp(text.bytes + text.length - 1 - length, end, length) == 0;
}

// The entry's time is when the API server received the request; its labels are the audit event's
// annotations.
static bool write_event(struct gke *gke, const struct span entry[ENTRY_MEMBERS],
                        const struct span payload[PAYLOAD_MEMBERS], bool is_final,
                        struct error *err)
{
    struct buffer *out = &gke->event;
    buffer_clear(out);
    buffer_printf(out, "{\"kind\":\"Event\",\"level\":\"%s\",\"stage\":\"%s\"", level_of(payload),
                  is_final ? "ResponseComplete" : "ResponseStarted");
    add_span(out, "auditID", entry[ENTRY_INSERT_ID]);
    add_span(out, "requestReceivedTimestamp", entry[ENTRY_TIMESTAMP]);
    add_verb(out, payload[PAYLOAD_METHOD]);
    add_object_ref(out, payload[PAYLOAD_RESOURCE]);
    bool creates = ends_with(payload[PAYLOAD_METHOD], ".create");
    if (!add_user(out, payload[PAYLOAD_AUTHENTICATION], err) ||
        !add_client(out, payload[PAYLOAD_METADATA], err) ||
        !add_status(out, payload[PAYLOAD_STATUS], payload[PAYLOAD_RESPONSE], creates, err))
        return false;
    add_span(out, "annotations", entry[ENTRY_LABELS]);
    add_span(out, "requestObject", payload[PAYLOAD_REQUEST]);
    add_span(out, "responseObject", payload[PAYLOAD_RESPONSE]);
    buffer_append_char(out, '}');
    return true;
}

// resource.labels.cluster_name. A project's log holds all its clusters.
static bool cluster_of(struct span resource, char **cluster, struct error *err)
{
    static const char *const keys[] = {"labels"};
    static const char *const label_keys[] = {"cluster_name"};
    struct span labels;
    struct span name;
    if (!members_of(resource, keys, &labels, 1, err) ||
        !members_of(labels, label_keys, &name, 1, err))
        return false;
    *cluster = span_text(name);
    return true;
}

// A request that goes on for long has two entries; the one with `last` tells how it ended.
static bool is_last(struct span operation, bool *last, struct error *err)
{
    enum { FIRST, LAST, MEMBERS };
    static const char *const keys[MEMBERS] = {"first", "last"};
    struct span member[MEMBERS];
    if (!members_of(operation, keys, member, MEMBERS, err))
        return false;
    *last = member[FIRST].bytes == NULL || member[FIRST].length != strlen("true") ||
            (member[LAST].bytes != NULL && member[LAST].length == strlen("true"));
    return true;
}

// The event lives in the buffer until the next one is written.
static bool give(struct gke *gke, const struct span entry[ENTRY_MEMBERS],
                 const struct span payload[PAYLOAD_MEMBERS], struct error *err)
{
    SCOPED(xfree_char) char *cluster = NULL;
    bool is_final;
    if (!cluster_of(entry[ENTRY_RESOURCE], &cluster, err) ||
        !is_last(entry[ENTRY_OPERATION], &is_final, err) ||
        !write_event(gke, entry, payload, is_final, err))
        return false;
    const struct audit_delivered delivered = {.event = {gke->event.data, gke->event.length},
                                              .cluster = cluster,
                                              .hides_dry_run = true,
                                              .index = gke->index++};
    return gke->taker->take(gke->taker->context, &delivered, err);
}

static bool take_entry(struct span object, size_t index, void *context, struct error *err)
{
    static const char *const entry_keys[ENTRY_MEMBERS] = {
        [ENTRY_PAYLOAD] = "protoPayload", [ENTRY_INSERT_ID] = "insertId",
        [ENTRY_LABELS] = "labels",        [ENTRY_TIMESTAMP] = "timestamp",
        [ENTRY_RESOURCE] = "resource",    [ENTRY_OPERATION] = "operation",
        [ENTRY_LOG_NAME] = "logName"};
    static const char *const payload_keys[PAYLOAD_MEMBERS] = {
        [PAYLOAD_SERVICE] = "serviceName",      [PAYLOAD_METHOD] = "methodName",
        [PAYLOAD_RESOURCE] = "resourceName",    [PAYLOAD_AUTHENTICATION] = "authenticationInfo",
        [PAYLOAD_METADATA] = "requestMetadata", [PAYLOAD_REQUEST] = "request",
        [PAYLOAD_RESPONSE] = "response",        [PAYLOAD_STATUS] = "status"};
    struct span entry[ENTRY_MEMBERS];
    struct span payload[PAYLOAD_MEMBERS];
    (void)index;
    if (!span_members(object, entry_keys, entry, ENTRY_MEMBERS, err))
        return false;
    if (entry[ENTRY_PAYLOAD].bytes == NULL && entry[ENTRY_LOG_NAME].bytes == NULL)
        return fail(err, REACT_REJECT, "no LogEntry");
    if (!members_of(entry[ENTRY_PAYLOAD], payload_keys, payload, PAYLOAD_MEMBERS, err))
        return false;
    if (!span_is(payload[PAYLOAD_SERVICE], "k8s.io"))
        return true; // no API server wrote it: another log, or GKE's own API
    return give(context, entry, payload, err);
}

bool audit_delivery_gke(struct span line, const struct audit_taker *taker, struct error *err)
{
    struct gke gke = {.taker = taker};
    bool taken = audit_delivery_objects(line, take_entry, &gke, err);
    buffer_reset(&gke.event);
    return taken;
}
