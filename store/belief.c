// Which workloads to fold, and folding them: from the checkpoint when that is enough, else from all
// facts. Reading and writing are in belief_load.c and belief_write.c.

#include "store/belief.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"

// Rounds bound memory: a resumed job reads one or two rows, a full one its whole history.
#define RESUME_ROUND 4000
#define FULL_ROUND 500

void belief_jobs_reset(struct belief_jobs *jobs)
{
    for (size_t i = 0; i < jobs->count; i++)
        belief_job_clear(&jobs->items[i]);
    free(jobs->items);
    fold_arena_reset(&jobs->arena);
    *jobs = (struct belief_jobs){0};
}
static void jobs_scoped_cleanup(struct belief_jobs *jobs)
{
    belief_jobs_reset(jobs);
}
#define SCOPED_JOBS __attribute__((cleanup(jobs_scoped_cleanup))) struct belief_jobs
#define SCOPED_DELTA __attribute__((cleanup(belief_delta_scoped_cleanup))) struct belief_delta

// Borrows everything: a job outlives its fold.
static struct fold_input job_input(const struct belief_job *job, const struct naming_rules *rules,
                                   int64_t new_from)
{
    return (struct fold_input){
        .cluster = job->workload->cluster,
        .resource = job->workload->resource,
        .uid = job->workload->uid,
        .name = job->workload->name,
        .rules = rules,
        .readings = job->readings,
        .reading_count = job->reading_count,
        .listings = job->listings,
        .listing_count = job->listing_count,
        .requests = job->requests,
        .request_count = job->request_count,
        .new_from = new_from,
    };
}

// Folds one job if a checkpoint serves it; a job that reaches behind its checkpoint becomes full.
static bool resume_job(struct belief_round *round, struct belief_job *job, struct error *err)
{
    // Without a name nobody has observed it: requests alone make no rows.
    if (job->full || job->idle || job->workload->name == NULL)
        return true;
    SCOPED_FOLD_OUTPUT out = {0};
    struct fold_input input = job_input(job, round->rules, round->new_from);
    if (fold_resume(job->workload->checkpoint, &input, &out, &job->full, err))
        belief_delta_add(&round->delta, job->workload, &out);
    else if (!job->full)
        return fail_in(err, "workload %s", job->workload->uid);
    return true;
}

// Every fact is at hand: the fold cannot fail, and what it gives replaces all rows of the workload.
static void run_jobs(struct belief_jobs *jobs, const struct naming_rules *rules,
                     struct belief_delta *delta)
{
    for (size_t i = 0; i < jobs->count; i++) {
        struct belief_job *job = &jobs->items[i];
        // No reading, no rows (docs/fold.md 1).
        if (job->reading_count == 0)
            continue;
        SCOPED_FOLD_OUTPUT out = {0};
        struct fold_input input = job_input(job, rules, 0);
        fold_run(&input, &out);
        belief_delta_add(delta, job->workload, &out);
    }
}

// Folds workloads from all their facts, a round at a time.
// The checkpoint's way is a shortcut; this is the definition (docs/fold.md 8), and always right.
static bool fold_full(struct database *db, const struct touched_workload *const *workloads,
                      size_t count, const struct naming_rules *rules, struct error *err)
{
    for (size_t done = 0; done < count; done += FULL_ROUND) {
        SCOPED_JOBS jobs = {0};
        SCOPED_DELTA delta = {0};
        jobs.count = count - done < FULL_ROUND ? count - done : FULL_ROUND;
        jobs.items = xcalloc(jobs.count, sizeof(*jobs.items));
        for (size_t i = 0; i < jobs.count; i++) {
            jobs.items[i].workload = workloads[done + i];
            jobs.items[i].full = true;
        }
        if (!belief_load_full(db, &jobs, err))
            return false;
        run_jobs(&jobs, rules, &delta);
        if (!belief_delta_send(&delta, db, err))
            return false;
    }
    return true;
}

// A job without a checkpoint reads nothing here: its facts are read when all of them are in the
// tables, by fold_rest.
bool belief_round_open(struct belief_round *round, struct database *db,
                       const struct touched *touched, size_t from, const struct naming_rules *rules,
                       int64_t new_from, struct error *err)
{
    size_t left = touched->count - from;
    struct belief_jobs *jobs = &round->jobs;
    round->rules = rules;
    round->new_from = new_from;
    jobs->count = left < RESUME_ROUND ? left : RESUME_ROUND;
    jobs->items = xcalloc(jobs->count, sizeof(*jobs->items));
    for (size_t i = 0; i < jobs->count; i++) {
        const struct touched_workload *workload = touched->items[from + i];
        jobs->items[i].workload = workload;
        jobs->items[i].full = workload->needs_full || workload->checkpoint == NULL;
    }
    return (belief_load_tails(db, jobs, new_from, err) &&
            belief_find_repeats(db, jobs, new_from, err)) ||
           fail_in(err, "belief");
}

bool belief_round_work(struct belief_round *round)
{
    if (round->failed || round->next == round->jobs.count)
        return false;
    round->failed = !resume_job(round, &round->jobs.items[round->next++], &round->failure);
    return true;
}

// What could not go on from a checkpoint is folded from all its facts.
static bool fold_rest(struct belief_round *round, struct database *db, struct error *err)
{
    const struct touched_workload **full =
        xcalloc(round->jobs.count, sizeof(const struct touched_workload *));
    size_t count = 0;
    for (size_t i = 0; i < round->jobs.count; i++) {
        const struct belief_job *job = &round->jobs.items[i];
        if (job->full && job->workload->name != NULL)
            full[count++] = job->workload;
    }
    bool folded = fold_full(db, full, count, round->rules, err);
    free(full);
    return folded;
}

bool belief_round_close(struct belief_round *round, struct database *db, struct error *err)
{
    while (belief_round_work(round))
        continue;
    if (round->failed) {
        *err = round->failure;
        return fail_in(err, "belief");
    }
    return (belief_delta_send(&round->delta, db, err) && fold_rest(round, db, err)) ||
           fail_in(err, "belief");
}

void belief_round_reset(struct belief_round *round)
{
    belief_jobs_reset(&round->jobs);
    belief_delta_reset(&round->delta);
    *round = (struct belief_round){0};
}

// What a first round (belief_round_open before the facts were sent) left over, usually nothing.
bool belief_update(struct database *db, const struct touched *touched, size_t from,
                   const struct naming_rules *rules, int64_t new_from, struct error *err)
{
    while (from < touched->count) {
        struct belief_round round = {0};
        bool done = belief_round_open(&round, db, touched, from, rules, new_from, err) &&
                    belief_round_close(&round, db, err);
        from += round.jobs.count;
        belief_round_reset(&round);
        if (!done)
            return false;
    }
    return true;
}

// Reads the next workloads in key order behind the last one; none are added at the end.
static bool next_workloads(struct database *db, struct touched *touched, int64_t chunk,
                           const struct touched_workload *last, struct error *err)
{
    SCOPED(PQclear) PGresult *result = NULL;
    SCOPED(xfree_char) char *limit = xasprintf("%lld", (long long)chunk);
    // Before everything there is: no key is empty, and no uid is all zeros.
    const char *params[] = {last ? last->cluster : "", last ? last->resource : "",
                            last ? last->uid : "00000000-0000-0000-0000-000000000000", limit};
    if (!database_query(
            db,
            "SELECT cluster, resource, uid FROM modeltrail.workload"
            " WHERE log = 1 AND (cluster, resource, uid) > ($1::text, $2::text, $3::uuid)"
            " ORDER BY cluster, resource, uid LIMIT $4::bigint",
            4, params, &result, err))
        return false;
    for (int i = 0; i < PQntuples(result); i++)
        touched_get(touched, PQgetvalue(result, i, 0), PQgetvalue(result, i, 1),
                    PQgetvalue(result, i, 2));
    return true;
}

// Keyset paging: the last workload of a chunk says where the next begins, so no cursor must be kept
// open beside the COPYs.
static bool refold_chunks(struct database *db, const struct naming_rules *rules, int64_t chunk,
                          struct touched *old, struct touched *next, struct error *err)
{
    for (;;) {
        const struct touched_workload *last = old->count ? old->items[old->count - 1] : NULL;
        if (!next_workloads(db, next, chunk, last, err) || !belief_load_heads(db, next, 0, err))
            return false;
        if (next->count == 0)
            return true;
        if (!fold_full(db, (const struct touched_workload *const *)next->items, next->count, rules,
                       err))
            return false;
        touched_reset(old);
        *old = *next;
        *next = (struct touched){0};
    }
}

bool belief_refold_all(struct database *db, const struct naming_rules *rules, int64_t chunk,
                       struct error *err)
{
    struct touched old = {0};
    struct touched next = {0};
    bool done = refold_chunks(db, rules, chunk > 0 ? chunk : FULL_ROUND, &old, &next, err);
    touched_reset(&old);
    touched_reset(&next);
    return done || fail_in(err, "refold");
}

bool belief_clear(struct database *db, struct error *err)
{
    return database_execute(db,
                            "DELETE FROM modeltrail.placement WHERE log = 1;"
                            "DELETE FROM modeltrail.route WHERE log = 1;"
                            "DELETE FROM modeltrail.change WHERE log = 1;"
                            "DELETE FROM modeltrail.attribution WHERE log = 1;"
                            "DELETE FROM modeltrail.checkpoint WHERE log = 1",
                            err);
}
