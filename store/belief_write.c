// What the folds change in the tables: deletions by arrays of keys, then COPY.
// Deleting and adding again instead of updating: a fold says which rows there are, not how they
// came about.

#include <stdlib.h>
#include <string.h>

#include "store/belief.h"

// The key of a workload and a position, as one element of each array.
static void key_add(struct belief_key *key, const struct touched_workload *workload,
                    int64_t position)
{
    sql_array_text(&key->cluster, workload->cluster);
    sql_array_text(&key->resource, workload->resource);
    sql_array_uuid(&key->uid, workload->uuid);
    // INT64_MIN means "all rows" to the fold, but NULL in an array.
    sql_array_int64(&key->position, position > INT64_MIN ? position : INT64_MIN + 1);
    key->count++;
}

static void key_reset(struct belief_key *key)
{
    sql_array_reset(&key->cluster);
    sql_array_reset(&key->resource);
    sql_array_reset(&key->uid);
    sql_array_reset(&key->position);
    for (size_t i = 0; i < 3; i++)
        sql_array_reset(&key->extra[i]);
}

static void copy_key(struct copy *row, const struct touched_workload *workload)
{
    copy_text(row, workload->cluster);
    copy_text(row, workload->resource);
    copy_uuid(row, workload->uuid);
}

// A known value fits: the reader of facts made others unknown (docs/fold.md 1).
static void copy_optional_int32(struct copy *row, int64_t value)
{
    if (value == FOLD_NONE)
        copy_null(row);
    else
        copy_int32(row, (int32_t)value);
}

// Order and types of these rows are those of the column lists in put_rows: binary COPY checks the
// count alone. A row that lies before replace_from is there already in another form, and goes by
// its key; the others went with their range.
static void add_placement(struct belief_delta *delta, const struct touched_workload *workload,
                          const struct fold_placement *placement, int64_t replace_from)
{
    struct copy *row = &delta->placement;
    copy_row(row, 31);
    copy_key(row, workload);
    copy_bytes(row, placement->row_key, DIGEST_BYTES);
    copy_int64(row, placement->from_position);
    copy_text(row, placement->placement_id);
    copy_text(row, placement->component);
    copy_text(row, placement->model);
    copy_text(row, placement->version);
    copy_text(row, placement->artifact);
    copy_text(row, placement->artifact_digest);
    copy_text(row, placement->identity_source);
    copy_text(row, placement->unknown_revision);
    copy_text(row, placement->role);
    copy_millionths(row, placement->traffic_percent);
    copy_bool(row, placement->stopped);
    copy_text(row, placement->state);
    copy_optional_int32(row, placement->replicas);
    copy_text(row, placement->image);
    copy_optional_int64(row, placement->to_position);
    copy_time(row, placement->valid_from);
    copy_time(row, placement->valid_from_after);
    copy_time(row, placement->valid_to);
    copy_time(row, placement->valid_to_after);
    copy_int64(row, placement->deployed_position);
    copy_time(row, placement->deployed_at);
    copy_time(row, placement->deployed_after);
    copy_text(row, placement->time_source);
    copy_time(row, placement->ready_at);
    copy_int64(row, placement->recorded_index);
    copy_int64(row, placement->revised_index);
    if (placement->from_position >= replace_from)
        return;
    // A key that is not there yet deletes nothing: new rows below replace_from are given this way
    // too.
    key_add(&delta->placement_keys, workload, placement->from_position);
    sql_array_bytes(&delta->placement_keys.extra[0], placement->row_key, DIGEST_BYTES);
}

static void add_route(struct belief_delta *delta, const struct touched_workload *workload,
                      const struct fold_route *route, int64_t replace_from)
{
    struct copy *row = &delta->route;
    copy_row(row, 12);
    copy_key(row, workload);
    copy_text(row, route->target_kind);
    copy_text(row, route->target);
    copy_text(row, route->role);
    copy_int64(row, route->from_position);
    copy_millionths(row, route->percent);
    copy_time(row, route->valid_from);
    copy_time(row, route->valid_to);
    copy_int64(row, route->recorded_index);
    copy_int64(row, route->revised_index);
    if (route->from_position >= replace_from)
        return;
    key_add(&delta->route_keys, workload, route->from_position);
    sql_array_text(&delta->route_keys.extra[0], route->target_kind);
    sql_array_text(&delta->route_keys.extra[1], route->target);
    sql_array_text(&delta->route_keys.extra[2], route->role);
}

// Changes below replace_from come again when a late request or time moved them.
static void add_change(struct belief_delta *delta, const struct touched_workload *workload,
                       const struct fold_change *change, int64_t replace_from)
{
    struct copy *row = &delta->change;
    copy_row(row, 22);
    copy_key(row, workload);
    copy_int64(row, change->position);
    copy_text(row, change->component);
    copy_text(row, change->change_id);
    copy_text(row, change->change_type);
    copy_text(row, change->reason);
    copy_time(row, change->happened_at);
    copy_time(row, change->happened_after);
    copy_text(row, change->time_source);
    copy_text(row, change->from_model);
    copy_text(row, change->to_model);
    copy_text(row, change->from_version);
    copy_text(row, change->to_version);
    copy_text(row, change->from_artifact);
    copy_text(row, change->to_artifact);
    copy_text(row, change->role);
    copy_millionths(row, change->from_traffic_percent);
    copy_millionths(row, change->to_traffic_percent);
    copy_int64(row, change->recorded_index);
    copy_int64(row, change->revised_index);
    if (change->position >= replace_from)
        return;
    key_add(&delta->change_keys, workload, change->position);
    sql_array_text(&delta->change_keys.extra[0], change->component);
}

static void add_attribution(struct belief_delta *delta, const struct touched_workload *workload,
                            const struct fold_attribution *attribution, int64_t replace_from)
{
    struct copy *row = &delta->attribution;
    copy_row(row, 6);
    copy_key(row, workload);
    copy_int64(row, attribution->position);
    copy_int64(row, attribution->request_index);
    copy_text(row, attribution->strength);
    if (attribution->position >= replace_from)
        return;
    key_add(&delta->attribution_keys, workload, attribution->position);
    sql_array_int64(&delta->attribution_keys.extra[0], attribution->request_index);
}

// INT64_MAX: no stored row goes. No checkpoint: the workload is removed, and going on from it must
// not be tried (docs/fold.md 8).
void belief_delta_add(struct belief_delta *delta, const struct touched_workload *workload,
                      const struct fold_output *out)
{
    if (out->replace_from != INT64_MAX)
        key_add(&delta->ranges, workload, out->replace_from);
    for (size_t i = 0; i < out->placement_count; i++)
        add_placement(delta, workload, &out->placements[i], out->replace_from);
    for (size_t i = 0; i < out->route_count; i++)
        add_route(delta, workload, &out->routes[i], out->replace_from);
    for (size_t i = 0; i < out->change_count; i++)
        add_change(delta, workload, &out->changes[i], out->replace_from);
    for (size_t i = 0; i < out->attribution_count; i++)
        add_attribution(delta, workload, &out->attributions[i], out->replace_from);
    if (out->checkpoint == NULL) {
        key_add(&delta->checkpoint_ends, workload, 0);
        return;
    }
    // Repeats leave it as it is.
    if (workload->checkpoint != NULL && strcmp(workload->checkpoint, out->checkpoint) == 0)
        return;
    key_add(&delta->checkpoints, workload, out->checkpoint_position);
    sql_array_text(&delta->checkpoints.extra[0], out->checkpoint);
}

// The log comes with each key, not as a constant (belief_load.c says why).
#define KEYS(types, names)                                                                         \
    " t USING (SELECT 1::smallint AS log, k.* FROM unnest($1::text[], $2::text[], $3::uuid[],"     \
    " $4::bigint[]" types ") k(cluster, resource, uid, position" names ") OFFSET 0) k"             \
    " WHERE t.log = k.log AND t.cluster = k.cluster AND t.resource = k.resource"                   \
    " AND t.uid = k.uid"
#define RANGE_SQL(table, column)                                                                   \
    "DELETE FROM modeltrail." table KEYS("", "") " AND t." column " >= k.position"

// Runs a statement with the key's arrays and the first `extras` of its extra ones.
// Most rounds have nothing for most tables; an empty array would cost a round trip each.
static bool run_key(struct database *db, const char *sql, struct belief_key *key, int extras,
                    struct error *err)
{
    if (key->count == 0)
        return true;
    struct sql_params params = {0};
    sql_params_array(&params, &key->cluster);
    sql_params_array(&params, &key->resource);
    sql_params_array(&params, &key->uid);
    sql_params_array(&params, &key->position);
    for (int i = 0; i < extras; i++)
        sql_params_array(&params, &key->extra[i]);
    return sql_params_query(db, sql, &params, NULL, err);
}

// Rows from a position on go first: the fold gives those that take their place.
static bool delete_ranges(struct database *db, struct belief_key *ranges, struct error *err)
{
    return run_key(db, RANGE_SQL("placement", "from_position"), ranges, 0, err) &&
           run_key(db, RANGE_SQL("route", "from_position"), ranges, 0, err) &&
           run_key(db, RANGE_SQL("change", "position"), ranges, 0, err) &&
           run_key(db, RANGE_SQL("attribution", "position"), ranges, 0, err);
}

// Rows before that position which are given again, such as one that is now closed.
static bool delete_rows(struct database *db, struct belief_delta *delta, struct error *err)
{
    return run_key(db,
                   "DELETE FROM modeltrail.placement" KEYS(
                       ", $5::bytea[]",
                       ", row_key") " AND t.row_key = k.row_key AND t.from_position = k.position",
                   &delta->placement_keys, 1, err) &&
           run_key(db,
                   "DELETE FROM modeltrail.route" KEYS(
                       ", $5::text[], $6::text[], $7::text[]",
                       ", target_kind, target, role") " AND t.target_kind = k.target_kind AND "
                                                      "t.target = k.target"
                                                      " AND t.role = k.role AND t.from_position = "
                                                      "k.position",
                   &delta->route_keys, 3, err) &&
           run_key(db,
                   "DELETE FROM modeltrail.change" KEYS(
                       ", $5::text[]",
                       ", component") " AND t.position = k.position AND t.component = k.component",
                   &delta->change_keys, 1, err) &&
           run_key(db,
                   "DELETE FROM modeltrail.attribution" KEYS(
                       ", $5::bigint[]", ", request_index") " AND t.position = k.position AND "
                                                            "t.request_index = k.request_index",
                   &delta->attribution_keys, 1, err);
}

// Column by column as the functions above write them. Columns that are not named have defaults (log
// is 1).
static bool put_rows(struct database *db, struct belief_delta *delta, struct error *err)
{
    return copy_send(db,
                     "modeltrail.placement (cluster, resource, uid, row_key, from_position,"
                     " placement_id, component, model, version, artifact, artifact_digest,"
                     " identity_source, unknown_revision, role, traffic_percent, stopped, state,"
                     " replicas, image, to_position, valid_from, valid_from_after, valid_to,"
                     " valid_to_after, deployed_position, deployed_at, deployed_after, time_source,"
                     " ready_at, recorded_index, revised_index)",
                     &delta->placement, err) &&
           copy_send(
               db,
               "modeltrail.route (cluster, resource, uid, target_kind, target, role,"
               " from_position, percent, valid_from, valid_to, recorded_index, revised_index)",
               &delta->route, err) &&
           copy_send(db,
                     "modeltrail.change (cluster, resource, uid, position, component, change_id,"
                     " change_type, reason, happened_at, happened_after, time_source, from_model,"
                     " to_model, from_version, to_version, from_artifact, to_artifact, role,"
                     " from_traffic_percent, to_traffic_percent, recorded_index, revised_index)",
                     &delta->change, err) &&
           copy_send(db,
                     "modeltrail.attribution (cluster, resource, uid, position, request_index,"
                     " strength)",
                     &delta->attribution, err);
}

// Updated in place: no column of an index changes, so these updates stay on their page (HOT).
static bool put_checkpoints(struct database *db, struct belief_delta *delta, struct error *err)
{
    return run_key(db,
                   "INSERT INTO modeltrail.checkpoint (cluster, resource, uid, position, content)"
                   " SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::bigint[],"
                   " $5::text[]) ON CONFLICT (log, cluster, resource, uid) DO UPDATE"
                   " SET position = excluded.position, content = excluded.content",
                   &delta->checkpoints, 1, err) &&
           run_key(db, "DELETE FROM modeltrail.checkpoint" KEYS("", ""), &delta->checkpoint_ends, 0,
                   err);
}

// Deletions before rows: the rows that come have the keys of some that go.
bool belief_delta_send(struct belief_delta *delta, struct database *db, struct error *err)
{
    return delete_ranges(db, &delta->ranges, err) && delete_rows(db, delta, err) &&
           put_rows(db, delta, err) && put_checkpoints(db, delta, err);
}

// A key or copy that is added to the struct must be named here, or it leaks a batch at a time.
void belief_delta_reset(struct belief_delta *delta)
{
    struct belief_key *const keys[] = {
        &delta->ranges,          &delta->placement_keys,   &delta->route_keys,
        &delta->change_keys,     &delta->attribution_keys, &delta->checkpoints,
        &delta->checkpoint_ends,
    };
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
        key_reset(keys[i]);
    copy_reset(&delta->placement);
    copy_reset(&delta->route);
    copy_reset(&delta->change);
    copy_reset(&delta->attribution);
}
