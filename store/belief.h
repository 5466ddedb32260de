#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/database.h"
#include "store/batch_array.h"
#include "store/facts.h"
#include "store/fold.h"

// Beliefs (docs/architecture.md): placement, route, change, attribution and checkpoint, computed by
// the pure fold of the facts that the transaction sees. Everything is read and written set-wise.

// Adds to `touched` the workloads whose inferred removal the listings of this batch may bring
// about, move or undo, and marks those that must be folded in full. The batch's facts are sent
// already.
bool belief_touch_listings(struct database *db, const struct facts *facts, struct touched *touched,
                           struct error *err) WARN_UNUSED;

// Adds to `touched` the workloads that the batch's requests without their uid concern, and gives
// them those by name. Before the batch's facts are sent; new workloads, which are folded from all
// facts, are not looked for.
bool belief_touch_requests(struct database *db, const struct facts *facts, struct touched *touched,
                           struct error *err) WARN_UNUSED;

// Folds the touched workloads from number `from` on, whose heads are loaded, and writes what
// changed. Facts from log index new_from on are this batch's.
bool belief_update(struct database *db, const struct touched *touched, size_t from,
                   const struct naming_rules *rules, int64_t new_from,
                   struct error *err) WARN_UNUSED;

// Folds every workload from all its facts, `chunk` at a time.
bool belief_refold_all(struct database *db, const struct naming_rules *rules, int64_t chunk,
                       struct error *err) WARN_UNUSED;

// Deletes all beliefs.
bool belief_clear(struct database *db, struct error *err) WARN_UNUSED;

// Reads name and checkpoint of the workloads from number `from` on.
bool belief_load_heads(struct database *db, struct touched *touched, size_t from,
                       struct error *err) WARN_UNUSED;

// Below: shared by the files belief*.c.

// One workload on its way through the fold.
// Facts are borrowed from the arena of the jobs or from touched; only the lists are the job's own.
struct belief_job {
    const struct touched_workload *workload;
    bool full; // fold from all facts: no checkpoint, or it does not reach far enough back
    bool idle; // fold nothing: the batch repeats what the rows were made of
    struct reading *readings;
    size_t reading_count;
    size_t reading_capacity;
    struct fold_listing *listings;
    size_t listing_count;
    size_t listing_capacity;
    struct fold_request *requests;
    size_t request_count;
    size_t request_capacity;
};

// One round's worth, so that memory is bounded by the round and not by the batch.
struct belief_jobs {
    struct belief_job *items;
    size_t count;
    // The folds' results are copied out of it, so it ends with the round.
    struct fold_arena arena; // texts of facts that were loaded
};

// Reads the older facts that fold_resume needs for the jobs that are not full; adds the batch's
// own.
bool belief_load_tails(struct database *db, struct belief_jobs *jobs, int64_t new_from,
                       struct error *err) WARN_UNUSED;

// Gives the job the batch's own facts about its workload.
void belief_job_add_own(struct belief_job *job);

// Reads the older facts that the batch's facts behind their checkpoints may repeat: readings and
// requests of the same positions. Fills `stored`, which was empty, with an
// item for each of jobs->items; the caller resets it, after a failure too.
bool belief_load_repeated(struct database *db, const struct belief_jobs *jobs, int64_t new_from,
                          struct belief_jobs *stored, struct error *err) WARN_UNUSED;

// True when the fact says something about positions behind the workload's checkpoint; without a
// checkpoint every fact does.
bool belief_reading_is_behind(const struct touched_workload *workload,
                              const struct reading *reading);
bool belief_request_is_behind(const struct touched_workload *workload,
                              const struct fold_request *request);

// belief_repeat.c: marks the batch's facts that repeat what the tables hold already, and the jobs
// that have no others to fold. The tails are loaded.
bool belief_find_repeats(struct database *db, struct belief_jobs *jobs, int64_t new_from,
                         struct error *err) WARN_UNUSED;

// Frees the jobs with their facts, and leaves none.
void belief_jobs_reset(struct belief_jobs *jobs);

// Reads all facts of the jobs that are full.
bool belief_load_full(struct database *db, struct belief_jobs *jobs, struct error *err) WARN_UNUSED;

// Frees the facts of a job.
void belief_job_clear(struct belief_job *job);

// What the folds of one round do to the tables. Zeroed storage ({0}) is empty.
// Parallel arrays, the same length each: one element of each is one key.
struct belief_key {
    struct sql_array cluster;
    struct sql_array resource;
    struct sql_array uid;
    struct sql_array position;
    struct sql_array extra[3]; // what else is part of a table's key
    size_t count;
};

struct belief_delta {
    // Deletions go by key arrays, a statement a table; the five tables have the first four columns
    // in common.
    struct belief_key ranges; // rows from a position on
    struct belief_key placement_keys;
    struct belief_key route_keys;
    struct belief_key change_keys;
    struct belief_key attribution_keys;
    struct belief_key checkpoints;     // extra[0] is the content
    struct belief_key checkpoint_ends; // checkpoints to delete
    struct copy placement;
    struct copy route;
    struct copy change;
    struct copy attribution;
};

// Adds what one fold says goes and comes; copies all of it.
void belief_delta_add(struct belief_delta *delta, const struct touched_workload *workload,
                      const struct fold_output *out);

// Deletes and writes the rows of all folds added, a statement a table.
bool belief_delta_send(struct belief_delta *delta, struct database *db,
                       struct error *err) WARN_UNUSED;

// Frees the delta and leaves it empty.
void belief_delta_reset(struct belief_delta *delta);
static inline void belief_delta_scoped_cleanup(struct belief_delta *delta)
{
    belief_delta_reset(delta);
}

// One round of belief_update taken apart, so that its folding can be done while PostgreSQL works on
// something else. Zeroed storage ({0}) is a round that was not opened and may be reset.
struct belief_round {
    struct belief_jobs jobs;
    struct belief_delta delta;
    const struct naming_rules *rules;
    // The batch's first log index: what lies below is in the tables already.
    int64_t new_from;
    size_t next; // job to fold next
    bool failed; // by the work done ahead, told by belief_round_close
    struct error failure;
};

// Reads what the fold needs of the touched workloads from number `from` on, as many as one round
// takes: round->jobs.count. The batch's own facts need not be sent yet; heads are loaded.
bool belief_round_open(struct belief_round *round, struct database *db,
                       const struct touched *touched, size_t from, const struct naming_rules *rules,
                       int64_t new_from, struct error *err) WARN_UNUSED;

// Folds one workload, without the database; false when none is left.
bool belief_round_work(struct belief_round *round);

// Folds what is left and writes what changed; the batch's facts are sent.
bool belief_round_close(struct belief_round *round, struct database *db,
                        struct error *err) WARN_UNUSED;

// Frees what the round holds; nothing of it is written.
void belief_round_reset(struct belief_round *round);
