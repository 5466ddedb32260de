// What of a batch was in the log before: a new epoch reads its sources anew, and then every event
// reaches behind its workload's checkpoint and says nothing new. Such facts are found by their
// positions, so that no history must be folded again for them.

#define _GNU_SOURCE // qsort_r
#include "store/belief.h"

#include <stdlib.h>

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

// What is stored of a job, whatever it is, in the order of its positions: a batch may hold
// thousands of facts of one workload, and each of them looks for its like.
struct by_position {
    void *items;
    size_t count;
    size_t size; // of one
    int64_t (*position)(const void *item);
};

static int64_t reading_position(const void *item)
{
    return ((const struct reading *)item)->position;
}

static int64_t request_position(const void *item)
{
    return ((const struct fold_request *)item)->position;
}

static int compare(const void *left, const void *right, void *context)
{
    const struct by_position *list = context;
    int64_t a = list->position(left);
    int64_t b = list->position(right);
    return (a > b) - (a < b);
}

static void sort(struct by_position *list)
{
    if (list->count > 1)
        qsort_r(list->items, list->count, list->size, compare, list);
}

// The first of this position or a greater one.
static size_t first_from(const struct by_position *list, int64_t position)
{
    size_t low = 0;
    size_t high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->position((const char *)list->items + middle * list->size) < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct by_position stored_readings(const struct belief_job *stored)
{
    return (struct by_position){stored->readings, stored->reading_count, sizeof(struct reading),
                                reading_position};
}

static struct by_position stored_requests(const struct belief_job *stored)
{
    return (struct by_position){stored->requests, stored->request_count,
                                sizeof(struct fold_request), request_position};
}

static bool reading_repeats(const struct reading *reading, const struct belief_job *stored)
{
    struct by_position list = stored_readings(stored);
    size_t from = first_from(&list, reading->position);
    size_t to = from;
    while (to < stored->reading_count && stored->readings[to].position == reading->position)
        to++;
    return fold_reading_repeats(reading, stored->readings + from, to - from);
}

static bool request_repeats(const struct fold_request *request, const struct belief_job *stored)
{
    struct by_position list = stored_requests(stored);
    for (size_t i = first_from(&list, request->position);
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
    struct by_position readings = stored_readings(stored);
    struct by_position requests = stored_requests(stored);
    sort(&readings);
    sort(&requests);
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
