// What one object's events say: observations of a workload, and requests for one.

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/text.h"
#include "common/timestamp.h"
#include "store/facts.h"

#define TEXT_IDENTITY 32768 // URIs and images; a name made of a long one is refused by its index
#define TEXT_LABEL 512      // becomes part of index keys as it is
// Far above any real object. The fold compares placements with each other, so a hostile one is
// bounded here.
#define MAX_PLACEMENTS 2000
#define MAX_ROUTES 2000

static bool fits(const char *text, size_t max_bytes)
{
    return text == NULL || strlen(text) <= max_bytes;
}

// Model and version become index keys, so what they are made of has a length.
// A key that is too long for its index fails the COPY of the whole batch with SQLSTATE 54, which
// then is halved again and again until the event is found: here it costs a look.
static bool check_placement(const struct raw_placement *placement, struct error *err)
{
    bool good = fits(placement->component, 2 * TEXT_INDEXED) && fits(placement->role, 32) &&
                fits(placement->node, TEXT_INDEXED) && fits(placement->uri, TEXT_IDENTITY) &&
                fits(placement->artifact_version, TEXT_LABEL) &&
                fits(placement->image, TEXT_IDENTITY) && fits(placement->digest, TEXT_LABEL);
    for (size_t i = 0; good && i < placement->label_count; i++)
        good = fits(placement->labels[i].value, TEXT_LABEL);
    if (!good)
        return fail(err, REACT_REJECT, "placement %.100s has a member that is too long",
                    placement->component);
    return true;
}

static bool check_placements(const struct reading *reading, struct error *err)
{
    if (reading->placement_count > MAX_PLACEMENTS)
        return fail(err, REACT_REJECT, "more than %d placements", MAX_PLACEMENTS);
    for (size_t i = 0; i < reading->placement_count; i++) {
        if (!check_placement(&reading->placements[i], err))
            return false;
    }
    return true;
}

static bool check_routes(const struct reading *reading, struct error *err)
{
    if (reading->route_count > MAX_ROUTES)
        return fail(err, REACT_REJECT, "more than %d routes", MAX_ROUTES);
    for (size_t i = 0; i < reading->route_count; i++) {
        const struct raw_route *route = &reading->routes[i];
        if (!fits(route->target, TEXT_INDEXED) || !fits(route->target_kind, TEXT_INDEXED) ||
            !fits(route->role, 32))
            return fail(err, REACT_REJECT, "route has a member that is too long");
    }
    return true;
}

static bool sane_or_none(int64_t at)
{
    return at == FOLD_NONE || time_is_sane(at);
}

// What PostgreSQL could not hold, or could hold and nobody could print, must not get that far.
static bool check_reading(const struct reading *reading, struct error *err)
{
    if (!sane_or_none(reading->at) || !sane_or_none(reading->not_before) ||
        !sane_or_none(reading->spec_at) || !sane_or_none(reading->ready_since))
        return fail(err, REACT_REJECT, "an instant lies before 1970 or after 9999");
    return check_placements(reading, err) && check_routes(reading, err);
}

// The object an observation is about.
struct subject {
    const char *cluster;
    const char *namespace;
    const char *resource;
    const char *kind;
    const char *name;
    uint8_t uid[UUID_BYTES];
    uint8_t owner[UUID_BYTES];
    bool has_owner;
};

// The namespace is checked against the allow-list here, and against the uid's own in conflict.c
// (D25).
static bool read_subject(const struct batch_event *event, struct subject *out, struct error *err)
{
    struct field_reader reader = {.object = event->data, .err = err};
    const char *namespace = field_optional_text(&reader, "namespace", TEXT_INDEXED);
    *out = (struct subject){
        .cluster = field_text(&reader, "cluster", TEXT_INDEXED),
        .namespace = namespace ? namespace : "",
        .resource = field_text(&reader, "resource", TEXT_INDEXED),
        .kind = field_text(&reader, "kind", TEXT_INDEXED),
        .name = field_text(&reader, "name", TEXT_INDEXED),
    };
    field_uuid(&reader, "uid", out->uid);
    out->has_owner = field_optional_uuid(&reader, "owner_uid", out->owner);
    return !reader.bad && facts_check_scope(event, out->cluster, out->namespace, err);
}

// What the object says of where it comes from (docs/events.md): for views, no business of the fold.
// NULL when it says nothing.
static void add_origin(struct copy *row, const cJSON *data)
{
    static const char *const members[] = {"gitops", "claims", "manager"};
    SCOPED(cJSON_Delete) cJSON *origin = cJSON_CreateObject();
    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
        const cJSON *member = json_get(data, members[i]);
        if (cJSON_IsObject(member))
            cJSON_AddItemReferenceToObject(origin, members[i], (cJSON *)(uintptr_t)member);
    }
    SCOPED(xfree_char) char *text = origin->child != NULL ? json_print(origin) : NULL;
    copy_text(row, text);
}

// Order and types are those of the column list in facts.c: binary COPY checks the count alone.
static void add_state_row(struct facts *facts, const struct subject *subject,
                          const struct reading *reading, const cJSON *data)
{
    struct copy *row = &facts->state;
    buffer_clear(&facts->scratch);
    reading_detail_print(reading, &facts->scratch);
    copy_row(row, 14);
    copy_text(row, subject->cluster);
    copy_text(row, subject->resource);
    copy_uuid(row, subject->uid);
    copy_int64(row, reading->position);
    copy_int64(row, reading->log_index);
    copy_time(row, reading->at);
    copy_text(row, time_source_name(reading->at_source));
    copy_time(row, reading->not_before);
    copy_int32(row, (int32_t)reading->extractor);
    copy_optional_int64(row, reading->generation);
    if (reading->ready_known)
        copy_bool(row, reading->ready);
    else
        copy_null(row);
    copy_bool(row, reading->removed);
    copy_bytes(row, facts->scratch.data, facts->scratch.length);
    add_origin(row, data);
}

// D26, and before the row is made: a rebuild reads the row, and must fold the same instants.
static void clamp_reading(const struct batch_event *event, struct reading *reading)
{
    bool by_clock =
        reading->at_source == TIME_COLLECTOR_CLOCK || reading->at_source == TIME_LISTING;
    // A slow clock took the object's own time for one of the future, and its own in its place.
    if (by_clock && reading->spec_at == reading->at)
        reading->spec_at = facts_by_clock(event, reading->spec_at);
    reading->at =
        by_clock ? facts_by_clock(event, reading->at) : facts_not_later(event, reading->at);
    reading->not_before = facts_not_later(event, reading->not_before);
    reading->spec_at = facts_not_later(event, reading->spec_at);
    reading->ready_since = facts_not_later(event, reading->ready_since);
}

// Nearly all facts of a workload claim the same namespace; they share its text.
// Kept for conflict.c, which needs it after the event is gone.
static const char *claimed_namespace(struct facts *facts, const struct touched_workload *workload,
                                     const char *namespace)
{
    if (namespace == NULL)
        return NULL;
    if (workload->object != NULL && strcmp(workload->object->namespace, namespace) == 0)
        return workload->object->namespace;
    return fold_arena_text(&facts->touched.arena, namespace);
}

// Only the first observation in the batch counts, as only the first in the log does.
static void note_object(struct facts *facts, struct touched_workload *workload,
                        const struct subject *subject, int64_t log_index)
{
    struct fold_arena *arena = &facts->touched.arena;
    if (workload->object != NULL)
        return;
    struct touched_object *object = fold_arena_alloc(arena, sizeof(*object));
    object->kind = fold_arena_text(arena, subject->kind);
    object->namespace = fold_arena_text(arena, subject->namespace);
    object->name = fold_arena_text(arena, subject->name);
    if (subject->has_owner) {
        uint8_t *owner = fold_arena_alloc(arena, UUID_BYTES);
        memcpy(owner, subject->owner, UUID_BYTES);
        object->owner_uid = owner;
    }
    object->log_index = log_index;
    workload->object = object;
}

// The reading is kept beside its row, so that the fold of this batch need not read it back.
bool facts_take_observed(struct facts *facts, const struct batch_event *event, struct error *err)
{
    struct subject subject;
    struct reading reading;
    if (!read_subject(event, &subject, err) ||
        !reading_from_event(event->data, event->log_index, &facts->touched.arena, &reading, err) ||
        !check_reading(&reading, err))
        return false;
    clamp_reading(event, &reading);
    char uid[37];
    // In one spelling: a uid in upper case is the same workload.
    uuid_format(subject.uid, uid);
    struct touched_workload *workload =
        touched_get(&facts->touched, subject.cluster, subject.resource, uid);
    note_object(facts, workload, &subject, event->log_index);
    touched_add_reading(&facts->touched, workload, &reading,
                        claimed_namespace(facts, workload, subject.namespace));
    add_state_row(facts, &subject, &reading, event->data);
    return true;
}

// The columns of `request`, in its order.
struct request_row {
    const char *cluster, *audit_id, *stage, *verb, *resource, *kind, *subresource, *namespace,
        *name;
    uint8_t uid[UUID_BYTES];
    bool has_uid;
    int64_t position, generation;
    bool removes;
    int64_t code;
    const char *message;
    bool dry_run;
    int64_t at;
    const char *principal;
    const cJSON *groups;
    const char *impersonated_by, *via, *user_agent, *source_ip, *level;
    bool is_admission;
};

// Members of people's tools (user agent, message) have no limit of their own: no index holds them.
// A principal does have one.
static bool read_request(const struct batch_event *event, bool is_admission,
                         struct request_row *out, struct error *err)
{
    struct field_reader reader = {.object = event->data, .err = err};
    *out = (struct request_row){
        .cluster = field_text(&reader, "cluster", TEXT_INDEXED),
        .audit_id = field_text(&reader, "audit_id", TEXT_INDEXED),
        .stage = field_text(&reader, "stage", TEXT_INDEXED),
        .verb = field_text(&reader, "verb", TEXT_INDEXED),
        .resource = field_text(&reader, "resource", TEXT_INDEXED),
        .kind = field_optional_text(&reader, "kind", TEXT_INDEXED),
        .subresource = field_optional_text(&reader, "subresource", TEXT_INDEXED),
        .namespace = field_optional_text(&reader, "namespace", TEXT_INDEXED),
        .name = field_optional_text(&reader, "name", TEXT_INDEXED),
        .position = FOLD_NONE,
        .generation = FOLD_NONE,
        .removes = field_optional_bool(&reader, "removes", false),
        .code = FOLD_NONE,
        .message = field_optional_text(&reader, "message", TEXT_ANY),
        .dry_run = field_optional_bool(&reader, "dry_run", false),
        .at = field_time(&reader, "at"),
        .principal = field_text(&reader, "principal", 1024),
        .groups = field_array(&reader, "groups", true),
        .impersonated_by = field_optional_text(&reader, "impersonated_by", TEXT_ANY),
        .via = field_text(&reader, "via", TEXT_INDEXED),
        .user_agent = field_optional_text(&reader, "user_agent", TEXT_ANY),
        .source_ip = field_optional_text(&reader, "source_ip", TEXT_ANY),
        .level = field_optional_text(&reader, "level", TEXT_INDEXED),
        .is_admission = is_admission,
    };
    out->has_uid = field_optional_uuid(&reader, "uid", out->uid);
    field_optional_int64(&reader, "position", &out->position);
    field_optional_int64(&reader, "generation", &out->generation);
    if (field_optional_int64(&reader, "code", &out->code) &&
        (out->code < 0 || out->code > INT32_MAX))
        field_refuse(&reader, "code", "is no status code");
    for (const cJSON *group = out->groups ? out->groups->child : NULL; group; group = group->next) {
        if (!cJSON_IsString(group))
            field_refuse(&reader, "groups", "holds something else than strings");
    }
    return !reader.bad && facts_check_scope(event, out->cluster, out->namespace, err);
}

// Order and types are those of the column list in facts.c: binary COPY checks the count alone.
static void add_request_row(struct facts *facts, const struct batch_event *event,
                            const struct request_row *request)
{
    struct copy *row = &facts->request;
    copy_row(row, 26);
    copy_int64(row, event->log_index);
    copy_text(row, request->cluster);
    copy_text(row, request->audit_id);
    copy_text(row, request->stage);
    copy_text(row, request->verb);
    copy_text(row, request->resource);
    copy_text(row, request->kind);
    copy_text(row, request->subresource);
    copy_text(row, request->namespace);
    copy_text(row, request->name);
    copy_uuid(row, request->has_uid ? request->uid : NULL);
    copy_optional_int64(row, request->position);
    copy_optional_int64(row, request->generation);
    copy_bool(row, request->removes);
    if (request->code == FOLD_NONE)
        copy_null(row);
    else
        copy_int32(row, (int32_t)request->code);
    copy_text(row, request->message);
    copy_bool(row, request->dry_run);
    copy_time(row, request->at);
    copy_text(row, request->principal);
    facts_copy_texts(row, request->groups);
    copy_text(row, request->impersonated_by);
    copy_text(row, request->via);
    copy_text(row, request->user_agent);
    copy_text(row, request->source_ip);
    copy_text(row, request->is_admission ? "admission" : "audit");
    copy_text(row, request->level);
}

// Keeps a request that concerns workloads by something else than their uid, until it is known which
// those are. Texts are copied.
static void add_scoped(struct facts *facts, const struct request_row *row,
                       const struct fold_request *request)
{
    struct fold_arena *arena = &facts->touched.arena;
    facts->scoped = xgrow(facts->scoped, &facts->scoped_capacity, facts->scoped_count + 1,
                          sizeof(*facts->scoped));
    struct facts_scoped *scoped = &facts->scoped[facts->scoped_count++];
    *scoped = (struct facts_scoped){
        .cluster = fold_arena_text(arena, row->cluster),
        .resource = fold_arena_text(arena, row->resource),
        .namespace = row->namespace != NULL ? fold_arena_text(arena, row->namespace) : "",
        .name = fold_arena_text(arena, row->name),
        .request = *request,
    };
    memcpy(scoped->uid, row->uid, UUID_BYTES);
}

static void touch_object(struct facts *facts, const struct request_row *row,
                         const struct fold_request *request)
{
    char uid[37];
    uuid_format(row->uid, uid);
    struct touched_workload *workload =
        touched_get(&facts->touched, row->cluster, row->resource, uid);
    touched_add_request(&facts->touched, workload, request,
                        claimed_namespace(facts, workload, row->namespace));
    // Whoever deletes an object also causes the removal of what it owns.
    struct fold_request owner = *request;
    owner.role = ROLE_OWNER;
    fold_request_settle(&owner);
    if (fold_request_is_candidate(&owner))
        add_scoped(facts, row, &owner);
}

// A request is a fact in any case; it touches a belief only when the fold could use it.
// Dry runs, refused requests and status writes are many, and must cost no fold.
// The time of an audit event is the API server's; that of a review is the collector's own.
static bool take_request(struct facts *facts, const struct batch_event *event, bool is_admission,
                         struct error *err)
{
    struct request_row row;
    struct fold_request request;
    if (!read_request(event, is_admission, &row, err) ||
        !fold_request_from_event(event->data, is_admission, event->log_index, &facts->touched.arena,
                                 &request, err))
        return false;
    row.at = is_admission ? facts_by_clock(event, row.at) : facts_not_later(event, row.at);
    request.at = row.at;
    add_request_row(facts, event, &row);
    if (!fold_request_matters(&request))
        return true;
    if (request.role == ROLE_OBJECT)
        touch_object(facts, &row, &request);
    else if (request.role == ROLE_COLLECTION || row.name != NULL)
        add_scoped(facts, &row, &request);
    return true;
}

bool facts_take_request(struct facts *facts, const struct batch_event *event, struct error *err)
{
    return take_request(facts, event, false, err);
}

bool facts_take_review(struct facts *facts, const struct batch_event *event, struct error *err)
{
    return take_request(facts, event, true, err);
}
