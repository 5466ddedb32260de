// What an audit line says of a request: what was asked of which object, with what result. How it is
// told is in audit_request_event.c.

#include "collector/audit_request.h"

#include <stdlib.h>
#include <string.h>

#include "collector/audit_policy.h"
#include "collector/scope_event.h"
#include "common/digest.h"
#include "common/json.h"
#include "common/text.h"

#define HEAD_DEPTH 32

static bool is_write(struct span verb)
{
    static const char *const writes[] = {"create", "update", "patch", "delete", "deletecollection"};
    for (size_t i = 0; i < sizeof(writes) / sizeof(*writes); i++) {
        if (span_is(verb, writes[i]))
            return true;
    }
    return false;
}

// Reads which object is meant; false (without error) when it is none of ours.
static bool read_target(const cJSON *ref, struct audit_request *request)
{
    const char *group = json_text(ref, "apiGroup");
    const char *resource = json_text(ref, "resource");
    const char *version = json_text(ref, "apiVersion");
    if (resource == NULL)
        return false;
    bool is_namespace = (group == NULL || *group == '\0') && strcmp(resource, "namespaces") == 0;
    request->kind = is_namespace ? NULL : kinds_find(group ? group : "", resource);
    if (request->kind == NULL && !is_namespace)
        return false;
    const char *subresource = json_text(ref, "subresource");
    const char *namespace = json_text(ref, "namespace");
    const char *name = json_text(ref, "name");
    // In a create it is what the client claims, and the API server gives another.
    const char *uid = strcmp(request->verb, "create") == 0 ? NULL : json_text(ref, "uid");
    request->subresource = subresource && *subresource ? xstrdup(subresource) : NULL;
    request->namespace = namespace && *namespace ? xstrdup(namespace) : NULL;
    request->name = name && *name ? xstrdup(name) : NULL;
    request->uid = uid && *uid ? xstrdup(uid) : NULL;
    if (version != NULL && !is_namespace)
        request->api_version = xasprintf("%s/%s", group, version);
    return true;
}

// Undoes the escapes of a part of a query; false when one is no escape.
static bool decode_escapes(const char *from, const char *to, struct buffer *out)
{
    buffer_clear(out);
    for (; from < to; from++) {
        if (*from != '%') {
            buffer_append_char(out, *from == '+' ? ' ' : *from);
            continue;
        }
        uint8_t byte;
        char digits[3] = {0};
        memcpy(digits, from + 1, to - from > 2 ? 2 : 0);
        if (!hex_decode(digits, &byte, 1))
            return false;
        buffer_append_char(out, (char)byte);
        from += 2;
    }
    return true;
}

// `dryRun` counts whatever its value: the API server knows only All and refuses the rest. It reads
// a query as Go does, and drops a parameter that has a ';' or an escape that is none: a write with
// one is a write.
static bool parameter_asks_dry_run(const char *from, const char *to)
{
    SCOPED_BUFFER text = {0};
    const char *sign = memchr(from, '=', (size_t)(to - from));
    if (sign == NULL || sign + 1 == to || memchr(from, ';', (size_t)(to - from)) != NULL)
        return false;
    if (!decode_escapes(from, sign, &text) || text.length != strlen("dryRun") ||
        memcmp(text.data, "dryRun", text.length) != 0)
        return false;
    return decode_escapes(sign + 1, to, &text);
}

static bool uri_asks_dry_run(struct span uri)
{
    SCOPED(xfree_char) char *text = span_text(uri);
    const char *mark = text ? strchr(text, '?') : NULL;
    while (mark != NULL) {
        const char *end = strchr(mark + 1, '&');
        if (parameter_asks_dry_run(mark + 1, end ? end : mark + strlen(mark)))
            return true;
        mark = end;
    }
    return false;
}

// A delete may carry its options in the body, and there the URI says nothing.
static bool body_asks_dry_run(const struct audit_line *line, struct error *err, bool *dry_run)
{
    static const char *const keys[] = {"dryRun"};
    struct span value;
    if (line->request_object.bytes == NULL || line->request_object.bytes[0] != '{')
        return true;
    if (!span_members(line->request_object, keys, &value, 1, err))
        return false;
    *dry_run = *dry_run || span_has_content(value);
    return true;
}

// The answer knows better than objectRef: a generated name, the resulting uid.
static void take_text(char **to, struct span from)
{
    char *text = span_text(from);
    if (text == NULL || *text == '\0') {
        free(text);
        return;
    }
    free(*to);
    *to = text;
}

// resourceVersion is a string, generation and code are numbers.
static void take_integer(int64_t *to, struct span from)
{
    int64_t value = span_integer(from);
    if (value > 0)
        *to = value;
}

// The object's identity and place in its history, out of the answer.
static bool read_metadata(struct span metadata, struct audit_request *request, struct error *err)
{
    enum { META_UID, META_VERSION, META_GENERATION, META_NAME, META_NAMESPACE, META_MEMBERS };
    static const char *const keys[META_MEMBERS] = {"uid", "resourceVersion", "generation", "name",
                                                   "namespace"};
    struct span member[META_MEMBERS];
    if (metadata.bytes == NULL || metadata.bytes[0] != '{')
        return true;
    if (!span_members(metadata, keys, member, META_MEMBERS, err))
        return false;
    take_text(&request->uid, member[META_UID]);
    take_text(&request->name, member[META_NAME]);
    take_text(&request->namespace, member[META_NAMESPACE]);
    take_integer(&request->position, member[META_VERSION]);
    take_integer(&request->generation, member[META_GENERATION]);
    return true;
}

// A Status names the object of a delete by uid, where nothing else does.
static bool read_details(struct span details, struct audit_request *request, struct error *err)
{
    static const char *const keys[] = {"uid"};
    struct span uid;
    if (details.bytes == NULL || details.bytes[0] != '{')
        return true;
    if (!span_members(details, keys, &uid, 1, err))
        return false;
    take_text(&request->uid, uid);
    return true;
}

// Other answers (Scale, a Table, PartialObjectMetadata, a List) are not the stored object.
static bool is_object_itself(const struct audit_request *request, struct span kind)
{
    if (request->subresource != NULL && strcmp(request->subresource, "status") != 0 &&
        strcmp(request->subresource, "finalize") != 0)
        return false;
    return span_is(kind, request->kind ? request->kind->kind : "Namespace");
}

static bool read_response(const struct audit_line *line, struct audit_request *request,
                          struct error *err)
{
    enum { ANSWER_KIND, ANSWER_METADATA, ANSWER_DETAILS, ANSWER_MEMBERS };
    static const char *const keys[ANSWER_MEMBERS] = {"kind", "metadata", "details"};
    struct span member[ANSWER_MEMBERS];
    if (line->response_object.bytes == NULL || line->response_object.bytes[0] != '{')
        return true;
    if (!span_members(line->response_object, keys, member, ANSWER_MEMBERS, err))
        return false;
    if (span_is(member[ANSWER_KIND], "Status")) {
        request->removes = strcmp(request->verb, "delete") == 0 && request->subresource == NULL &&
                           audit_request_succeeded(request);
        return read_details(member[ANSWER_DETAILS], request, err);
    }
    request->has_object = is_object_itself(request, member[ANSWER_KIND]);
    // A Scale is no workload, but its metadata are the workload's.
    bool tells = request->has_object || span_is(member[ANSWER_KIND], "Scale");
    return !tells || read_metadata(member[ANSWER_METADATA], request, err);
}

static bool read_result(const struct audit_line *line, struct audit_request *request,
                        struct error *err)
{
    static const char *const keys[] = {"code"};
    struct span code;
    int64_t number = 0;
    if (line->response_status.bytes != NULL && line->response_status.bytes[0] == '{') {
        if (!span_members(line->response_status, keys, &code, 1, err))
            return false;
        take_integer(&number, code);
    }
    request->code = number < 1000 ? (int)number : 0;
    request->dry_run = uri_asks_dry_run(line->request_uri);
    bool deletes = text_starts_with(request->verb, "delete");
    if (deletes && !body_asks_dry_run(line, err, &request->dry_run))
        return false;
    return read_response(line, request, err);
}

// A whole object that an update sends names the one that it means; of what it leads to it tells
// nothing.
static bool read_sent_uid(const struct audit_line *line, struct audit_request *request,
                          struct error *err)
{
    static const char *const keys[] = {"metadata"};
    static const char *const meta_keys[] = {"uid"};
    struct span metadata;
    struct span uid;
    struct span object = line->request_object;
    if (request->uid != NULL || strcmp(request->verb, "update") != 0 || object.bytes == NULL ||
        object.bytes[0] != '{')
        return true;
    if (!span_members(object, keys, &metadata, 1, err))
        return false;
    if (metadata.bytes == NULL || metadata.bytes[0] != '{')
        return true;
    if (!span_members(metadata, meta_keys, &uid, 1, err))
        return false;
    take_text(&request->uid, uid);
    return true;
}

// What the answer does not tell. A create that failed made no object, whatever admission saw; a
// collection has one uid of many. An apply that creates is answered with 201, and a delivery that
// knows no more of a success than that it was one (GKE) leaves that to the policy.
static void apply_policy(const struct audit_policy *policy, struct audit_request *request)
{
    bool succeeded = audit_request_succeeded(request);
    if (strcmp(request->verb, "deletecollection") == 0)
        return;
    if (request->uid == NULL && policy->uid != NULL && (succeeded || !policy->created))
        request->uid = xstrdup(policy->uid);
    if (succeeded && !request->has_object)
        request->generation = policy->generation;
    if (request->code == 200 && policy->created)
        request->code = 201;
}

static bool read_policy(const struct audit_line *line, struct audit_request *request,
                        struct error *err)
{
    struct audit_policy policy;
    if (!audit_policy_read(line->annotations, request->code == 201, &policy, err))
        return false;
    request->dry_run = request->dry_run || policy.dry_run;
    request->maybe_dry_run = line->hides_dry_run && !request->dry_run && !policy.applied;
    apply_policy(&policy, request);
    audit_policy_reset(&policy);
    return true;
}

// The store takes uids as UUIDs only; another spelling says nothing there.
static void drop_odd_uid(struct audit_request *request)
{
    uint8_t uid[UID_BYTES];
    if (request->uid == NULL || uid_parse(request->uid, uid))
        return;
    free(request->uid);
    request->uid = NULL;
}

bool audit_request_read(const struct audit_line *line, struct audit_request *request, bool *ours,
                        struct error *err)
{
    *request = (struct audit_request){0};
    *ours = false;
    if (!line->is_final || !is_write(line->verb) || line->object_ref.bytes == NULL)
        return true;
    SCOPED(cJSON_Delete)
    cJSON *ref = json_parse(line->object_ref.bytes, line->object_ref.length, HEAD_DEPTH, err);
    if (ref == NULL)
        return false;
    request->verb = span_text(line->verb);
    if (!read_target(ref, request)) {
        audit_request_reset(request);
        return true;
    }
    if (!read_result(line, request, err) || !read_sent_uid(line, request, err) ||
        !read_policy(line, request, err)) {
        audit_request_reset(request);
        return fail_in(err, "audit event");
    }
    drop_odd_uid(request);
    if (request->dry_run || request->maybe_dry_run) {
        // Its answer carries the real current resourceVersion and a generation that never came to
        // be.
        request->position = 0;
        request->generation = 0;
        request->has_object = false;
        request->removes = false;
    }
    *ours = true;
    return true;
}

void audit_request_reset(struct audit_request *request)
{
    free(request->verb);
    free(request->subresource);
    free(request->namespace);
    free(request->name);
    free(request->api_version);
    free(request->uid);
    *request = (struct audit_request){0};
}

const char *audit_request_namespace(const struct audit_request *request)
{
    return request->kind ? request->namespace : request->name;
}

bool audit_request_succeeded(const struct audit_request *request)
{
    return request->code >= 200 && request->code < 300 && !request->dry_run;
}
