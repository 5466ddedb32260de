// The growing lists behind an extractor, their limits, and their spelling in the event. Limits are
// errors of the object, never of the collector: a hostile object is refused, the stream goes on.

#include "collector/extraction.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/memory.h"
#include "common/text.h"
#include "common/timestamp.h"

static const char *const role_names[] = {"live", "canary", "shadow", "explainer", "transformer"};

void extraction_reset(struct extraction *extraction)
{
    for (size_t i = 0; i < extraction->pool_count; i++)
        free(extraction->pool[i]);
    free(extraction->pool);
    free(extraction->placements);
    free(extraction->routes);
    free(extraction->revisions.traffic);
    *extraction = (struct extraction){0};
}

void extraction_problem(struct extraction *out, const char *format, ...)
{
    if (out->problem.react != REACT_NONE)
        return;
    char text[sizeof(out->problem.text)];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)fail(&out->problem, REACT_REJECT, "%s", text);
}

const char *extraction_text(struct extraction *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    size_t size_bytes = length < 0 ? 1 : (size_t)length + 1;
    char *text = xcalloc(1, size_bytes);
    va_start(args, format);
    vsnprintf(text, size_bytes, format, args);
    va_end(args);
    out->pool = xgrow(out->pool, &out->pool_capacity, out->pool_count + 1, sizeof(*out->pool));
    out->pool[out->pool_count++] = text;
    return text;
}

static bool has_component(const struct extraction *out, const char *component)
{
    for (size_t i = 0; i < out->placement_count; i++) {
        if (strcmp(out->placements[i].component, component) == 0)
            return true;
    }
    return false;
}

// "#2" for the second of a name; counts on when the object itself uses such a name.
static const char *unique_component(struct extraction *out, const char *base)
{
    size_t number = 1;
    for (size_t i = 0; i < out->placement_count; i++)
        number += strcmp(out->placements[i].base, base) == 0;
    if (number == 1 && !has_component(out, base))
        return base;
    const char *component = NULL;
    do {
        if (number < 2)
            number = 2;
        component = extraction_text(out, "%s#%zu", base, number++);
    } while (has_component(out, component));
    return component;
}

struct placement *extraction_place(struct extraction *out, const char *component)
{
    static const struct placement fresh = {
        .role = ROLE_LIVE, .percent = PERCENT_NONE, .replicas = REPLICAS_NONE};
    out->overflow = fresh;
    if (out->placement_count == EXTRACTION_MAX_PLACEMENTS) {
        extraction_problem(out, "object has more than %d placements", EXTRACTION_MAX_PLACEMENTS);
        return &out->overflow;
    }
    if (strlen(component) > EXTRACTION_MAX_COMPONENT) {
        extraction_problem(out, "component name of %zu bytes is too long", strlen(component));
        return &out->overflow;
    }
    const char *unique = unique_component(out, component);
    out->placements = xgrow(out->placements, &out->placement_capacity, out->placement_count + 1,
                            sizeof(*out->placements));
    struct placement *placement = &out->placements[out->placement_count++];
    *placement = fresh;
    placement->component = unique;
    placement->base = component;
    return placement;
}

static struct route *find_route(const struct extraction *out, const char *target_kind,
                                const char *target, const char *role)
{
    for (size_t i = 0; i < out->route_count; i++) {
        struct route *route = &out->routes[i];
        if (strcmp(route->target, target) == 0 && strcmp(route->target_kind, target_kind) == 0 &&
            strcmp(route->role, role) == 0)
            return route;
    }
    return NULL;
}

void extraction_route(struct extraction *out, const char *target_kind, const char *target,
                      const char *role, double percent)
{
    struct route *route = find_route(out, target_kind, target, role);
    if (route != NULL) {
        bool both = route->percent >= 0 && percent >= 0;
        route->percent = both ? percent_round(route->percent + percent) : PERCENT_NONE;
        return;
    }
    if (out->route_count == EXTRACTION_MAX_ROUTES) {
        extraction_problem(out, "object has more than %d routes", EXTRACTION_MAX_ROUTES);
        return;
    }
    if (strlen(target) > EXTRACTION_MAX_NAME) {
        extraction_problem(out, "route target of %zu bytes is too long", strlen(target));
        return;
    }
    out->routes =
        xgrow(out->routes, &out->route_capacity, out->route_count + 1, sizeof(*out->routes));
    out->routes[out->route_count++] = (struct route){target, target_kind, role, percent};
}

double percent_round(double percent)
{
    return (double)(int64_t)(percent * 1e4 + 0.5) / 1e4;
}

double percent_of(double weight, double sum)
{
    if (!(weight >= 0) || !(sum > 0) || !isfinite(weight) || !isfinite(sum) || weight > sum)
        return PERCENT_NONE;
    return percent_round(weight / sum * 100);
}

double percent_read(const cJSON *object, const char *key)
{
    const cJSON *member = json_get(object, key);
    bool share = cJSON_IsNumber(member) && member->valuedouble >= 0 && member->valuedouble <= 100;
    return share ? percent_round(member->valuedouble) : PERCENT_NONE;
}

const char *filled_text(const cJSON *object, const char *key)
{
    const char *text = json_text(object, key);
    return text != NULL && text[0] != '\0' ? text : NULL;
}

int64_t replicas_read(const cJSON *object, const char *key, int64_t otherwise)
{
    int64_t replicas;
    bool known = json_int64(object, key, &replicas) && replicas >= 0 && replicas <= INT32_MAX;
    return known ? replicas : otherwise;
}

static bool fits(struct extraction *out, const char *what, const char *text, size_t limit)
{
    size_t length = text != NULL ? strlen(text) : 0;
    if (length > limit)
        extraction_problem(out, "%s of %zu bytes is too long", what, length);
    return length <= limit;
}

// Identity labels of the object. They mean its own model, so not what has a node's name because it
// is one of several: graph nodes, explainers, adapters. Of main and canary predictors both are that
// model, but a version or digest can only be the live one's.
enum label_reach { REACH_NONE, REACH_MODEL, REACH_ALL };

static bool is_identity_label(const char *key, enum label_reach reach)
{
    if (strcmp(key, "modeltrail.io/model") == 0)
        return reach != REACH_NONE;
    return reach == REACH_ALL &&
           (strcmp(key, "modeltrail.io/version") == 0 || strcmp(key, "modeltrail.io/digest") == 0 ||
            text_starts_with(key, "modelregistry.kubeflow.org/"));
}

// A name that is cut off or left out would be another name, so too long a label refuses the object.
static bool labels_fit(struct extraction *out, const cJSON *map)
{
    const cJSON *label;
    cJSON_ArrayForEach(label, map)
    {
        bool identity = cJSON_IsString(label) && label->string != NULL &&
                        is_identity_label(label->string, REACH_ALL);
        if (identity && !fits(out, label->string, label->valuestring, EXTRACTION_MAX_LABEL))
            return false;
    }
    return true;
}

static bool placement_fits(struct extraction *out, const struct placement *placement)
{
    bool fit = fits(out, "artifact URI", placement->uri, EXTRACTION_MAX_IDENTITY) &&
               fits(out, "image", placement->image, EXTRACTION_MAX_IDENTITY) &&
               fits(out, "node name", placement->node, EXTRACTION_MAX_NAME);
    for (size_t i = 0; fit && i < sizeof(placement->labels) / sizeof(placement->labels[0]); i++)
        fit = labels_fit(out, placement->labels[i]);
    return fit;
}

static void check_lengths(struct extraction *out, const cJSON *object)
{
    const cJSON *metadata = json_get(object, "metadata");
    bool fit = labels_fit(out, json_get(metadata, "labels")) &&
               labels_fit(out, json_get(metadata, "annotations")) &&
               fits(out, "revision", out->revisions.latest_created, EXTRACTION_MAX_NAME) &&
               fits(out, "revision", out->revisions.kept, EXTRACTION_MAX_NAME);
    for (size_t i = 0; fit && i < out->revisions.count; i++)
        fit = fits(out, "revision", out->revisions.traffic[i].revision, EXTRACTION_MAX_NAME);
    for (size_t i = 0; fit && i < out->placement_count; i++)
        fit = placement_fits(out, &out->placements[i]);
}

bool extraction_read(const struct kind *kind, const cJSON *object, struct extraction *out,
                     struct error *err)
{
    out->ready_since = TIMESTAMP_NONE;
    kind->extract(object, out);
    if (out->problem.react == REACT_NONE)
        check_lengths(out, object);
    if (out->problem.react != REACT_NONE) {
        *err = out->problem;
        return false;
    }
    return true;
}

static enum label_reach object_label_reach(const struct extraction *extraction,
                                           const struct placement *placement)
{
    if (placement->node != NULL)
        return REACH_NONE;
    size_t own = 0;
    size_t live = 0;
    for (size_t i = 0; i < extraction->placement_count; i++) {
        const struct placement *other = &extraction->placements[i];
        own += other->node == NULL;
        live += other->node == NULL && other->role == ROLE_LIVE;
    }
    bool only = own == 1 || (live == 1 && placement->role == ROLE_LIVE);
    return only ? REACH_ALL : REACH_MODEL;
}

// Adds what `labels` lacks: maps are offered nearest first.
static void add_labels(cJSON *labels, const cJSON *map, enum label_reach reach)
{
    if (!cJSON_IsObject(map))
        return;
    const cJSON *label;
    cJSON_ArrayForEach(label, map)
    {
        bool wanted = cJSON_IsString(label) && is_identity_label(label->string, reach) &&
                      cJSON_GetArraySize(labels) < 16 && json_get(labels, label->string) == NULL;
        if (wanted)
            cJSON_AddStringToObject(labels, label->string, label->valuestring);
    }
}

static cJSON *labels_to_json(const struct extraction *extraction, const struct placement *placement,
                             const cJSON *object)
{
    cJSON *labels = cJSON_CreateObject();
    for (size_t i = 0; i < sizeof(placement->labels) / sizeof(placement->labels[0]); i++)
        add_labels(labels, placement->labels[i], REACH_ALL);
    enum label_reach reach = object_label_reach(extraction, placement);
    const cJSON *metadata = json_get(object, "metadata");
    add_labels(labels, json_get(metadata, "labels"), reach);
    add_labels(labels, json_get(metadata, "annotations"), reach);
    return labels;
}

static void add_percent(cJSON *object, double percent)
{
    if (percent >= 0)
        cJSON_AddNumberToObject(object, "percent", percent);
    else
        cJSON_AddNullToObject(object, "percent");
}

// "sha256:..." when the reference itself proves its content; else NULL.
static const char *digest_of(const char *reference)
{
    const char *at = reference != NULL ? strrchr(reference, '@') : NULL;
    if (at == NULL || !text_starts_with(at + 1, "sha256:"))
        return NULL;
    const char *hex = at + 1 + strlen("sha256:");
    return strspn(hex, "0123456789abcdef") == 64 && hex[64] == '\0' ? at + 1 : NULL;
}

static cJSON *placement_to_json(const struct extraction *extraction,
                                const struct placement *placement, const cJSON *object)
{
    cJSON *json = cJSON_CreateObject();
    json_add_text(json, "component", placement->component);
    json_add_text(json, "role", role_names[placement->role]);
    if (placement->percent >= 0)
        cJSON_AddNumberToObject(json, "traffic_percent", placement->percent);
    else
        cJSON_AddNullToObject(json, "traffic_percent");
    cJSON_AddBoolToObject(json, "stopped", placement->stopped);
    if (placement->replicas != REPLICAS_NONE)
        cJSON_AddNumberToObject(json, "replicas", (double)placement->replicas);
    else
        cJSON_AddNullToObject(json, "replicas");
    json_add_text(json, "node", placement->node);
    json_add_text(json, "uri", placement->uri);
    json_add_text(json, "artifact_version", placement->artifact_version);
    json_add_text(json, "image", placement->image);
    json_add_text(json, "digest",
                  digest_of(placement->uri != NULL ? placement->uri : placement->image));
    cJSON_AddBoolToObject(json, "revisioned", placement->revisioned);
    cJSON_AddItemToObject(json, "labels", labels_to_json(extraction, placement, object));
    return json;
}

static cJSON *revisions_to_json(const struct revisions *revisions)
{
    if (!revisions->known)
        return cJSON_CreateNull();
    cJSON *json = cJSON_CreateObject();
    json_add_text(json, "latest_created", revisions->latest_created);
    json_add_text(json, "kept", revisions->kept);
    cJSON *traffic = cJSON_AddArrayToObject(json, "traffic");
    for (size_t i = 0; i < revisions->count; i++) {
        cJSON *share = cJSON_CreateObject();
        json_add_text(share, "revision", revisions->traffic[i].revision);
        add_percent(share, revisions->traffic[i].percent);
        cJSON_AddItemToArray(traffic, share);
    }
    return json;
}

static cJSON *route_to_json(const struct route *route)
{
    cJSON *json = cJSON_CreateObject();
    json_add_text(json, "target", route->target);
    json_add_text(json, "target_kind", route->target_kind);
    json_add_text(json, "role", route->role);
    add_percent(json, route->percent);
    return json;
}

void extraction_add_to(const struct extraction *extraction, const cJSON *object, cJSON *data)
{
    if (extraction->ready == READY_UNKNOWN)
        cJSON_AddNullToObject(data, "ready");
    else
        cJSON_AddBoolToObject(data, "ready", extraction->ready == READY_YES);
    cJSON_AddBoolToObject(data, "failed", extraction->failed);
    char since[TIMESTAMP_TEXT];
    timestamp_format(extraction->ready_since, since);
    json_add_text(data, "ready_since", since[0] != '\0' ? since : NULL);
    cJSON *placements = cJSON_AddArrayToObject(data, "placements");
    for (size_t i = 0; i < extraction->placement_count; i++) {
        const struct placement *placement = &extraction->placements[i];
        cJSON_AddItemToArray(placements, placement_to_json(extraction, placement, object));
    }
    cJSON_AddItemToObject(data, "revisions", revisions_to_json(&extraction->revisions));
    cJSON *routes = cJSON_AddArrayToObject(data, "routes");
    for (size_t i = 0; i < extraction->route_count; i++)
        cJSON_AddItemToArray(routes, route_to_json(&extraction->routes[i]));
}
