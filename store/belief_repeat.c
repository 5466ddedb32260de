// What of a batch was in the log before: a new epoch reads its sources anew, and then every event
// reaches behind its workload's checkpoint and says nothing new. Such facts are found by their
// positions, so that no history must be folded again for them.

#include <stdlib.h>

#include "store/belief.h"
#include "store/fold_repeat.h"

// Without a checkpoint (the workload is removed) there is nothing to go on from, so that every fact
// means a full fold.
bool belief_reading_is_behind(const struct touched_workload *workload,
                              const struct reading *reading)
{
    return workload->checkpoint == NULL || reading->position < workload->position;
}

// As fold_resume sees it: by its position or, without one, by its generation.
bool belief_request_is_behind(const struct touched_workload *workload,
                              const struct fold_request *request)
{
    if (workload->checkpoint == NULL)
        return true;
    if (request->position != FOLD_NONE)
        return request->position < workload->position;
    return request->generation != FOLD_NONE && request->generation <= workload->generation;
}

static int compare_readings(const void *left, const void *right)
{
    const struct reading *a = left;
    const struct reading *b = right;
    return (a->position > b->position) - (a->position < b->position);
}

static int compare_requests(const void *left, const void *right)
{
    const struct fold_request *a = left;
    const struct fold_request *b = right;
    return (a->position > b->position) - (a->position < b->position);
}

// The first stored reading of this position or a greater one: a batch may hold thousands of one
// workload.
static size_t first_reading(const struct belief_job *stored, int64_t position)
{
    size_t low = 0;
    size_t high = stored->reading_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (stored->readings[middle].position < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t first_request(const struct belief_job *stored, int64_t position)
{
    size_t low = 0;
    size_t high = stored->request_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (stored->requests[middle].position < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool reading_repeats(const struct reading *reading, const struct belief_job *stored)
{
    size_t from = first_reading(stored, reading->position);
    size_t to = from;
    while (to < stored->reading_count && stored->readings[to].position == reading->position)
        to++;
    return fold_reading_repeats(reading, stored->readings + from, to - from);
}

static bool request_repeats(const struct fold_request *request, const struct belief_job *stored)
{
    for (size_t i = first_request(stored, request->position);
         i < stored->request_count && stored->requests[i].position == request->position; i++) {
        if (fold_request_repeats(request, &stored->requests[i]))
            return true;
    }
    return false;
}

// Marks the job's repeats; true when all new facts are.
// Facts on this side of the checkpoint were not looked for, and count as new.
static bool mark_repeats(struct belief_job *job, struct belief_job *stored, int64_t new_from)
{
    bool all = true;
    if (stored->reading_count > 0)
        qsort(stored->readings, stored->reading_count, sizeof(*stored->readings), compare_readings);
    if (stored->request_count > 0)
        qsort(stored->requests, stored->request_count, sizeof(*stored->requests), compare_requests);
    for (size_t i = 0; i < job->reading_count; i++) {
        struct reading *reading = &job->readings[i];
        if (reading->log_index < new_from)
            continue;
        reading->is_repeat = reading_repeats(reading, stored);
        all = all && reading->is_repeat;
    }
    for (size_t i = 0; i < job->request_count; i++) {
        struct fold_request *request = &job->requests[i];
        if (request->log_index < new_from)
            continue;
        request->is_repeat = request_repeats(request, stored);
        all = all && request->is_repeat;
    }
    return all;
}

// A job with a checkpoint is folded all the same: that costs little.
bool belief_find_repeats(struct database *db, struct belief_jobs *jobs, int64_t new_from,
                         struct error *err)
{
    struct belief_jobs stored = {0};
    // The tails have the new facts of those that have a checkpoint.
    for (size_t i = 0; i < jobs->count; i++) {
        const struct touched_workload *workload = jobs->items[i].workload;
        if (workload->name != NULL && workload->checkpoint == NULL && !workload->needs_full)
            belief_job_add_own(&jobs->items[i]);
    }
    bool loaded = belief_load_repeated(db, jobs, new_from, &stored, err);
    for (size_t i = 0; loaded && i < stored.count; i++) {
        struct belief_job *job = &jobs->items[i];
        if (stored.items[i].reading_count + stored.items[i].request_count == 0)
            continue; // nothing that could be repeated
        bool all = mark_repeats(job, &stored.items[i], new_from);
        job->idle = all && job->workload->checkpoint == NULL;
        job->full = job->full && !job->idle;
    }
    belief_jobs_reset(&stored);
    return loaded;
}
