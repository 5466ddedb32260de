// A request as an event: `request.audited`, or `request.reviewed` where it was only reviewed.
// People wrote some of its words: those lose what redaction takes out, and are cut.

#include <stdlib.h>
#include <string.h>

#include "collector/audit_request.h"
#include "collector/redact_message.h"
#include "common/event.h"
#include "common/json.h"
#include "common/timestamp.h"

#define MESSAGE_MAX 4096

static void add_span(cJSON *data, const char *key, struct span value)
{
    SCOPED(xfree_char) char *text = span_text(value);
    json_add_text(data, key, text);
}

// Words that others composed, without the secrets in them and of bounded length.
static void add_clean(cJSON *data, const char *key, struct span value)
{
    SCOPED(xfree_char) char *text = span_text(value);
    SCOPED_BUFFER clean = {0};
    if (text != NULL && redact_message(text, strlen(text), &clean)) {
        free(text);
        text = xstrndup(clean.data != NULL ? clean.data : "", clean.length);
    }
    size_t cut = MESSAGE_MAX;
    if (text != NULL && strlen(text) > cut) {
        while (((unsigned char)text[cut] & 0xc0) == 0x80)
            cut--; // not inside a character
        text[cut] = '\0';
    }
    json_add_text(data, key, text);
}

// In whose name the request ran is the principal; who is behind an impersonation is told too.
static bool add_user(cJSON *data, const struct audit_line *line, struct error *err)
{
    enum { USER_NAME, USER_GROUPS, USER_MEMBERS };
    static const char *const keys[USER_MEMBERS] = {"username", "groups"};
    struct span member[USER_MEMBERS];
    struct span authenticated[USER_MEMBERS] = {{0}};
    bool impersonates = span_has_content(line->impersonated);
    struct span user = impersonates ? line->impersonated : line->user;
    if (user.bytes == NULL || !span_members(user, keys, member, USER_MEMBERS, err))
        return fail(err, REACT_REJECT, "request without its user");
    if (impersonates && (line->user.bytes == NULL ||
                         !span_members(line->user, keys, authenticated, USER_MEMBERS, err)))
        return fail(err, REACT_REJECT, "request without its authenticated user");
    if (member[USER_NAME].bytes == NULL)
        return fail(err, REACT_REJECT, "request without its user's name");
    add_span(data, "principal", member[USER_NAME]);
    add_span(data, "impersonated_by", authenticated[USER_NAME]);
    cJSON *groups = member[USER_GROUPS].bytes ? cJSON_ParseWithLength(member[USER_GROUPS].bytes,
                                                                      member[USER_GROUPS].length)
                                              : NULL;
    cJSON_AddItemToObject(data, "groups", groups ? groups : cJSON_CreateNull());
    return true;
}

// Only the address next to the API server is its own finding; those before it came in a header.
static void add_source_ip(cJSON *data, struct span ips)
{
    SCOPED(cJSON_Delete)
    cJSON *list = ips.bytes ? cJSON_ParseWithLength(ips.bytes, ips.length) : NULL;
    int count = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    const cJSON *last = count > 0 ? cJSON_GetArrayItem(list, count - 1) : NULL;
    json_add_text(data, "source_ip", cJSON_GetStringValue(last));
}

static void add_result(cJSON *data, const struct audit_line *line,
                       const struct audit_request *request)
{
    enum { STATUS_REASON, STATUS_MESSAGE, STATUS_MEMBERS };
    static const char *const keys[STATUS_MEMBERS] = {"reason", "message"};
    struct span member[STATUS_MEMBERS] = {{0}};
    struct error unused;
    if (line->response_status.bytes != NULL && line->response_status.bytes[0] == '{' &&
        !span_members(line->response_status, keys, member, STATUS_MEMBERS, &unused))
        memset(member, 0, sizeof(member)); // cannot happen: the line was checked as a whole
    if (request->code > 0)
        cJSON_AddNumberToObject(data, "code", request->code);
    else
        cJSON_AddNullToObject(data, "code");
    add_span(data, "reason", member[STATUS_REASON]);
    add_clean(data, "message", member[STATUS_MESSAGE]);
    if (request->maybe_dry_run)
        cJSON_AddNullToObject(data, "dry_run");
    else
        cJSON_AddBoolToObject(data, "dry_run", request->dry_run);
    cJSON_AddBoolToObject(data, "removes", request->removes);
}

static void add_integer(cJSON *data, const char *key, int64_t value)
{
    if (value > 0)
        json_add_int64(data, key, value);
    else
        cJSON_AddNullToObject(data, key);
}

static const char *kind_name(const struct audit_request *request)
{
    return request->kind ? request->kind->kind : "Namespace";
}

// Levels are the API server's words; another word says nothing.
static void add_level(cJSON *data, struct span level)
{
    static const char *const levels[] = {"Metadata", "Request", "RequestResponse"};
    const char *known = NULL;
    for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++)
        known = span_is(level, levels[i]) ? levels[i] : known;
    json_add_text(data, "level", known);
}

static void add_object(cJSON *data, const struct audit_request *request)
{
    const struct kind *kind = request->kind;
    SCOPED(xfree_char)
    char *resource = kind ? xasprintf("%s.%s", kind->resource, kind->group) : xstrdup("namespaces");
    json_add_text(data, "verb", request->verb);
    json_add_text(data, "resource", resource);
    json_add_text(data, "kind", kind_name(request));
    json_add_text(data, "api_version", request->api_version);
    json_add_text(data, "subresource", request->subresource);
    json_add_text(data, "namespace", audit_request_namespace(request));
    json_add_text(data, "name", request->name);
    json_add_text(data, "uid", request->uid);
    add_integer(data, "position", request->position);
    add_integer(data, "generation", request->generation);
}

bool audit_request_emit(struct outbox *outbox, const struct audit_line *line,
                        const struct audit_request *request, const char *via, struct error *err)
{
    const char *namespace = audit_request_namespace(request);
    char at[TIMESTAMP_TEXT];
    timestamp_format(line->received_at, at);
    SCOPED(cJSON_Delete) cJSON *data = cJSON_CreateObject();
    json_add_text(data, "cluster", outbox_cluster(outbox));
    add_span(data, "audit_id", line->audit_id);
    add_span(data, "stage", line->stage);
    add_level(data, line->level);
    add_object(data, request);
    add_result(data, line, request);
    json_add_text(data, "at", at);
    if (!add_user(data, line, err))
        return false;
    add_clean(data, "user_agent", line->user_agent);
    add_source_ip(data, line->source_ips);
    json_add_text(data, "via", via);
    cJSON_AddNullToObject(data, "patch_type"); // an audit event does not tell the content type
    SCOPED(xfree_char) char *text = json_print(data);
    SCOPED(xfree_char)
    char *subject = xasprintf("%s/%s/%s", namespace ? namespace : "", kind_name(request),
                              request->name ? request->name : "");
    bool reviewed = strcmp(via, VIA_ADMISSION) == 0;
    return outbox_event(outbox, reviewed ? TYPE_REQUEST_REVIEWED : TYPE_REQUEST_AUDITED, subject,
                        line->received_at, text, strlen(text), err);
}
