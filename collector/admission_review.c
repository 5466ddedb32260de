// From an AdmissionReview to `request.reviewed`: the members that an audit line has too are read
// into the same form and written by the same code (audit_request.c).

#include "collector/admission_review.h"

#include <stdlib.h>
#include <string.h>

#include "collector/audit_line.h"
#include "collector/audit_request.h"
#include "collector/scope_event.h"
#include "common/event.h"
#include "common/json.h"
#include "common/text.h"

// None of audit's stages: a review comes before all of them, and may be followed by none.
static const char stage[] = "\"Review\"";

// The members of `request` that matter.
enum {
    REVIEW_RESOURCE,
    REVIEW_AS_ASKED, // requestResource: before it was converted for us
    REVIEW_SUBRESOURCE,
    REVIEW_NAME,
    REVIEW_NAMESPACE,
    REVIEW_OPERATION,
    REVIEW_USER,
    REVIEW_OBJECT,
    REVIEW_OLD,
    REVIEW_DRY_RUN,
    REVIEW_MEMBERS
};

static const char *const member_keys[REVIEW_MEMBERS] = {
    [REVIEW_RESOURCE] = "resource",       [REVIEW_AS_ASKED] = "requestResource",
    [REVIEW_SUBRESOURCE] = "subResource", [REVIEW_NAME] = "name",
    [REVIEW_NAMESPACE] = "namespace",     [REVIEW_OPERATION] = "operation",
    [REVIEW_USER] = "userInfo",           [REVIEW_OBJECT] = "object",
    [REVIEW_OLD] = "oldObject",           [REVIEW_DRY_RUN] = "dryRun",
};

bool admission_review_read(const char *bytes, size_t length, struct admission_review *review,
                           struct error *err)
{
    enum { API_VERSION, KIND, REQUEST, MEMBERS };
    static const char *const keys[MEMBERS] = {"apiVersion", "kind", "request"};
    static const char *const request_keys[] = {"uid"};
    struct span member[MEMBERS];
    struct span uid;
    if (!span_members((struct span){bytes, length}, keys, member, MEMBERS, err))
        return false;
    if (!span_is(member[KIND], "AdmissionReview") ||
        !span_is(member[API_VERSION], "admission.k8s.io/v1"))
        return fail(err, REACT_REJECT, "not an AdmissionReview of admission.k8s.io/v1");
    if (member[REQUEST].bytes == NULL || member[REQUEST].bytes[0] != '{')
        return fail(err, REACT_REJECT, "AdmissionReview without a request");
    if (!span_members(member[REQUEST], request_keys, &uid, 1, err))
        return false;
    if (uid.bytes == NULL || uid.bytes[0] != '"')
        return fail(err, REACT_REJECT, "AdmissionReview without the request's uid");
    *review = (struct admission_review){uid, member[REQUEST]};
    return true;
}

void admission_review_allow(const struct admission_review *review, struct buffer *out)
{
    buffer_append_text(out, "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\","
                            "\"response\":{\"uid\":");
    buffer_append(out, review->uid.bytes, review->uid.length);
    buffer_append_text(out, ",\"allowed\":true}}");
}

struct resource {
    char *group;
    char *version;
    char *name;
};

static void resource_reset(struct resource *resource)
{
    free(resource->group);
    free(resource->version);
    free(resource->name);
}

static bool read_resource(struct span span, struct resource *resource, struct error *err)
{
    static const char *const keys[] = {"group", "version", "resource"};
    struct span member[3];
    *resource = (struct resource){0};
    if (span.bytes == NULL || span.bytes[0] != '{')
        return true;
    if (!span_members(span, keys, member, 3, err))
        return false;
    resource->group = span_text(member[0]);
    resource->version = span_text(member[1]);
    resource->name = span_text(member[2]);
    return true;
}

// CONNECT has no verb here: it opens a stream and writes nothing.
static const char *verb_of(struct span operation)
{
    static const char *const verbs[][2] = {
        {"CREATE", "create"}, {"UPDATE", "update"}, {"DELETE", "delete"}};
    for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
        if (span_is(operation, verbs[i][0]))
            return verbs[i][1];
    }
    return NULL;
}

static char *text_or_none(struct span span)
{
    char *text = span_text(span);
    if (text != NULL && *text != '\0')
        return text;
    free(text);
    return NULL;
}

// What a rule of ours matched, and in which version it was asked for. False, without error, when it
// is nothing of ours: whoever configured the webhook may send more.
static bool read_target(const struct span member[], struct audit_request *request,
                        bool *is_namespace, struct error *err)
{
    struct resource matched = {0};
    struct resource asked = {0};
    bool read = read_resource(member[REVIEW_RESOURCE], &matched, err) &&
                read_resource(member[REVIEW_AS_ASKED], &asked, err);
    const char *group = matched.group ? matched.group : "";
    const char *version = asked.version ? asked.version : matched.version;
    request->kind = matched.name ? kinds_find(group, matched.name) : NULL;
    *is_namespace = *group == '\0' && text_equal(matched.name, "namespaces");
    if (request->kind != NULL && version != NULL)
        request->api_version = xasprintf("%s/%s", asked.group ? asked.group : group, version);
    resource_reset(&matched);
    resource_reset(&asked);
    return read;
}

struct object_identity {
    char *uid;
    char *name;
    char *namespace;
    int64_t generation; // 0: none
};

static void identity_reset(struct object_identity *identity)
{
    free(identity->uid);
    free(identity->name);
    free(identity->namespace);
}

static bool read_identity(struct span object, struct object_identity *identity, struct error *err)
{
    enum { META_UID, META_NAME, META_NAMESPACE, META_GENERATION, META_MEMBERS };
    static const char *const keys[] = {"metadata"};
    static const char *const meta_keys[META_MEMBERS] = {"uid", "name", "namespace", "generation"};
    struct span metadata;
    struct span member[META_MEMBERS];
    *identity = (struct object_identity){0};
    if (object.bytes == NULL || object.bytes[0] != '{')
        return true; // null: there is none of it
    if (!span_members(object, keys, &metadata, 1, err))
        return false;
    if (metadata.bytes == NULL || metadata.bytes[0] != '{')
        return true;
    if (!span_members(metadata, meta_keys, member, META_MEMBERS, err))
        return false;
    identity->uid = text_or_none(member[META_UID]);
    identity->name = text_or_none(member[META_NAME]);
    identity->namespace = text_or_none(member[META_NAMESPACE]);
    identity->generation = span_integer(member[META_GENERATION]);
    return true;
}

static char *first_of(char **first, char **second)
{
    char **from = *first != NULL ? first : second;
    char *text = *from;
    *from = NULL;
    return text;
}

// The review of one object of a deletecollection names it in the object alone. A generation is told
// only where this request raised it: who changed labels made no new one.
static void fill_object(struct audit_request *request, struct object_identity *new,
                        struct object_identity *old)
{
    bool creates = strcmp(request->verb, "create") == 0;
    bool raises = creates || (strcmp(request->verb, "update") == 0 && old->generation > 0 &&
                              new->generation > old->generation);
    if (raises && !request->dry_run && request->subresource == NULL)
        request->generation = new->generation;
    request->uid = first_of(&new->uid, &old->uid);
    if (request->name == NULL)
        request->name = first_of(&new->name, &old->name);
    if (request->namespace == NULL)
        request->namespace = first_of(&new->namespace, &old->namespace);
    uint8_t uid[UID_BYTES];
    if (request->uid == NULL || uid_parse(request->uid, uid))
        return;
    free(request->uid); // the store takes UUIDs only
    request->uid = NULL;
}

static bool read_object(const struct span member[], struct audit_request *request,
                        struct error *err)
{
    struct object_identity new = {0};
    struct object_identity old = {0};
    bool read = read_identity(member[REVIEW_OBJECT], &new, err) &&
                read_identity(member[REVIEW_OLD], &old, err);
    if (read)
        fill_object(request, &new, &old);
    identity_reset(&new);
    identity_reset(&old);
    return read;
}

// A namespace is asked about by those who may ask about what is in it.
static void place_namespace(struct audit_request *request)
{
    free(request->namespace);
    request->namespace = request->name ? xstrdup(request->name) : NULL;
}

// *ours is false when nothing is to be sent: another kind, another operation, or a namespace that
// stays.
static bool read_request(const struct span member[], struct audit_request *request, bool *ours,
                         struct error *err)
{
    const char *verb = verb_of(member[REVIEW_OPERATION]);
    bool is_namespace;
    *ours = false;
    if (!read_target(member, request, &is_namespace, err))
        return false;
    if (verb == NULL || (request->kind == NULL && !is_namespace) ||
        (is_namespace && strcmp(verb, "delete") != 0))
        return true;
    request->verb = xstrdup(verb);
    request->subresource = text_or_none(member[REVIEW_SUBRESOURCE]);
    request->name = text_or_none(member[REVIEW_NAME]);
    request->namespace = text_or_none(member[REVIEW_NAMESPACE]);
    request->dry_run = span_is_true(member[REVIEW_DRY_RUN]);
    if (!read_object(member, request, err))
        return false;
    if (is_namespace)
        place_namespace(request);
    *ours = true;
    return true;
}

bool admission_review_emit(struct outbox *outbox, const struct admission_review *review,
                           const struct audit_coverage *coverage, int64_t at, struct error *err)
{
    struct span member[REVIEW_MEMBERS];
    struct audit_request request = {0};
    bool ours;
    if (!span_members(review->request, member_keys, member, REVIEW_MEMBERS, err))
        return false;
    const struct audit_line line = {.received_at = at,
                                    .staged_at = at,
                                    .stage = {stage, sizeof(stage) - 1},
                                    .audit_id = review->uid,
                                    .user = member[REVIEW_USER]};
    bool done = read_request(member, &request, &ours, err) &&
                (!ours || !audit_coverage_has(coverage, request.namespace) ||
                 audit_request_emit(outbox, &line, &request, VIA_ADMISSION, err));
    audit_request_reset(&request);
    return done || fail_in(err, "AdmissionReview");
}
