// Reading checkpoints and facts of many workloads at once: keys go in as arrays, rows come back
// with the number of their job.
// Two ways to read: the tail that fold_resume needs, and everything for fold_run. What the loaded
// texts point into is the jobs' arena.

#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "common/timestamp.h"
#include "store/belief.h"
#include "store/fold_checkpoint.h"

// The keys of some jobs as parameters of unnest(...) AS k(job, cluster, resource, uid, ...).
struct job_keys {
    struct sql_array job;
    struct sql_array cluster;
    struct sql_array resource;
    struct sql_array uid;
    struct sql_array position;
    struct sql_array generation;
    struct sql_array since;
    size_t count;
};

// The log comes with each key instead of standing in the condition: of a table that grew since it
// was last analysed the planner would take `log = 1` for a rare find, and walk all of it for every
// key.
#define KEYS_SQL                                                                                   \
    "(SELECT 1::smallint AS log, k.* FROM unnest($1::bigint[], $2::text[], $3::text[],"            \
    " $4::uuid[]) k(job, cluster, resource, uid) OFFSET 0) k"
#define TAIL_KEYS_SQL                                                                              \
    "(SELECT 1::smallint AS log, k.* FROM unnest($1::bigint[], $2::text[], $3::text[],"            \
    " $4::uuid[], $5::bigint[], $6::bigint[], $7::bigint[])"                                       \
    " k(job, cluster, resource, uid, position, generation, since) OFFSET 0) k"
#define SAME_KEY(table)                                                                            \
    table ".log = k.log AND " table ".cluster = k.cluster AND " table                              \
          ".resource = k.resource AND " table ".uid = k.uid"

// Word for word the predicates of the partial indexes of table request; fold_request_matters says
// why.
#define REQUEST_ACCEPTED                                                                           \
    "NOT r.dry_run AND (r.code < 300 OR (r.code IS NULL AND r.evidence = 'admission'))"
#define REQUEST_WRITES                                                                             \
    "coalesce(r.subresource, 'scale') IN ('', 'scale')"                                            \
    " AND r.verb IN ('create', 'update', 'patch', 'delete')"
#define REQUEST_MATTERS REQUEST_ACCEPTED " AND (r.removes OR (" REQUEST_WRITES "))"
#define REQUEST_WINDOWED "r.position IS NULL AND (r.generation IS NULL OR r.subresource = 'scale')"
#define REQUEST_NAMED "r.uid IS NULL AND " REQUEST_ACCEPTED " AND " REQUEST_WRITES
#define REQUEST_COLLECTION "r.uid IS NULL AND r.verb = 'deletecollection' AND " REQUEST_ACCEPTED
#define REQUEST_NAMESPACE                                                                          \
    "r.resource = 'namespaces' AND r.verb = 'delete' AND coalesce(r.subresource, '') = '' "        \
    "AND " REQUEST_ACCEPTED
#define REQUEST_DELETE                                                                             \
    "r.verb = 'delete' AND coalesce(r.subresource, '') = '' AND " REQUEST_ACCEPTED

static void keys_reset(struct job_keys *keys)
{
    sql_array_reset(&keys->job);
    sql_array_reset(&keys->cluster);
    sql_array_reset(&keys->resource);
    sql_array_reset(&keys->uid);
    sql_array_reset(&keys->position);
    sql_array_reset(&keys->generation);
    sql_array_reset(&keys->since);
}
#define SCOPED_KEYS __attribute__((cleanup(keys_reset))) struct job_keys

// All seven always, though most queries take four: one way to fill them, and nothing is sent that
// is not asked for.
static void keys_add_at(struct job_keys *keys, const struct touched_workload *workload, size_t job,
                        int64_t position)
{
    sql_array_int64(&keys->job, (int64_t)job);
    sql_array_text(&keys->cluster, workload->cluster);
    sql_array_text(&keys->resource, workload->resource);
    sql_array_uuid(&keys->uid, workload->uuid);
    sql_array_int64(&keys->position, position);
    sql_array_int64(&keys->generation, workload->generation);
    sql_array_int64(&keys->since, workload->since);
    keys->count++;
}

static void keys_add(struct job_keys *keys, const struct touched_workload *workload, size_t job)
{
    keys_add_at(keys, workload, job, workload->position);
}

// Runs a query whose first parameters are the keys, four or (with `last` behind them) all
// seven.
static bool query_keys(struct database *db, const char *sql, struct job_keys *keys,
                       const char *last, PGresult **out, struct error *err)
{
    struct sql_params params = {0};
    sql_params_array(&params, &keys->job);
    sql_params_array(&params, &keys->cluster);
    sql_params_array(&params, &keys->resource);
    sql_params_array(&params, &keys->uid);
    if (last != NULL) {
        sql_params_array(&params, &keys->position);
        sql_params_array(&params, &keys->generation);
        sql_params_array(&params, &keys->since);
        sql_params_text(&params, last);
    }
    return sql_params_query(db, sql, &params, out, err);
}

static int64_t cell_int64(const PGresult *result, int row, int column)
{
    int64_t value;
    if (PQgetisnull(result, row, column) || !text_to_int64(PQgetvalue(result, row, column), &value))
        return FOLD_NONE;
    return value;
}

// The transaction's DateStyle and time zone make every instant end with "+00".
// An instant that is not of this form (infinity) is one that no fact can have.
static int64_t cell_time(const PGresult *result, int row, int column)
{
    char text[64];
    int64_t at;
    const char *value = PQgetvalue(result, row, column);
    size_t length = strlen(value);
    if (length < 4 || length >= sizeof(text) || strcmp(value + length - 3, "+00") != 0)
        return FOLD_NONE;
    memcpy(text, value, length - 3);
    memcpy(text + length - 3, "Z", 2);
    return timestamp_parse(text, &at) ? at : FOLD_NONE;
}

static bool cell_bool(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

static const char *cell_text(const PGresult *result, int row, int column, struct fold_arena *arena)
{
    return PQgetisnull(result, row, column)
               ? NULL
               : fold_arena_text(arena, PQgetvalue(result, row, column));
}

// Rows come in any order: the number says whose they are, so that no query has to sort.
static size_t cell_number(const PGresult *result, int row, size_t count)
{
    int64_t number = cell_int64(result, row, 0);
    if (number < 0 || (uint64_t)number >= count)
        abort(); // we sent the numbers
    return (size_t)number;
}

static struct belief_job *cell_job(const PGresult *result, int row, struct belief_jobs *jobs)
{
    return &jobs->items[cell_number(result, row, jobs->count)];
}

// A workload without a row was never observed: requests alone make no belief.
// The namespace comes along for conflict.c, the checkpoint's generation for the tail: one round
// trip for all of them.
bool belief_load_heads(struct database *db, struct touched *touched, size_t from, struct error *err)
{
    SCOPED_KEYS keys = {0};
    SCOPED(PQclear) PGresult *result = NULL;
    for (size_t i = from; i < touched->count; i++)
        keys_add(&keys, touched->items[i], i);
    if (keys.count == 0)
        return true;
    if (!query_keys(db,
                    "SELECT k.job, w.name, c.position, c.content, w.namespace"
                    " FROM " KEYS_SQL " JOIN modeltrail.workload w ON " SAME_KEY(
                        "w") " LEFT JOIN modeltrail.checkpoint c ON " SAME_KEY("c"),
                    &keys, NULL, &result, err))
        return fail_in(err, "checkpoints");
    for (int i = 0; i < PQntuples(result); i++) {
        struct touched_workload *workload = touched->items[cell_number(result, i, touched->count)];
        workload->name = cell_text(result, i, 1, &touched->arena);
        workload->position = cell_int64(result, i, 2);
        workload->checkpoint = cell_text(result, i, 3, &touched->arena);
        struct fold_tail tail = {FOLD_NONE, FOLD_NONE};
        if (workload->checkpoint != NULL)
            tail = fold_checkpoint_tail(workload->checkpoint);
        workload->generation = tail.generation;
        workload->since = tail.since;
        workload->namespace = cell_text(result, i, 4, &touched->arena);
    }
    return true;
}

static void add_reading(struct belief_job *job, const struct reading *reading)
{
    job->readings = xgrow(job->readings, &job->reading_capacity, job->reading_count + 1,
                          sizeof(*job->readings));
    job->readings[job->reading_count++] = *reading;
}

static void add_request(struct belief_job *job, const struct fold_request *request)
{
    job->requests = xgrow(job->requests, &job->request_capacity, job->request_count + 1,
                          sizeof(*job->requests));
    job->requests[job->request_count++] = *request;
}

#define STATE_COLUMNS                                                                              \
    "s.position, s.log_index, s.at, s.at_source, s.not_before, s.extractor, s.generation,"         \
    " s.ready, s.removed, s.detail"

// Rows that we wrote ourselves: what cannot be read here is damage, not input.
static bool take_states(const PGresult *result, struct belief_jobs *jobs, struct error *err)
{
    for (int i = 0; i < PQntuples(result); i++) {
        struct reading reading = {
            .position = cell_int64(result, i, 1),
            .log_index = cell_int64(result, i, 2),
            .at = cell_time(result, i, 3),
            .not_before = cell_time(result, i, 5),
            .extractor = cell_int64(result, i, 6),
            .generation = cell_int64(result, i, 7),
            .ready_known = !PQgetisnull(result, i, 8),
            .ready = cell_bool(result, i, 8),
            .removed = cell_bool(result, i, 9),
        };
        // A row that an older or newer version wrote otherwise must end the program, or its belief
        // would be wrong without a word.
        if (!time_source_parse(PQgetvalue(result, i, 4), &reading.at_source))
            return fail(err, REACT_STOP, "table state: at_source %s is unknown",
                        PQgetvalue(result, i, 4));
        if (!reading_detail_parse(PQgetvalue(result, i, 10), &jobs->arena, &reading, err))
            return false;
        add_reading(cell_job(result, i, jobs), &reading);
    }
    return true;
}

#define REQUEST_COLUMNS                                                                            \
    "r.log_index, r.at, r.verb, r.subresource, r.code, r.dry_run, r.removes, r.position,"          \
    " r.generation, r.namespace, r.evidence = 'admission' AS is_admission, r.audit_id,"            \
    " CASE WHEN r.evidence = 'admission' OR r.verb LIKE 'delete%' THEN r.principal END"            \
    " AS principal, r.impersonated_by"

// A request that named the uid before it was observed, and for another namespace, is not about it.
// Decided here and not in SQL, so that the batch's own requests, which come from memory, go by the
// same function.
static void take_requests(const PGresult *result, struct belief_jobs *jobs)
{
    for (int i = 0; i < PQntuples(result); i++) {
        struct belief_job *job = cell_job(result, i, jobs);
        enum request_role role = (enum request_role)cell_int64(result, i, 15);
        if (role == ROLE_OBJECT &&
            !touched_request_fits(PQgetvalue(result, i, 10), job->workload->namespace))
            continue;
        // The column may hold '' or NULL for none; the fold knows only NULL.
        const char *subresource = cell_text(result, i, 4, &jobs->arena);
        struct fold_request request = {
            .role = role,
            .is_admission = cell_bool(result, i, 11),
            .log_index = cell_int64(result, i, 1),
            .at = cell_time(result, i, 2),
            .verb = cell_text(result, i, 3, &jobs->arena),
            .subresource = subresource != NULL && *subresource != '\0' ? subresource : NULL,
            .code = cell_int64(result, i, 5),
            .dry_run = cell_bool(result, i, 6),
            .removes = cell_bool(result, i, 7),
            .position = cell_int64(result, i, 8),
            .generation = cell_int64(result, i, 9),
            .audit_id = cell_text(result, i, 12, &jobs->arena),
            .principal = cell_text(result, i, 13, &jobs->arena),
            .impersonated_by = cell_text(result, i, 14, &jobs->arena),
        };
        fold_request_settle(&request);
        add_request(job, &request);
    }
}

// clang-format off: SQL reads by clauses.

// Usually one row each: the reading at the checkpoint's own position, which may yet get better
// evidence.
static const char tail_states_sql[] =
    "SELECT k.job, " STATE_COLUMNS " FROM " TAIL_KEYS_SQL
    " JOIN modeltrail.state s ON " SAME_KEY("s") " AND s.position >= k.position"
                                                 " WHERE s.log_index < $8::bigint";

// The columns of a request with its role (enum request_role).
#define AS_ROLE(role)                                                                              \
    "SELECT " REQUEST_COLUMNS ", " role " AS role FROM modeltrail.request r WHERE "
#define BY_NAME                                                                                    \
    "r.log = w.log AND r.cluster = w.cluster AND r.resource = w.resource"                          \
    " AND coalesce(r.namespace, '') = w.namespace AND r.name = w.name AND " REQUEST_NAMED

// Each arm has its own index; without a generation to go by, all requests that matter are needed.
#define TAIL_ARM(condition)                                                                        \
    AS_ROLE("0")                                                                                   \
    SAME_KEY("r") " AND " REQUEST_MATTERS " AND " condition " AND r.log_index < $8::bigint"
#define SINCE "(k.since IS NULL OR r.at >= '1970-01-01Z'::timestamptz + k.since * interval '1 us')"
static const char tail_requests_sql[] =
    "SELECT k.job, r.* FROM " TAIL_KEYS_SQL
    " JOIN modeltrail.workload w ON " SAME_KEY("w") " CROSS JOIN LATERAL (" TAIL_ARM(
        "r.position "
        ">= "
        "k.position") " UNION " TAIL_ARM("r.generation > k.generation") " UNION " TAIL_ARM("k."
                                                                                           "generat"
                                                                                           "ion IS "
                                                                                           "NULL") " UNION"
                                                                                                   " " TAIL_ARM(
                                                                                                       REQUEST_WINDOWED
                                                                                                       " AN"
                                                                                                       "D"
                                                                                                       " " SINCE) " UNION " AS_ROLE("1")
                                                                                                       BY_NAME
    " AND " SINCE " AND r.log_index < $8::bigint) r";

// clang-format on

void belief_job_add_own(struct belief_job *job)
{
    const struct touched_workload *workload = job->workload;
    for (const struct touched_reading *r = workload->readings; r != NULL; r = r->next)
        add_reading(job, &r->reading);
    for (const struct touched_request *r = workload->requests; r != NULL; r = r->next) {
        if (workload->namespace != NULL && touched_request_fits(r->namespace, workload->namespace))
            add_request(job, &r->request);
    }
}

// Rows below new_from come from the tables. The batch's own facts are added from memory: they may
// not be sent yet, and need not be parsed again.
bool belief_load_tails(struct database *db, struct belief_jobs *jobs, int64_t new_from,
                       struct error *err)
{
    SCOPED_KEYS keys = {0};
    SCOPED(PQclear) PGresult *states = NULL;
    SCOPED(PQclear) PGresult *requests = NULL;
    SCOPED(xfree_char) char *before = xasprintf("%lld", (long long)new_from);
    for (size_t i = 0; i < jobs->count; i++) {
        if (!jobs->items[i].full && jobs->items[i].workload->name != NULL)
            keys_add(&keys, jobs->items[i].workload, i);
    }
    if (keys.count == 0)
        return true;
    if (!query_keys(db, tail_states_sql, &keys, before, &states, err) ||
        !take_states(states, jobs, err) ||
        !query_keys(db, tail_requests_sql, &keys, before, &requests, err))
        return fail_in(err, "tails");
    take_requests(requests, jobs);
    for (size_t i = 0; i < jobs->count; i++) {
        if (!jobs->items[i].full)
            belief_job_add_own(&jobs->items[i]);
    }
    return true;
}

// A position for each key; NULL asks for what has none. Both are ranges of the partial index.
static const char repeated_states_sql[] =
    "SELECT k.job, s.* FROM " TAIL_KEYS_SQL " CROSS JOIN LATERAL (SELECT " STATE_COLUMNS
    " FROM modeltrail.state s WHERE " SAME_KEY("s") " AND s.position = k.position"
                                                    " AND s.log_index < $8::bigint OFFSET 0) s";
#define REPEATED_ARM(condition)                                                                    \
    AS_ROLE("0")                                                                                   \
    SAME_KEY("r") " AND " REQUEST_MATTERS " AND " condition " AND r.log_index < $8::bigint"
static const char repeated_requests_sql[] =
    "SELECT k.job, r.* FROM " TAIL_KEYS_SQL
    " CROSS JOIN LATERAL (" REPEATED_ARM("r.position = k.position") " UNION ALL " REPEATED_ARM(
        "k.position IS NULL AND r.position IS NULL") ") r";

// Which positions to look at: usually none.
static void ask_repeated(const struct belief_job *job, size_t number, int64_t new_from,
                         struct job_keys *states, struct job_keys *requests)
{
    bool has_none = false; // requests without a position are asked for once
    for (size_t i = 0; i < job->reading_count; i++) {
        const struct reading *reading = &job->readings[i];
        if (reading->log_index >= new_from && belief_reading_is_behind(job->workload, reading))
            keys_add_at(states, job->workload, number, reading->position);
    }
    for (size_t i = 0; i < job->request_count; i++) {
        const struct fold_request *request = &job->requests[i];
        if (request->log_index < new_from || !belief_request_is_behind(job->workload, request))
            continue;
        if (request->position != FOLD_NONE || !has_none)
            keys_add_at(requests, job->workload, number, request->position);
        has_none = has_none || request->position == FOLD_NONE;
    }
}

// A workload without a name is new: there is nothing to repeat. One that a listing concerns is
// folded in full whatever its facts say.
bool belief_load_repeated(struct database *db, const struct belief_jobs *jobs, int64_t new_from,
                          struct belief_jobs *stored, struct error *err)
{
    SCOPED_KEYS states = {0};
    SCOPED_KEYS requests = {0};
    SCOPED(PQclear) PGresult *rows = NULL;
    SCOPED(PQclear) PGresult *request_rows = NULL;
    SCOPED(xfree_char) char *before = xasprintf("%lld", (long long)new_from);
    stored->count = jobs->count;
    stored->items = xcalloc(jobs->count, sizeof(*stored->items));
    for (size_t i = 0; i < jobs->count; i++) {
        const struct belief_job *job = &jobs->items[i];
        stored->items[i].workload = job->workload;
        if (job->workload->name == NULL || job->workload->needs_full)
            continue;
        ask_repeated(job, i, new_from, &states, &requests);
    }
    if (states.count > 0 && (!query_keys(db, repeated_states_sql, &states, before, &rows, err) ||
                             !take_states(rows, stored, err)))
        return fail_in(err, "repeated states");
    if (requests.count > 0 &&
        !query_keys(db, repeated_requests_sql, &requests, before, &request_rows, err))
        return fail_in(err, "repeated requests");
    if (request_rows != NULL)
        take_requests(request_rows, stored);
    return true;
}

// Of all listings of a scope the fold needs few: the highest one that has the workload as a member,
// and the lowest one above its life that lacks it. Both are found at the end of an index range: a
// live workload is in the newest listing, and nothing lies above that. Only for a workload that
// vanished unseen are the listings since then walked through.
// clang-format off
#define SCOPES_SQL                                                                                 \
    "unnest(CASE w.namespace WHEN '' THEN ARRAY[''] ELSE ARRAY[w.namespace, ''] END) n(namespace)"
#define OF_SCOPE                                                                                   \
    "l.log = 1 AND l.cluster = w.cluster AND l.resource = w.resource AND l.namespace = n.namespace"
// One row an index probe can end: the outermost position at which a condition holds.
#define OUTERMOST(condition, direction)                                                            \
    "(SELECT e.position FROM " SCOPES_SQL                                                          \
    "  CROSS JOIN LATERAL (SELECT l.position FROM modeltrail.listing l"                            \
    "                      WHERE " OF_SCOPE " AND " condition                                      \
    "                      ORDER BY l.position " direction " LIMIT 1) e"                           \
    "  ORDER BY e.position " direction " LIMIT 1)"
#define HAS "w.uid = ANY (l.members)"
#define LACKS                                                                                      \
    "l.selector IS NULL AND (l.uid_from IS NULL OR l.uid_from <= w.uid)"                           \
    " AND (l.uid_to IS NULL OR l.uid_to >= w.uid) AND w.uid <> ALL (l.members)"

// last: the workload's newest reading. above: the highest listing above it that has the workload,
// which prolongs its life. lacking: the lowest one above its life that lacks it. listed: the one to
// tell the lower bound of the removal, which therefore gives its own lower bound.
static const char full_listings_sql[] =
    "SELECT f.job, l.position, l.log_index, CASE WHEN " HAS " THEN coalesce(l.looked_at, l.listed_at)"
    "       ELSE l.listed_at END, " HAS ", l.selector IS NOT NULL"
    " FROM (SELECT k.job, w.cluster, w.resource, w.uid, w.namespace, p.last"
    "       FROM " KEYS_SQL
    "       JOIN modeltrail.workload w ON " SAME_KEY("w")
    "       CROSS JOIN LATERAL (SELECT s.position AS last FROM modeltrail.state s"
    "                           WHERE " SAME_KEY("s") " ORDER BY s.position DESC LIMIT 1) p) f"
    " CROSS JOIN LATERAL (SELECT f.cluster, f.resource, f.uid, f.namespace) w"
    " CROSS JOIN LATERAL (SELECT " OUTERMOST("l.position > f.last AND " HAS, "DESC")
    "                     AS above OFFSET 0) a"
    " CROSS JOIN LATERAL (SELECT " OUTERMOST("l.position > greatest(f.last, a.above) AND " LACKS, "ASC")
    "                     AS lacking OFFSET 0) b"
    " CROSS JOIN LATERAL (SELECT coalesce(a.above, CASE WHEN b.lacking IS NOT NULL THEN "
                                          OUTERMOST("l.position <= f.last AND " HAS, "DESC") " END)"
    "                     AS listed OFFSET 0) c"
    " CROSS JOIN LATERAL (SELECT l.* FROM " SCOPES_SQL
    "                     JOIN modeltrail.listing l ON " OF_SCOPE
    "                      AND ((l.position = b.lacking AND " LACKS ")"
    "                           OR (l.position = c.listed AND " HAS "))) l"
    " WHERE b.lacking IS NOT NULL";
// clang-format on

// Hardly any workload has a listing that matters; most calls bring no row.
// fold_run takes no notice of listings that are not here, so the query must give every one that the
// rules of section 1 (docs/fold.md) could choose.
static bool load_listings(struct database *db, struct belief_jobs *jobs, struct job_keys *keys,
                          struct error *err)
{
    SCOPED(PQclear) PGresult *result = NULL;
    if (!query_keys(db, full_listings_sql, keys, NULL, &result, err))
        return fail_in(err, "listings");
    for (int i = 0; i < PQntuples(result); i++) {
        struct belief_job *job = cell_job(result, i, jobs);
        job->listings = xgrow(job->listings, &job->listing_capacity, job->listing_count + 1,
                              sizeof(*job->listings));
        job->listings[job->listing_count++] = (struct fold_listing){
            .position = cell_int64(result, i, 1),
            .log_index = cell_int64(result, i, 2),
            .listed_at = cell_time(result, i, 3),
            .has_member = cell_bool(result, i, 4),
            .has_selector = cell_bool(result, i, 5),
        };
    }
    return true;
}

// Each workload's rows are found by its key: OFFSET keeps the planner from joining instead, which
// reads the whole table for every few hundred workloads when it takes the conditions for rare.
static const char full_states_sql[] =
    "SELECT k.job, s.* FROM " KEYS_SQL " CROSS JOIN LATERAL (SELECT " STATE_COLUMNS
    " FROM modeltrail.state s WHERE " SAME_KEY("s") " OFFSET 0) s";
// Beside its own, those by name, and those that may have caused its removal.
// clang-format off
static const char full_requests_sql[] =
    "SELECT k.job, r.* FROM " KEYS_SQL " JOIN modeltrail.workload w ON " SAME_KEY("w")
    " CROSS JOIN LATERAL ("
    AS_ROLE("0") SAME_KEY("r") " AND " REQUEST_MATTERS
    " UNION ALL " AS_ROLE("1") BY_NAME
    " UNION ALL " AS_ROLE("2") "r.log = w.log AND r.cluster = w.cluster AND r.resource = w.resource"
    " AND coalesce(r.namespace, '') = w.namespace AND " REQUEST_COLLECTION
    " UNION ALL " AS_ROLE("3") "r.log = w.log AND r.cluster = w.cluster AND r.name = w.namespace"
    " AND " REQUEST_NAMESPACE
    " UNION ALL " AS_ROLE("4") "r.log = w.log AND r.cluster = w.cluster AND r.uid = w.owner_uid"
    " AND " REQUEST_DELETE " OFFSET 0) r";
// clang-format on

// The batch's own facts are sent by now and come with the rest.
bool belief_load_full(struct database *db, struct belief_jobs *jobs, struct error *err)
{
    SCOPED_KEYS keys = {0};
    SCOPED(PQclear) PGresult *states = NULL;
    SCOPED(PQclear) PGresult *requests = NULL;
    for (size_t i = 0; i < jobs->count; i++) {
        if (jobs->items[i].full && jobs->items[i].workload->name != NULL)
            keys_add(&keys, jobs->items[i].workload, i);
    }
    if (keys.count == 0)
        return true;
    if (!query_keys(db, full_states_sql, &keys, NULL, &states, err) ||
        !take_states(states, jobs, err) ||
        !query_keys(db, full_requests_sql, &keys, NULL, &requests, err))
        return fail_in(err, "facts");
    take_requests(requests, jobs);
    return load_listings(db, jobs, &keys, err);
}

void belief_job_clear(struct belief_job *job)
{
    free(job->readings);
    free(job->listings);
    free(job->requests);
    job->readings = NULL;
    job->listings = NULL;
    job->requests = NULL;
    job->reading_count = job->reading_capacity = 0;
    job->listing_count = job->listing_capacity = 0;
    job->request_count = job->request_capacity = 0;
}
