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

// A generation that cannot be is unknown and not refused: the request is evidence all the same.
bool fold_request_from_event(const cJSON *data, int64_t log_index, struct fold_arena *arena,
                             struct fold_request *out, struct error *err)
{
    struct fold_request request = {.log_index = log_index,
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
    *out = request;
    return true;
}

// An unknown code is no success: crediting somebody needs proof.
static bool has_succeeded(const struct fold_request *request)
{
    return !request->dry_run && request->code != FOLD_NONE && request->code < 300;
}

// `status` and others are left out: controllers write them, all day (R18).
bool fold_request_is_candidate(const struct fold_request *request)
{
    static const char *const writes[] = {"create", "update", "patch", "delete"};
    if (!has_succeeded(request) ||
        (request->subresource != NULL && strcmp(request->subresource, "scale") != 0))
        return false;
    for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
        if (text_equal(request->verb, writes[i]))
            return true;
    }
    return false;
}

// The same in SQL is REQUEST_MATTERS of belief_load.c and the partial indexes of table request;
// they must say the same, or a resumed fold and a full one would see other requests.
bool fold_request_matters(const struct fold_request *request)
{
    return fold_request_is_candidate(request) || (request->removes && has_succeeded(request));
}
