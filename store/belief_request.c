// Which workloads the requests of a batch concern that do not name their uid: by name, as part of a
// collection or a namespace, or through their owner.

#include <stdlib.h>
#include <string.h>

#include "store/belief.h"

// A workload is concerned while it lives (it has a checkpoint) by requests of its name alone, since
// the others only tell who removed it. One that is gone keeps its rows unless the request may stand
// behind one of its changes: those by name and of collections were received before a change ended,
// give or take what clocks differ by (docs/fold.md 5).
// OFFSET 0 keeps the planner from flattening the list into the joins: it is looked at once, and the
// indexes are entered from it.
#define LOG_KEYS                                                                                   \
    "(SELECT 1::smallint AS log, k.number, k.cluster, k.resource, k.namespace, k.name, k.uid,"     \
    " '1970-01-01Z'::timestamptz + (k.at - 2000000) * interval '1 us' AS since"                    \
    " FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[],"       \
    " $7::bigint[]) k(number, cluster, resource, namespace, name, uid, at) OFFSET 0) k"
#define SAME(table, other)                                                                         \
    table ".log = " other ".log AND " table ".cluster = " other ".cluster AND " table              \
          ".resource = " other ".resource AND " table ".uid = " other ".uid"
#define LIVES "EXISTS (SELECT FROM modeltrail.checkpoint c WHERE " SAME("c", "w") ")"
#define CHANGED_SINCE                                                                              \
    "EXISTS (SELECT FROM modeltrail.change h WHERE " SAME("h", "w") " AND h.happened_at >= "       \
                                                                    "k.since)"
#define CONCERNED                                                                                  \
    "SELECT k.number, w.cluster, w.resource, w.uid FROM " LOG_KEYS                                 \
    " JOIN modeltrail.workload w ON w.log = k.log AND w.cluster = k.cluster"

static const char *const concerned_sql[] = {
    [ROLE_NAME] = CONCERNED " AND w.resource = k.resource AND w.namespace = k.namespace"
                            " AND w.name = k.name WHERE " LIVES " OR " CHANGED_SINCE,
    [ROLE_COLLECTION] = CONCERNED " AND w.resource = k.resource AND w.namespace = k.namespace"
                                  " WHERE NOT " LIVES " AND " CHANGED_SINCE,
    [ROLE_NAMESPACE] = CONCERNED " AND w.namespace = k.name WHERE NOT " LIVES,
    [ROLE_OWNER] = CONCERNED " AND w.owner_uid = k.uid WHERE NOT " LIVES,
};

// The requests of one role as parameters.
struct request_keys {
    struct sql_array number;
    struct sql_array cluster;
    struct sql_array resource;
    struct sql_array namespace;
    struct sql_array name;
    struct sql_array uid;
    struct sql_array at;
};

static void request_keys_reset(struct request_keys *keys)
{
    sql_array_reset(&keys->number);
    sql_array_reset(&keys->cluster);
    sql_array_reset(&keys->resource);
    sql_array_reset(&keys->namespace);
    sql_array_reset(&keys->name);
    sql_array_reset(&keys->uid);
    sql_array_reset(&keys->at);
}
#define SCOPED_REQUEST_KEYS __attribute__((cleanup(request_keys_reset))) struct request_keys

static void keys_add(struct request_keys *keys, const struct facts_scoped *scoped, size_t number)
{
    sql_array_int64(&keys->number, (int64_t)number);
    sql_array_text(&keys->cluster, scoped->cluster);
    sql_array_text(&keys->resource, scoped->resource);
    sql_array_text(&keys->namespace, scoped->namespace);
    sql_array_text(&keys->name, scoped->name);
    sql_array_uuid(&keys->uid, scoped->uid);
    sql_array_int64(&keys->at, scoped->request.at);
}

static bool query(struct database *db, enum request_role role, struct request_keys *keys,
                  PGresult **out, struct error *err)
{
    struct sql_params params = {0};
    sql_params_array(&params, &keys->number);
    sql_params_array(&params, &keys->cluster);
    sql_params_array(&params, &keys->resource);
    sql_params_array(&params, &keys->namespace);
    sql_params_array(&params, &keys->name);
    sql_params_array(&params, &keys->uid);
    sql_params_array(&params, &keys->at);
    return sql_params_query(db, concerned_sql[role], &params, out, err);
}

// A request by name is one of the workload's own from here on, so that it may go on from its
// checkpoint. What the others cause is found with all facts.
static void touch(const struct facts *facts, struct touched *touched, const PGresult *rows, int row)
{
    size_t number = (size_t)strtoull(PQgetvalue(rows, row, 0), NULL, 10);
    const struct facts_scoped *scoped = &facts->scoped[number];
    struct touched_workload *workload = touched_get(
        touched, PQgetvalue(rows, row, 1), PQgetvalue(rows, row, 2), PQgetvalue(rows, row, 3));
    if (scoped->request.role == ROLE_NAME)
        touched_add_request(touched, workload, &scoped->request, scoped->namespace);
    else
        workload->needs_full = true;
}

static bool touch_role(struct database *db, enum request_role role, const struct facts *facts,
                       struct touched *touched, struct error *err)
{
    SCOPED_REQUEST_KEYS keys = {0};
    SCOPED(PQclear) PGresult *rows = NULL;
    for (size_t i = 0; i < facts->scoped_count; i++) {
        if (facts->scoped[i].request.role == role)
            keys_add(&keys, &facts->scoped[i], i);
    }
    if (keys.number.count == 0)
        return true;
    if (!query(db, role, &keys, &rows, err))
        return fail_in(err, "requests without a uid");
    for (int i = 0; i < PQntuples(rows); i++)
        touch(facts, touched, rows, i);
    return true;
}

bool belief_touch_requests(struct database *db, const struct facts *facts, struct touched *touched,
                           struct error *err)
{
    return touch_role(db, ROLE_NAME, facts, touched, err) &&
           touch_role(db, ROLE_COLLECTION, facts, touched, err) &&
           touch_role(db, ROLE_NAMESPACE, facts, touched, err) &&
           touch_role(db, ROLE_OWNER, facts, touched, err);
}
