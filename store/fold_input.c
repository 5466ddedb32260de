// Names, shares and requests as the fold sees them; readings have their own file, fold_reading.c.

#include "store/fold_input.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/text.h"
#include "common/timestamp.h"

#define SHARE_ONE 1000000 // one percent

static const char *const source_names[] = {
    [TIME_AUDIT] = "audit",
    [TIME_ADMISSION] = "admission",
    [TIME_OBJECT] = "object",
    [TIME_MANAGED_FIELDS] = "managed_fields",
    [TIME_COLLECTOR_CLOCK] = "collector_clock",
    [TIME_LISTING] = "listing",
    [TIME_INFERRED] = "inferred",
};

const char *time_source_name(enum time_source source)
{
    return source_names[source];
}

bool time_source_parse(const char *text, enum time_source *source)
{
    for (enum time_source i = TIME_AUDIT; i < TIME_INFERRED; i++) {
        if (text_equal(text, source_names[i])) {
            *source = i;
            return true;
        }
    }
    return false;
}

void fold_share_print(int64_t share, struct buffer *out)
{
    char digits[32];
    int64_t fraction = share % SHARE_ONE;
    int length = fraction == 0 ? snprintf(digits, sizeof(digits), "%" PRId64, share / SHARE_ONE)
                               : snprintf(digits, sizeof(digits), "%" PRId64 ".%06" PRId64,
                                          share / SHARE_ONE, fraction);
    while (fraction != 0 && digits[length - 1] == '0')
        length--;
    buffer_append(out, digits, (size_t)length);
}

// 10^6 percent is absurd, and far from what an int64 of millionths could hold.
int64_t fold_share_from(double percent)
{
    // Written so that NaN fails it too.
    if (!(percent >= 0.0 && percent <= 1000000.0))
        return FOLD_NONE;
    return (int64_t)(percent * SHARE_ONE + 0.5);
}

// What the request is about. The uid of a namespace is no workload's.
static enum request_role role_of(const cJSON *data, const char *verb)
{
    if (strcmp(verb, "delete") == 0 && text_equal(json_text(data, "resource"), "namespaces"))
        return ROLE_NAMESPACE;
    if (json_text(data, "uid") != NULL)
        return ROLE_OBJECT;
    return strcmp(verb, "deletecollection") == 0 ? ROLE_COLLECTION : ROLE_NAME;
}

void fold_request_settle(struct fold_request *request)
{
    if (request->is_admission)
        request->position = FOLD_NONE;
    if (request->role == ROLE_OBJECT)
        return;
    request->position = FOLD_NONE;
    request->generation = FOLD_NONE;
    request->removes = false;
}

static bool is_delete(const char *verb)
{
    return strcmp(verb, "delete") == 0 || strcmp(verb, "deletecollection") == 0;
}

// A generation that cannot be is unknown and not refused: the request is evidence all the same.
bool fold_request_from_event(const cJSON *data, bool is_admission, int64_t log_index,
                             struct fold_arena *arena, struct fold_request *out, struct error *err)
{
    struct fold_request request = {.log_index = log_index,
                                   .is_admission = is_admission,
                                   .verb = fold_arena_text(arena, json_text(data, "verb")),
                                   .code = FOLD_NONE,
                                   .dry_run = json_bool(data, "dry_run", false),
                                   .removes = json_bool(data, "removes", false),
                                   .position = FOLD_NONE,
                                   .generation = FOLD_NONE};
    const char *at = json_text(data, "at");
    if (at == NULL || !timestamp_parse(at, &request.at))
        return fail(err, REACT_REJECT, "request has no time \"at\"");
    if (request.verb == NULL)
        return fail(err, REACT_REJECT, "request has no \"verb\"");
    const char *subresource = json_text(data, "subresource");
    if (subresource != NULL && *subresource != '\0')
        request.subresource = fold_arena_text(arena, subresource);
    json_int64(data, "code", &request.code);
    json_int64(data, "position", &request.position);
    if (json_int64(data, "generation", &request.generation) &&
        (request.generation < 0 || request.generation == INT64_MAX))
        request.generation = FOLD_NONE;
    request.role = role_of(data, request.verb);
    request.audit_id = fold_arena_text(arena, json_text(data, "audit_id"));
    if (is_admission || is_delete(request.verb)) {
        request.principal = fold_arena_text(arena, json_text(data, "principal"));
        request.impersonated_by = fold_arena_text(arena, json_text(data, "impersonated_by"));
    }
    fold_request_settle(&request);
    *out = request;
    return true;
}

// An unknown code is no success: crediting somebody needs proof.
static bool has_succeeded(const struct fold_request *request)
{
    return !request->dry_run && request->code != FOLD_NONE && request->code < 300;
}

// A review comes before the answer and has no code; whether the write came about, the object tells.
static bool is_accepted(const struct fold_request *request)
{
    return has_succeeded(request) ||
           (!request->dry_run && request->is_admission && request->code == FOLD_NONE);
}

static bool is_write(const struct fold_request *request)
{
    static const char *const writes[] = {"create", "update", "patch", "delete"};
    for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
        if (text_equal(request->verb, writes[i]))
            return true;
    }
    return false;
}

// `status` and others are left out: controllers write them, all day (R18).
bool fold_request_is_candidate(const struct fold_request *request)
{
    bool is_object = request->subresource == NULL || strcmp(request->subresource, "scale") == 0;
    switch (request->role) {
    case ROLE_COLLECTION:
        return is_accepted(request);
    case ROLE_NAMESPACE:
    case ROLE_OWNER:
        return is_accepted(request) && text_equal(request->verb, "delete") &&
               request->subresource == NULL;
    case ROLE_OBJECT:
    case ROLE_NAME:
        return is_accepted(request) && is_object && is_write(request);
    }
    return false;
}

// The same in SQL is in belief_load.c (REQUEST_MATTERS and what stands beside it) and in the
// partial indexes of table request; they must say the same, or a resumed fold and a full one would
// see other requests.
bool fold_request_matters(const struct fold_request *request)
{
    return fold_request_is_candidate(request) || (request->removes && is_accepted(request));
}

bool fold_request_creates(const struct fold_request *request)
{
    return text_equal(request->verb, "create") || request->code == 201;
}

bool fold_request_has_removed(const struct fold_request *request)
{
    return request->role == ROLE_OBJECT && request->removes && has_succeeded(request);
}

// What scaling answers is the Scale, whose generation is none of the object's.
bool fold_request_is_windowed(const struct fold_request *request)
{
    if (request->role != ROLE_OBJECT && request->role != ROLE_NAME)
        return false;
    return request->position == FOLD_NONE && strcmp(request->verb, "delete") != 0 &&
           (request->generation == FOLD_NONE || request->subresource != NULL) &&
           fold_request_is_candidate(request);
}
