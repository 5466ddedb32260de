// Folds facts from standard input as the store would, for property tests. Lines:
//   {"log_index":"7","type":"dev.modeltrail.workload.observed.v1","data":{...}}   a fact
//   {"batch":true}    ends a batch: what it touched is folded, from checkpoints where that is safe
//   {"print":true}    prints all rows as sorted JSON lines, then an empty line
// At the end the last batch is folded and all rows are printed. --full never uses checkpoints;
// --checkpoints prints those too. Counts of folds go to standard error.

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/event.h"
#include "common/json.h"
#include "common/json_scan.h"
#include "common/text.h"
#include "common/timestamp.h"
#include "store/fold.h"
#include "store/fold_checkpoint.h"

// One stored row: its table and key, the position by which it is replaced, and its line.
struct stored {
    char *key;
    int64_t position;
    char *line;
};

struct workload {
    const char *cluster;
    const char *resource;
    const char *namespace;
    const char *name;
    const char *uid;
    const char *owner_uid;
    bool is_observed;
    struct reading *readings;
    size_t reading_count;
    size_t reading_capacity;
    struct fold_request *requests;
    size_t request_count;
    size_t request_capacity;
    struct stored *rows;
    size_t row_count;
    size_t row_capacity;
    char *checkpoint;
    int64_t checkpoint_position;
    bool is_removed;
    bool is_emptied; // no row of the fold being stored can have a predecessor
    bool is_touched;
    bool needs_full;
};

struct listing {
    const char *cluster;
    const char *resource;
    const char *namespace; // NULL: the whole cluster
    const char *uid_from;
    const char *uid_to;
    const char **members;
    size_t member_count;
    struct fold_listing evidence;
};

// A request that concerns workloads by something else than their uid.
struct scoped {
    const char *cluster;
    const char *resource;
    const char *namespace;
    const char *name;
    const char *uid; // of an owner
    struct fold_request request;
};

struct driver {
    struct fold_arena arena;
    struct naming_rules rules;
    struct workload *workloads; // ascending by uid, cluster, resource
    size_t workload_count;
    size_t workload_capacity;
    struct listing *listings;
    size_t listing_count;
    size_t listing_capacity;
    struct scoped *scoped;
    size_t scoped_count;
    size_t scoped_capacity;
    int64_t batch_from;
    int64_t last_index;
    bool always_full;
    bool prints_checkpoints;
    size_t resumed;
    size_t full;
    size_t rejected;
};

__attribute__((noreturn)) static void die(const char *what, const char *why)
{
    fprintf(stderr, "fold_run: %s: %s\n", what, why);
    exit(2);
}

static int compare_workload(const struct workload *workload, const char *cluster,
                            const char *resource, const char *uid)
{
    int order = strcmp(workload->uid, uid);
    if (order == 0)
        order = strcmp(workload->cluster, cluster);
    return order != 0 ? order : strcmp(workload->resource, resource);
}

// The place of a workload in the sorted list; *found says whether it is there.
static size_t place_of(const struct driver *driver, const char *cluster, const char *resource,
                       const char *uid, bool *found)
{
    size_t low = 0;
    size_t high = driver->workload_count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_workload(&driver->workloads[middle], cluster, resource, uid);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// The workload that the data names; NULL when cluster, resource or uid is missing.
static struct workload *workload_of(struct driver *driver, const cJSON *data)
{
    const char *cluster = json_text(data, "cluster");
    const char *resource = json_text(data, "resource");
    const char *uid = json_text(data, "uid");
    if (cluster == NULL || resource == NULL || uid == NULL)
        return NULL;
    bool found;
    size_t place = place_of(driver, cluster, resource, uid, &found);
    if (!found) {
        driver->workloads = xgrow(driver->workloads, &driver->workload_capacity,
                                  driver->workload_count + 1, sizeof(*driver->workloads));
        memmove(driver->workloads + place + 1, driver->workloads + place,
                (driver->workload_count - place) * sizeof(*driver->workloads));
        driver->workload_count++;
        driver->workloads[place] = (struct workload){
            .cluster = fold_arena_text(&driver->arena, cluster),
            .resource = fold_arena_text(&driver->arena, resource),
            .uid = fold_arena_text(&driver->arena, uid),
        };
    }
    struct workload *workload = &driver->workloads[place];
    // A request may come first and need not know the object's name.
    if (workload->name == NULL && json_text(data, "name") != NULL) {
        workload->name = fold_arena_text(&driver->arena, json_text(data, "name"));
        workload->namespace = fold_arena_text(&driver->arena, json_text(data, "namespace"));
    }
    return workload;
}

static bool take_reading(struct driver *driver, const cJSON *data, int64_t log_index,
                         struct error *err)
{
    struct workload *workload = workload_of(driver, data);
    struct reading reading;
    if (workload == NULL)
        return fail(err, REACT_REJECT, "observation without cluster, resource or uid");
    if (!reading_from_event(data, log_index, &driver->arena, &reading, err))
        return false;
    // What the store reads back from its column must be the same facts.
    SCOPED_BUFFER detail = {0};
    reading_detail_print(&reading, &detail);
    if (!reading_detail_parse(detail.data, &driver->arena, &reading, err))
        return false;
    if (!workload->is_observed) {
        workload->is_observed = true;
        workload->owner_uid = fold_arena_text(&driver->arena, json_text(data, "owner_uid"));
    }
    workload->readings = xgrow(workload->readings, &workload->reading_capacity,
                               workload->reading_count + 1, sizeof(reading));
    workload->readings[workload->reading_count++] = reading;
    workload->is_touched = true;
    return true;
}

static void keep_scoped(struct driver *driver, const cJSON *data,
                        const struct fold_request *request)
{
    struct scoped scoped = {
        .cluster = fold_arena_text(&driver->arena, json_text(data, "cluster")),
        .resource = fold_arena_text(&driver->arena, json_text(data, "resource")),
        .namespace = fold_arena_text(&driver->arena, json_text(data, "namespace")),
        .name = fold_arena_text(&driver->arena, json_text(data, "name")),
        .uid = fold_arena_text(&driver->arena, json_text(data, "uid")),
        .request = *request,
    };
    driver->scoped = xgrow(driver->scoped, &driver->scoped_capacity, driver->scoped_count + 1,
                           sizeof(*driver->scoped));
    driver->scoped[driver->scoped_count++] = scoped;
}

// Whether the request concerns the workload (docs/fold.md 1).
static bool concerns(const struct scoped *scoped, const struct workload *workload)
{
    if (!workload->is_observed || !text_equal(scoped->cluster, workload->cluster))
        return false;
    bool same = text_equal(scoped->resource, workload->resource) &&
                text_equal(scoped->namespace, workload->namespace);
    switch (scoped->request.role) {
    case ROLE_NAME:
        return same && text_equal(scoped->name, workload->name);
    case ROLE_COLLECTION:
        return same;
    case ROLE_NAMESPACE:
        return text_equal(scoped->name, workload->namespace);
    case ROLE_OWNER:
        return workload->owner_uid != NULL && text_equal(scoped->uid, workload->owner_uid);
    case ROLE_OBJECT:
        break;
    }
    return false;
}

static bool take_request(struct driver *driver, const cJSON *data, bool is_admission,
                         int64_t log_index, struct error *err)
{
    struct fold_request request;
    if (!fold_request_from_event(data, is_admission, log_index, &driver->arena, &request, err))
        return false;
    if (!fold_request_matters(&request))
        return true;
    if (request.role != ROLE_OBJECT) {
        keep_scoped(driver, data, &request);
        return true;
    }
    struct fold_request owner = request;
    owner.role = ROLE_OWNER;
    fold_request_settle(&owner);
    if (fold_request_is_candidate(&owner))
        keep_scoped(driver, data, &owner);
    struct workload *workload = workload_of(driver, data);
    if (workload == NULL)
        return true;
    workload->requests = xgrow(workload->requests, &workload->request_capacity,
                               workload->request_count + 1, sizeof(request));
    workload->requests[workload->request_count++] = request;
    workload->is_touched = true;
    return true;
}

static bool has_member(const struct listing *listing, const char *uid)
{
    for (size_t i = 0; i < listing->member_count; i++) {
        if (strcmp(listing->members[i], uid) == 0)
            return true;
    }
    return false;
}

static bool covers(const struct listing *listing, const struct workload *workload)
{
    return strcmp(listing->cluster, workload->cluster) == 0 &&
           strcmp(listing->resource, workload->resource) == 0 &&
           (listing->namespace == NULL || text_equal(listing->namespace, workload->namespace)) &&
           (listing->uid_from == NULL || strcmp(listing->uid_from, workload->uid) <= 0) &&
           (listing->uid_to == NULL || strcmp(workload->uid, listing->uid_to) <= 0);
}

static bool take_listing(struct driver *driver, const cJSON *data, int64_t log_index,
                         struct error *err)
{
    const char *listed_at = json_text(data, "listed_at");
    struct listing listing = {
        .cluster = fold_arena_text(&driver->arena, json_text(data, "cluster")),
        .resource = fold_arena_text(&driver->arena, json_text(data, "resource")),
        .namespace = fold_arena_text(&driver->arena, json_text(data, "namespace")),
        .uid_from = fold_arena_text(&driver->arena, json_text(data, "uid_from")),
        .uid_to = fold_arena_text(&driver->arena, json_text(data, "uid_to")),
        .evidence = {.log_index = log_index, .has_selector = json_text(data, "selector") != NULL},
    };
    if (listing.cluster == NULL || listing.resource == NULL || listed_at == NULL ||
        !timestamp_parse(listed_at, &listing.evidence.listed_at) ||
        !json_int64(data, "position", &listing.evidence.position))
        return fail(err, REACT_REJECT, "listing without cluster, resource, position or listed_at");
    const cJSON *members = json_get(data, "members");
    listing.members = fold_arena_array(&driver->arena, (size_t)cJSON_GetArraySize(members),
                                       sizeof(*listing.members));
    for (const cJSON *item = members ? members->child : NULL; item; item = item->next) {
        if (cJSON_IsString(item))
            listing.members[listing.member_count++] =
                fold_arena_text(&driver->arena, item->valuestring);
    }
    driver->listings = xgrow(driver->listings, &driver->listing_capacity, driver->listing_count + 1,
                             sizeof(listing));
    driver->listings[driver->listing_count++] = listing;
    return true;
}

// What a new listing touches, as fold.h says. Workloads of the same batch count: so at its end.
static void touch_by_listing(struct driver *driver, const struct listing *listing)
{
    for (size_t i = 0; i < driver->workload_count; i++) {
        struct workload *workload = &driver->workloads[i];
        if (!covers(listing, workload))
            continue;
        if (!has_member(listing, workload->uid) || workload->is_removed) {
            workload->is_touched = true;
            workload->needs_full = true;
        }
    }
}

// A request by name is one of the object's; the others only matter to what is gone.
static void touch_by_request(struct driver *driver, const struct scoped *scoped)
{
    for (size_t i = 0; i < driver->workload_count; i++) {
        struct workload *workload = &driver->workloads[i];
        if (!concerns(scoped, workload))
            continue;
        if (scoped->request.role == ROLE_NAME || workload->is_removed)
            workload->is_touched = true;
    }
}

static void touch_all(struct driver *driver)
{
    for (size_t i = 0; i < driver->workload_count; i++) {
        driver->workloads[i].is_touched = true;
        driver->workloads[i].needs_full = true;
    }
}

static void take_fact(struct driver *driver, const cJSON *line)
{
    struct error err = {0};
    int64_t log_index;
    const char *type = json_text(line, "type");
    const cJSON *data = json_get(line, "data");
    if (type == NULL || !json_int64(line, "log_index", &log_index))
        die("line", "needs log_index and type");
    if (log_index <= driver->last_index)
        die("line", "log_index must rise");
    driver->last_index = log_index;
    bool taken = true;
    if (strcmp(type, TYPE_WORKLOAD_OBSERVED) == 0)
        taken = take_reading(driver, data, log_index, &err);
    else if (strcmp(type, TYPE_REQUEST_AUDITED) == 0)
        taken = take_request(driver, data, false, log_index, &err);
    else if (strcmp(type, TYPE_REQUEST_REVIEWED) == 0)
        taken = take_request(driver, data, true, log_index, &err);
    else if (strcmp(type, TYPE_SCOPE_LISTED) == 0)
        taken = take_listing(driver, data, log_index, &err);
    else if (strcmp(type, TYPE_CENTRAL_APPLIED) == 0 &&
             naming_rules_apply(&driver->rules, data, log_index))
        touch_all(driver);
    if (!taken) {
        driver->rejected++;
        fprintf(stderr, "fold_run: log_index %" PRId64 ": %s\n", log_index, err.text);
    }
}

// Printing rows.

static void put_text(struct buffer *out, const char *key, const char *text)
{
    buffer_printf(out, ",\"%s\":", key);
    if (text == NULL)
        buffer_append_text(out, "null");
    else
        buffer_append_json_string(out, text, strlen(text));
}

static void put_int(struct buffer *out, const char *key, int64_t value)
{
    if (value == FOLD_NONE)
        buffer_printf(out, ",\"%s\":null", key);
    else
        buffer_printf(out, ",\"%s\":%" PRId64, key, value);
}

static void put_share(struct buffer *out, const char *key, int64_t share)
{
    buffer_printf(out, ",\"%s\":", key);
    if (share == FOLD_NONE)
        buffer_append_text(out, "null");
    else
        fold_share_print(share, out);
}

static void put_instant(struct buffer *out, const char *key, int64_t at)
{
    char text[TIMESTAMP_TEXT];
    timestamp_format(at, text);
    put_text(out, key, at == FOLD_NONE ? NULL : text);
}

static void put_table(struct buffer *out, const char *table, const struct workload *workload)
{
    buffer_printf(out, "{\"table\":\"%s\"", table);
    put_text(out, "cluster", workload->cluster);
    put_text(out, "resource", workload->resource);
    put_text(out, "uid", workload->uid);
}

static void put_placement(struct buffer *out, const struct fold_placement *row)
{
    char key[DIGEST_HEX];
    hex_encode(row->row_key, DIGEST_BYTES, key);
    put_text(out, "row_key", key);
    put_int(out, "from_position", row->from_position);
    put_text(out, "placement_id", row->placement_id);
    put_text(out, "component", row->component);
    put_text(out, "model", row->model);
    put_text(out, "version", row->version);
    put_text(out, "artifact", row->artifact);
    put_text(out, "artifact_digest", row->artifact_digest);
    put_text(out, "identity_source", row->identity_source);
    put_text(out, "unknown_revision", row->unknown_revision);
    put_text(out, "role", row->role);
    put_share(out, "traffic_percent", row->traffic_percent);
    buffer_printf(out, ",\"stopped\":%s", row->stopped ? "true" : "false");
    put_text(out, "state", row->state);
    put_int(out, "replicas", row->replicas);
    put_text(out, "image", row->image);
    put_int(out, "to_position", row->to_position);
    put_instant(out, "valid_from", row->valid_from);
    put_instant(out, "valid_from_after", row->valid_from_after);
    put_instant(out, "valid_to", row->valid_to);
    put_instant(out, "valid_to_after", row->valid_to_after);
    put_int(out, "deployed_position", row->deployed_position);
    put_instant(out, "deployed_at", row->deployed_at);
    put_instant(out, "deployed_after", row->deployed_after);
    put_text(out, "time_source", row->time_source);
    put_instant(out, "ready_at", row->ready_at);
    put_int(out, "recorded_index", row->recorded_index);
    put_int(out, "revised_index", row->revised_index);
}

static void put_change(struct buffer *out, const struct fold_change *row)
{
    put_int(out, "position", row->position);
    put_text(out, "component", row->component);
    put_text(out, "change_id", row->change_id);
    put_text(out, "change_type", row->change_type);
    put_text(out, "reason", row->reason);
    put_instant(out, "happened_at", row->happened_at);
    put_instant(out, "happened_after", row->happened_after);
    put_text(out, "time_source", row->time_source);
    put_text(out, "from_model", row->from_model);
    put_text(out, "to_model", row->to_model);
    put_text(out, "from_version", row->from_version);
    put_text(out, "to_version", row->to_version);
    put_text(out, "from_artifact", row->from_artifact);
    put_text(out, "to_artifact", row->to_artifact);
    put_text(out, "role", row->role);
    put_share(out, "from_traffic_percent", row->from_traffic_percent);
    put_share(out, "to_traffic_percent", row->to_traffic_percent);
    put_int(out, "recorded_index", row->recorded_index);
    put_int(out, "revised_index", row->revised_index);
}

static void put_route(struct buffer *out, const struct fold_route *row)
{
    put_text(out, "target_kind", row->target_kind);
    put_text(out, "target", row->target);
    put_text(out, "role", row->role);
    put_int(out, "from_position", row->from_position);
    put_share(out, "percent", row->percent);
    put_instant(out, "valid_from", row->valid_from);
    put_instant(out, "valid_to", row->valid_to);
    put_int(out, "recorded_index", row->recorded_index);
    put_int(out, "revised_index", row->revised_index);
}

// Storing rows as the tables would.

static void drop_row(struct workload *workload, size_t index)
{
    free(workload->rows[index].key);
    free(workload->rows[index].line);
    workload->rows[index] = workload->rows[--workload->row_count];
}

static void store_row(struct workload *workload, char *key, int64_t position, struct buffer *line)
{
    buffer_append_char(line, '}');
    for (size_t i = 0; i < workload->row_count && !workload->is_emptied; i++) {
        if (strcmp(workload->rows[i].key, key) == 0) {
            drop_row(workload, i);
            break;
        }
    }
    workload->rows = xgrow(workload->rows, &workload->row_capacity, workload->row_count + 1,
                           sizeof(*workload->rows));
    workload->rows[workload->row_count++] =
        (struct stored){key, position, xstrndup(line->data, line->length)};
    buffer_clear(line);
}

static void store_placements(struct workload *workload, const struct fold_output *out)
{
    SCOPED_BUFFER line = {0};
    for (size_t i = 0; i < out->placement_count; i++) {
        const struct fold_placement *row = &out->placements[i];
        char hex[DIGEST_HEX];
        hex_encode(row->row_key, DIGEST_BYTES, hex);
        put_table(&line, "placement", workload);
        put_placement(&line, row);
        store_row(workload, xasprintf("p %s %" PRId64, hex, row->from_position), row->from_position,
                  &line);
    }
}

static void store_others(struct workload *workload, const struct fold_output *out)
{
    SCOPED_BUFFER line = {0};
    for (size_t i = 0; i < out->route_count; i++) {
        const struct fold_route *row = &out->routes[i];
        put_table(&line, "route", workload);
        put_route(&line, row);
        store_row(workload,
                  xasprintf("r %s\n%s\n%s\n%" PRId64, row->target_kind, row->target, row->role,
                            row->from_position),
                  row->from_position, &line);
    }
    for (size_t i = 0; i < out->change_count; i++) {
        const struct fold_change *row = &out->changes[i];
        put_table(&line, "change", workload);
        put_change(&line, row);
        store_row(workload, xasprintf("c %" PRId64 " %s", row->position, row->component),
                  row->position, &line);
    }
    for (size_t i = 0; i < out->attribution_count; i++) {
        const struct fold_attribution *row = &out->attributions[i];
        put_table(&line, "attribution", workload);
        put_int(&line, "position", row->position);
        put_int(&line, "request_index", row->request_index);
        put_text(&line, "strength", row->strength);
        store_row(workload, xasprintf("a %" PRId64 " %" PRId64, row->position, row->request_index),
                  row->position, &line);
    }
}

static void store_output(struct workload *workload, const struct fold_output *out)
{
    for (size_t i = workload->row_count; i > 0; i--) {
        if (workload->rows[i - 1].position >= out->replace_from)
            drop_row(workload, i - 1);
    }
    workload->is_emptied = out->replace_from == INT64_MIN;
    store_placements(workload, out);
    store_others(workload, out);
    free(workload->checkpoint);
    workload->checkpoint = out->checkpoint == NULL ? NULL : xstrdup(out->checkpoint);
    workload->checkpoint_position = out->checkpoint_position;
    workload->is_removed = out->is_removed;
}

// Folding.

// Whether a fold from this position on is given the request; the store asks in SQL.
static bool is_in_tail(const struct driver *driver, const struct fold_request *request,
                       int64_t from, struct fold_tail tail)
{
    return from == INT64_MIN || request->log_index >= driver->batch_from ||
           request->position >= from || request->generation > tail.generation ||
           (fold_request_is_windowed(request) && request->at >= tail.since);
}

// The facts of a workload; with `from` above INT64_MIN only what a resumed fold needs.
static struct fold_input input_of(const struct driver *driver, const struct workload *workload,
                                  int64_t from, struct fold_tail tail, struct fold_arena *arena)
{
    struct reading *readings = fold_arena_array(arena, workload->reading_count, sizeof(*readings));
    struct fold_listing *listings =
        fold_arena_array(arena, driver->listing_count, sizeof(*listings));
    struct fold_request *requests =
        fold_arena_array(arena, workload->request_count + driver->scoped_count, sizeof(*requests));
    struct fold_input in = {.cluster = workload->cluster,
                            .resource = workload->resource,
                            .uid = workload->uid,
                            .name = workload->name == NULL ? "" : workload->name,
                            .rules = &driver->rules,
                            .readings = readings,
                            .listings = listings,
                            .requests = requests,
                            .new_from = driver->batch_from};
    for (size_t i = 0; i < workload->reading_count; i++) {
        const struct reading *reading = &workload->readings[i];
        if (reading->position >= from || reading->log_index >= driver->batch_from)
            readings[in.reading_count++] = *reading;
    }
    for (size_t i = 0; i < driver->listing_count; i++) {
        const struct listing *listing = &driver->listings[i];
        if (!covers(listing, workload) ||
            (from > INT64_MIN && listing->evidence.log_index < driver->batch_from))
            continue;
        listings[in.listing_count] = listing->evidence;
        listings[in.listing_count++].has_member = has_member(listing, workload->uid);
    }
    for (size_t i = 0; i < workload->request_count; i++) {
        const struct fold_request *request = &workload->requests[i];
        if (is_in_tail(driver, request, from, tail))
            requests[in.request_count++] = *request;
    }
    for (size_t i = 0; i < driver->scoped_count; i++) {
        if (concerns(&driver->scoped[i], workload) &&
            is_in_tail(driver, &driver->scoped[i].request, from, tail))
            requests[in.request_count++] = driver->scoped[i].request;
    }
    return in;
}

static bool resume(struct driver *driver, struct workload *workload)
{
    if (driver->always_full || workload->needs_full || workload->checkpoint == NULL)
        return false;
    SCOPED_FOLD_ARENA arena = {0};
    struct fold_input in = input_of(driver, workload, workload->checkpoint_position,
                                    fold_checkpoint_tail(workload->checkpoint), &arena);
    SCOPED_FOLD_OUTPUT out = {0};
    bool needs_full = false;
    struct error err = {0};
    if (!fold_resume(workload->checkpoint, &in, &out, &needs_full, &err)) {
        if (!needs_full)
            die("resume", err.text);
        return false;
    }
    driver->resumed++;
    store_output(workload, &out);
    return true;
}

static void fold_workload(struct driver *driver, struct workload *workload)
{
    if (!resume(driver, workload)) {
        SCOPED_FOLD_ARENA arena = {0};
        struct fold_tail none = {FOLD_NONE, FOLD_NONE};
        struct fold_input in = input_of(driver, workload, INT64_MIN, none, &arena);
        SCOPED_FOLD_OUTPUT out = {0};
        fold_run(&in, &out);
        driver->full++;
        store_output(workload, &out);
    }
    workload->is_touched = false;
    workload->needs_full = false;
}

static void end_batch(struct driver *driver)
{
    for (size_t i = 0; i < driver->listing_count; i++) {
        if (driver->listings[i].evidence.log_index >= driver->batch_from)
            touch_by_listing(driver, &driver->listings[i]);
    }
    for (size_t i = 0; i < driver->scoped_count; i++) {
        if (driver->scoped[i].request.log_index >= driver->batch_from)
            touch_by_request(driver, &driver->scoped[i]);
    }
    for (size_t i = 0; i < driver->workload_count; i++) {
        if (driver->workloads[i].is_touched)
            fold_workload(driver, &driver->workloads[i]);
    }
    driver->batch_from = driver->last_index + 1;
}

static int compare_lines(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void print_checkpoints(const struct driver *driver)
{
    for (size_t i = 0; i < driver->workload_count; i++) {
        const struct workload *workload = &driver->workloads[i];
        if (workload->checkpoint == NULL)
            continue;
        SCOPED_BUFFER line = {0};
        put_table(&line, "checkpoint", workload);
        put_int(&line, "position", workload->checkpoint_position);
        printf("%s,\"content\":%s}\n", line.data, workload->checkpoint);
    }
}

static void print_rows(const struct driver *driver)
{
    const char **lines = NULL;
    size_t capacity = 0;
    size_t count = 0;
    for (size_t i = 0; i < driver->workload_count; i++) {
        for (size_t j = 0; j < driver->workloads[i].row_count; j++) {
            lines = xgrow(lines, &capacity, count + 1, sizeof(*lines));
            lines[count++] = driver->workloads[i].rows[j].line;
        }
    }
    if (count > 0)
        qsort(lines, count, sizeof(*lines), compare_lines);
    for (size_t i = 0; i < count; i++)
        puts(lines[i]);
    free(lines);
    if (driver->prints_checkpoints)
        print_checkpoints(driver);
}

static void take_line(struct driver *driver, const char *text, size_t length)
{
    struct error err = {0};
    SCOPED(cJSON_Delete) cJSON *line = json_parse(text, length, JSON_MAX_DEPTH, &err);
    if (line == NULL)
        die("line", err.text);
    if (json_bool(line, "batch", false)) {
        end_batch(driver);
    } else if (json_bool(line, "print", false)) {
        end_batch(driver);
        print_rows(driver);
        puts("");
    } else {
        take_fact(driver, line);
    }
}

static void driver_reset(struct driver *driver)
{
    for (size_t i = 0; i < driver->workload_count; i++) {
        struct workload *workload = &driver->workloads[i];
        while (workload->row_count > 0)
            drop_row(workload, workload->row_count - 1);
        free(workload->rows);
        free(workload->readings);
        free(workload->requests);
        free(workload->checkpoint);
    }
    free(driver->workloads);
    free(driver->listings);
    free(driver->scoped);
    naming_rules_reset(&driver->rules);
    fold_arena_reset(&driver->arena);
}

int main(int argc, char **argv)
{
    struct driver driver = {0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--full") == 0)
            driver.always_full = true;
        else if (strcmp(argv[i], "--checkpoints") == 0)
            driver.prints_checkpoints = true;
        else
            die(argv[i], "no such option");
    }
    char *line = NULL;
    size_t room = 0;
    for (ssize_t got; (got = getline(&line, &room, stdin)) > 0;) {
        if (line[got - 1] == '\n')
            got--;
        if (got > 0)
            take_line(&driver, line, (size_t)got);
    }
    free(line);
    end_batch(&driver);
    print_rows(&driver);
    fprintf(stderr, "fold_run: resumed=%zu full=%zu rejected=%zu\n", driver.resumed, driver.full,
            driver.rejected);
    driver_reset(&driver);
    return 0;
}
