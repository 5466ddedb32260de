// Readings from events and from the column `detail`, whose JSON has the same member names, so that
// one reader serves both.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/json_scan.h"
#include "common/text.h"
#include "common/timestamp.h"
#include "store/fold_input.h"

// Text that we wrote is checked all the same: it went through a table that others can reach.
#define DETAIL_DEPTH 8 // detail > placements > placement > labels, and room

// A text member in the arena; an empty one is as good as none.
static const char *take_text(const cJSON *object, const char *key, struct fold_arena *arena)
{
    const char *text = json_text(object, key);
    return text == NULL || *text == '\0' ? NULL : fold_arena_text(arena, text);
}

static int64_t take_int64(const cJSON *object, const char *key)
{
    int64_t value;
    return json_int64(object, key, &value) ? value : FOLD_NONE;
}

// For columns of type integer: what does not fit is not known.
// Not refused: an odd number of replicas is no reason to lose the whole reading.
static int64_t take_count(const cJSON *object, const char *key)
{
    int64_t value = take_int64(object, key);
    return value >= 0 && value <= INT32_MAX ? value : FOLD_NONE;
}

static int64_t take_share(const cJSON *object, const char *key)
{
    const cJSON *member = json_get(object, key);
    return cJSON_IsNumber(member) ? fold_share_from(member->valuedouble) : FOLD_NONE;
}

// An instant that may be absent, but not wrong.
static bool take_instant(const cJSON *object, const char *key, int64_t *at, struct error *err)
{
    const cJSON *member = json_get(object, key);
    *at = FOLD_NONE;
    if (member == NULL || cJSON_IsNull(member))
        return true;
    if (!cJSON_IsString(member) || !timestamp_parse(member->valuestring, at))
        return fail(err, REACT_REJECT, "\"%s\" is no RFC 3339 time", key);
    return true;
}

// A source that we do not know cannot be ranked against others, so it is refused.
static bool take_source(const cJSON *object, const char *key, enum time_source *source,
                        struct error *err)
{
    const char *text = json_text(object, key);
    if (time_source_parse(text, source))
        return true;
    return fail(err, REACT_REJECT, "\"%s\" is no source of a time: %.40s", key,
                text == NULL ? "missing" : text);
}

// The array member and its size; a missing one is empty.
// Counted by a walk once; cJSON's own access by index would walk for each item.
static bool take_array(const cJSON *object, const char *key, const cJSON **first, size_t *count,
                       struct error *err)
{
    const cJSON *array = json_get(object, key);
    *first = NULL;
    *count = 0;
    if (array == NULL || cJSON_IsNull(array))
        return true;
    if (!cJSON_IsArray(array))
        return fail(err, REACT_REJECT, "\"%s\" is no array", key);
    *first = array->child;
    for (const cJSON *item = array->child; item != NULL; item = item->next)
        ++*count;
    return true;
}

static int compare_labels(const void *left, const void *right)
{
    const struct raw_label *a = left;
    const struct raw_label *b = right;
    int order = strcmp(a->key, b->key);
    return order != 0 ? order : strcmp(a->value, b->value);
}

// Sorted, so that equal labels print and compare equal in whatever order they came.
// What is no string is left out: Kubernetes has no other labels.
static void take_labels(const cJSON *object, struct fold_arena *arena, struct raw_placement *out)
{
    const cJSON *labels = json_get(object, "labels");
    size_t count = 0;
    for (const cJSON *label = cJSON_IsObject(labels) ? labels->child : NULL; label;
         label = label->next)
        count += cJSON_IsString(label) ? 1 : 0;
    if (count == 0)
        return;
    struct raw_label *list = fold_arena_array(arena, count, sizeof(*list));
    size_t used = 0;
    for (const cJSON *label = labels->child; label != NULL; label = label->next) {
        if (cJSON_IsString(label))
            list[used++] = (struct raw_label){fold_arena_text(arena, label->string),
                                              fold_arena_text(arena, label->valuestring)};
    }
    qsort(list, used, sizeof(*list), compare_labels);
    out->labels = list;
    out->label_count = used;
}

// Without a component a placement has no place in any row; without a role it is what nearly all
// are.
static bool take_placement(const cJSON *item, struct fold_arena *arena, struct raw_placement *out,
                           struct error *err)
{
    *out = (struct raw_placement){
        .component = take_text(item, "component", arena),
        .role = take_text(item, "role", arena),
        .node = take_text(item, "node", arena),
        .uri = take_text(item, "uri", arena),
        .artifact_version = take_text(item, "artifact_version", arena),
        .image = take_text(item, "image", arena),
        .digest = take_text(item, "digest", arena),
        .traffic = take_share(item, "traffic_percent"),
        .replicas = take_count(item, "replicas"),
        .stopped = json_bool(item, "stopped", false),
        .revisioned = json_bool(item, "revisioned", false),
    };
    take_labels(item, arena, out);
    // Core 2 writes the version as a number.
    int64_t number = take_int64(item, "artifact_version");
    if (out->artifact_version == NULL && number != FOLD_NONE) {
        char text[24];
        int length = snprintf(text, sizeof(text), "%lld", (long long)number);
        out->artifact_version = fold_arena_bytes(arena, text, (size_t)length);
    }
    if (out->component == NULL)
        return fail(err, REACT_REJECT, "placement has no \"component\"");
    if (out->role == NULL)
        out->role = "live";
    return true;
}

static bool take_placements(const cJSON *data, struct fold_arena *arena, struct reading *out,
                            struct error *err)
{
    const cJSON *item;
    size_t count;
    if (!take_array(data, "placements", &item, &count, err))
        return false;
    struct raw_placement *list = fold_arena_array(arena, count, sizeof(*list));
    for (size_t i = 0; i < count; i++, item = item->next) {
        if (!take_placement(item, arena, &list[i], err))
            return false;
    }
    out->placements = list;
    out->placement_count = count;
    return true;
}

// Shares by revision are not taken: the spec says what was asked for, status only who answers.
static bool take_revisions(const cJSON *data, struct fold_arena *arena, struct reading *out,
                           struct error *err)
{
    const cJSON *revisions = json_get(data, "revisions");
    out->latest_created = take_text(revisions, "latest_created", arena);
    out->kept = take_text(revisions, "kept", arena);
    const cJSON *item;
    size_t count;
    if (!take_array(revisions, "traffic", &item, &count, err))
        return false;
    const char **names = fold_arena_array(arena, count, sizeof(*names));
    size_t used = 0;
    for (; item != NULL; item = item->next) {
        names[used] = take_text(item, "revision", arena);
        used += names[used] != NULL;
    }
    out->traffic = names;
    out->traffic_count = used;
    return true;
}

// A route without a target or a kind could not be joined to anything: refused.
static bool take_routes(const cJSON *data, struct fold_arena *arena, struct reading *out,
                        struct error *err)
{
    const cJSON *item;
    size_t count;
    if (!take_array(data, "routes", &item, &count, err))
        return false;
    struct raw_route *list = fold_arena_array(arena, count, sizeof(*list));
    for (size_t i = 0; i < count; i++, item = item->next) {
        list[i] = (struct raw_route){.target = take_text(item, "target", arena),
                                     .target_kind = take_text(item, "target_kind", arena),
                                     .role = take_text(item, "role", arena),
                                     .percent = take_share(item, "percent")};
        if (list[i].target == NULL || list[i].target_kind == NULL || list[i].role == NULL)
            return fail(err, REACT_REJECT, "route without target, target_kind or role");
    }
    out->routes = list;
    out->route_count = count;
    return true;
}

// The members that events and `detail` share.
// The source is only asked for when there is an instant: without one it means nothing.
static bool take_detail(const cJSON *data, struct fold_arena *arena, struct reading *out,
                        struct error *err)
{
    out->observed_generation = take_int64(data, "observed_generation");
    out->failed = json_bool(data, "failed", false);
    out->is_deleting = json_bool(data, "deleting", false);
    if (!take_instant(data, "spec_at", &out->spec_at, err) ||
        !take_instant(data, "ready_since", &out->ready_since, err))
        return false;
    out->spec_source = TIME_LISTING;
    if (out->spec_at != FOLD_NONE && !take_source(data, "spec_source", &out->spec_source, err))
        return false;
    return take_placements(data, arena, out, err) && take_revisions(data, arena, out, err) &&
           take_routes(data, arena, out, err);
}

// Position, extractor and `at` must be there, since order, content and time rest on them (R1, R2,
// R8); all else may be unknown.
bool reading_from_event(const cJSON *data, int64_t log_index, struct fold_arena *arena,
                        struct reading *out, struct error *err)
{
    struct reading reading = {.log_index = log_index,
                              .removed = json_bool(data, "removed", false),
                              .ready_known = cJSON_IsBool(json_get(data, "ready")),
                              .ready = json_bool(data, "ready", false),
                              .generation = take_int64(data, "generation")};
    if (reading.generation < 0 || reading.generation == INT64_MAX)
        reading.generation = FOLD_NONE; // generations are counted from one, with room to add
    if (!json_int64(data, "position", &reading.position) || reading.position < 0 ||
        reading.position == INT64_MAX) // the place of removals that have no position (R5)
        return fail(err, REACT_REJECT, "\"position\" is no decimal integer");
    reading.extractor = take_count(data, "extractor");
    if (reading.extractor == FOLD_NONE)
        return fail(err, REACT_REJECT, "\"extractor\" is no integer");
    if (!take_instant(data, "at", &reading.at, err) ||
        !take_instant(data, "not_before", &reading.not_before, err) ||
        !take_source(data, "at_source", &reading.at_source, err))
        return false;
    if (reading.at == FOLD_NONE)
        return fail(err, REACT_REJECT, "\"at\" is missing");
    if (!take_detail(data, arena, &reading, err))
        return false;
    *out = reading;
    return true;
}

// Printing leaves out what is not known; reading takes the absent for unknown.

static void print_text(struct buffer *out, const char *key, const char *text)
{
    if (text == NULL)
        return;
    buffer_append_text(out, key);
    buffer_append_json_string(out, text, strlen(text));
}

static void print_int64(struct buffer *out, const char *key, int64_t value)
{
    if (value != FOLD_NONE)
        buffer_printf(out, "%s\"%lld\"", key, (long long)value);
}

static void print_share(struct buffer *out, const char *key, int64_t share)
{
    if (share == FOLD_NONE)
        return;
    buffer_append_text(out, key);
    fold_share_print(share, out);
}

static void print_instant(struct buffer *out, const char *key, int64_t at)
{
    if (at == FOLD_NONE)
        return;
    char text[TIMESTAMP_TEXT];
    timestamp_format(at, text);
    buffer_append_text(out, key);
    buffer_append_char(out, '"');
    buffer_append_text(out, text);
    buffer_append_char(out, '"');
}

static void print_labels(struct buffer *out, const struct raw_placement *placement)
{
    if (placement->label_count == 0)
        return;
    buffer_append_text(out, ",\"labels\":");
    for (size_t i = 0; i < placement->label_count; i++) {
        const struct raw_label *label = &placement->labels[i];
        buffer_append_char(out, i == 0 ? '{' : ',');
        buffer_append_json_string(out, label->key, strlen(label->key));
        buffer_append_char(out, ':');
        buffer_append_json_string(out, label->value, strlen(label->value));
    }
    buffer_append_char(out, '}');
}

// The order of members is fixed and absent ones are left out: the digest in a checkpoint is made of
// this text, so changing it changes the checkpoint's format.
static void print_placement(struct buffer *out, const struct raw_placement *placement)
{
    print_text(out, "{\"component\":", placement->component);
    print_text(out, ",\"role\":", placement->role);
    print_share(out, ",\"traffic_percent\":", placement->traffic);
    if (placement->stopped)
        buffer_append_text(out, ",\"stopped\":true");
    print_int64(out, ",\"replicas\":", placement->replicas);
    print_text(out, ",\"node\":", placement->node);
    print_text(out, ",\"uri\":", placement->uri);
    print_text(out, ",\"artifact_version\":", placement->artifact_version);
    print_text(out, ",\"image\":", placement->image);
    print_text(out, ",\"digest\":", placement->digest);
    print_labels(out, placement);
    if (placement->revisioned)
        buffer_append_text(out, ",\"revisioned\":true");
    buffer_append_char(out, '}');
}

void fold_placements_print(const struct reading *reading, struct buffer *out)
{
    buffer_append_char(out, '[');
    for (size_t i = 0; i < reading->placement_count; i++) {
        if (i > 0)
            buffer_append_char(out, ',');
        print_placement(out, &reading->placements[i]);
    }
    buffer_append_char(out, ']');
}

static void print_revisions(struct buffer *out, const struct reading *reading)
{
    if (reading->latest_created == NULL && reading->kept == NULL && reading->traffic_count == 0)
        return;
    buffer_append_text(out, ",\"revisions\":{\"traffic\":[");
    for (size_t i = 0; i < reading->traffic_count; i++) {
        buffer_append_text(out, i == 0 ? "{" : ",{");
        print_text(out, "\"revision\":", reading->traffic[i]);
        buffer_append_char(out, '}');
    }
    buffer_append_char(out, ']');
    print_text(out, ",\"latest_created\":", reading->latest_created);
    print_text(out, ",\"kept\":", reading->kept);
    buffer_append_char(out, '}');
}

static void print_routes(struct buffer *out, const struct reading *reading)
{
    if (reading->route_count == 0)
        return;
    buffer_append_text(out, ",\"routes\":");
    for (size_t i = 0; i < reading->route_count; i++) {
        const struct raw_route *route = &reading->routes[i];
        buffer_append_char(out, i == 0 ? '[' : ',');
        print_text(out, "{\"target\":", route->target);
        print_text(out, ",\"target_kind\":", route->target_kind);
        print_text(out, ",\"role\":", route->role);
        print_share(out, ",\"percent\":", route->percent);
        buffer_append_char(out, '}');
    }
    buffer_append_char(out, ']');
}

// Normalised values, not those of the event: what is read back must be the same struct, or a
// rebuild would fold something else.
void reading_detail_print(const struct reading *reading, struct buffer *out)
{
    buffer_append_text(out, "{\"placements\":");
    fold_placements_print(reading, out);
    print_int64(out, ",\"observed_generation\":", reading->observed_generation);
    if (reading->failed)
        buffer_append_text(out, ",\"failed\":true");
    if (reading->is_deleting)
        buffer_append_text(out, ",\"deleting\":true");
    if (reading->spec_at != FOLD_NONE) {
        print_instant(out, ",\"spec_at\":", reading->spec_at);
        print_text(out, ",\"spec_source\":", time_source_name(reading->spec_source));
    }
    print_instant(out, ",\"ready_since\":", reading->ready_since);
    print_revisions(out, reading);
    print_routes(out, reading);
    buffer_append_char(out, '}');
}

bool reading_detail_parse(const char *text, struct fold_arena *arena, struct reading *out,
                          struct error *err)
{
    SCOPED(cJSON_Delete) cJSON *data = json_parse(text, strlen(text), DETAIL_DEPTH, err);
    struct reading copy = *out;
    if (data == NULL || !take_detail(data, arena, &copy, err)) {
        err->react = REACT_STOP; // our own text: either a bug or a damaged table
        return fail_in(err, "detail of state row with log_index %lld", (long long)out->log_index);
    }
    *out = copy;
    return true;
}
