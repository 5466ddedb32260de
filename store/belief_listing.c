// Which workloads the listings of a batch concern. A listing is sent every half hour with thousands
// of members and changes the belief in hardly any of them; SQL finds those few.

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/belief.h"

// `fresh` are the batch's listings, `member` their members. A workload has a checkpoint as long as
// it is believed to live, with rows or without (pipelines, servers). It is concerned
// - as absent: covered, lacked, last observed below the listing, not deleted, and either believed
//   to live, or believed to be gone since a listing at a higher position;
// - as present: believed to be gone, though no watch saw it go.
// Hash joins, which the batch's other statements must not use, are right here: one side is a whole
// scope.
static const char concerned_sql[] =
    "WITH fresh AS MATERIALIZED ("
    "  SELECT l.* FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])"
    "    k(cluster, resource, namespace, log_index)"
    "  JOIN modeltrail.listing l ON l.log = 1 AND l.cluster = k.cluster AND l.resource = k.resource"
    "    AND l.namespace = k.namespace AND l.log_index = k.log_index),"
    " member AS MATERIALIZED ("
    "  SELECT f.cluster, f.resource, f.log_index, m.uid FROM fresh f, unnest(f.members) m(uid)),"
    " absent AS ("
    "  SELECT w.cluster, w.resource, w.uid, f.position FROM fresh f"
    "  JOIN modeltrail.workload w ON w.log = 1 AND w.cluster = f.cluster"
    "    AND w.resource = f.resource AND f.namespace IN ('', w.namespace)"
    "  LEFT JOIN member m ON m.log_index = f.log_index AND m.uid = w.uid"
    "  WHERE f.selector IS NULL AND m.uid IS NULL"
    "    AND (f.uid_from IS NULL OR f.uid_from <= w.uid)"
    "    AND (f.uid_to IS NULL OR f.uid_to >= w.uid)),"
    " lives AS ("
    "  SELECT a.* FROM absent a"
    "  WHERE (SELECT s.position FROM modeltrail.state s WHERE s.log = 1 AND s.cluster = a.cluster"
    "           AND s.resource = a.resource AND s.uid = a.uid"
    "         ORDER BY s.position DESC LIMIT 1) < a.position),"
    " believed AS ("
    "  SELECT c.cluster, c.resource, c.uid, c.position, c.is_absent,"
    "    EXISTS (SELECT FROM modeltrail.checkpoint p WHERE p.log = 1 AND p.cluster = c.cluster"
    "              AND p.resource = c.resource AND p.uid = c.uid) AS is_alive,"
    "    EXISTS (SELECT FROM modeltrail.placement p WHERE p.log = 1 AND p.cluster = c.cluster"
    "              AND p.resource = c.resource AND p.uid = c.uid)"
    "    OR EXISTS (SELECT FROM modeltrail.route r WHERE r.log = 1 AND r.cluster = c.cluster"
    "              AND r.resource = c.resource AND r.uid = c.uid) AS has_rows,"
    "    (SELECT min(h.position) FROM modeltrail.change h WHERE h.log = 1 AND h.cluster = c.cluster"
    "       AND h.resource = c.resource AND h.uid = c.uid AND h.reason = 'inferred') AS gone_since"
    "  FROM (SELECT cluster, resource, uid, position, true AS is_absent FROM lives"
    "        UNION ALL SELECT cluster, resource, uid, NULL, false FROM member) c)"
    " SELECT DISTINCT b.cluster, b.resource, b.uid FROM believed b"
    " WHERE CASE WHEN b.is_absent THEN b.is_alive"
    "              OR (b.has_rows AND (b.gone_since IS NULL OR b.gone_since > b.position))"
    "            ELSE NOT b.is_alive AND EXISTS (SELECT FROM modeltrail.workload w WHERE w.log = 1"
    "              AND w.cluster = b.cluster AND w.resource = b.resource AND w.uid = b.uid) END"
    "   AND NOT EXISTS (SELECT FROM modeltrail.state s WHERE s.log = 1 AND s.cluster = b.cluster"
    "              AND s.resource = b.resource AND s.uid = b.uid AND s.removed)";

// A workload with new facts of its own may be in doubt together with a listing of the same batch:
// the checkpoint knows neither.
// Coarse, by cluster and resource alone: listings are rare, and a full fold is always right.
static void mark_listed_full(const struct facts *facts, struct touched *touched)
{
    for (size_t i = 0; i < touched->count; i++) {
        struct touched_workload *workload = touched->items[i];
        for (size_t j = 0; j < facts->listing_count && !workload->needs_full; j++)
            workload->needs_full = strcmp(facts->listings[j].cluster, workload->cluster) == 0 &&
                                   strcmp(facts->listings[j].resource, workload->resource) == 0;
    }
}

// The listings are named by their keys and read back: their rows, with thousands of members, were
// sent already and are not sent twice.
static bool query_concerned(struct database *db, const struct facts *facts, PGresult **out,
                            struct error *err)
{
    SCOPED_SQL_ARRAY cluster = {0};
    SCOPED_SQL_ARRAY resource = {0};
    SCOPED_SQL_ARRAY namespace = {0};
    SCOPED_SQL_ARRAY log_index = {0};
    for (size_t i = 0; i < facts->listing_count; i++) {
        sql_array_text(&cluster, facts->listings[i].cluster);
        sql_array_text(&resource, facts->listings[i].resource);
        sql_array_text(&namespace, facts->listings[i].namespace);
        sql_array_int64(&log_index, facts->listings[i].log_index);
    }
    struct sql_params params = {0};
    sql_params_array(&params, &cluster);
    sql_params_array(&params, &resource);
    sql_params_array(&params, &namespace);
    sql_params_array(&params, &log_index);
    // After a failure the transaction is over, and the setting with it.
    return database_execute(db, "SET LOCAL enable_hashjoin = on", err) &&
           sql_params_query(db, concerned_sql, &params, out, err) &&
           database_execute(db, "SET LOCAL enable_hashjoin = off", err);
}

// In full, since a checkpoint knows nothing of listings: they are rare, and what they find is
// rarer.
bool belief_touch_listings(struct database *db, const struct facts *facts, struct touched *touched,
                           struct error *err)
{
    SCOPED(PQclear) PGresult *result = NULL;
    if (facts->listing_count == 0)
        return true;
    mark_listed_full(facts, touched);
    if (!query_concerned(db, facts, &result, err))
        return fail_in(err, "listings");
    for (int i = 0; i < PQntuples(result); i++)
        touched_get(touched, PQgetvalue(result, i, 0), PQgetvalue(result, i, 1),
                    PQgetvalue(result, i, 2))
            ->needs_full = true;
    return true;
}
