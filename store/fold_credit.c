// Finds the requests behind a position: by resulting position, else by generation, and nobody when
// several may have been it.
// Whether a change came through status, and so inherits an earlier credit, is decided by the walk,
// which knows both specs.

#include "store/fold_credit.h"

#include <stdlib.h>
#include <string.h>

// Who came first; of two in one microsecond the one that we heard of first.
static int compare_age(const struct fold_request *a, const struct fold_request *b)
{
    if (a->at != b->at)
        return a->at < b->at ? -1 : 1;
    return (a->log_index > b->log_index) - (a->log_index < b->log_index);
}

static int compare_positions(const void *left, const void *right)
{
    const struct fold_request *a = *(const struct fold_request *const *)left;
    const struct fold_request *b = *(const struct fold_request *const *)right;
    if (a->position != b->position)
        return a->position < b->position ? -1 : 1;
    return compare_age(a, b);
}

static int compare_generations(const void *left, const void *right)
{
    const struct fold_request *a = *(const struct fold_request *const *)left;
    const struct fold_request *b = *(const struct fold_request *const *)right;
    if (a->generation != b->generation)
        return a->generation < b->generation ? -1 : 1;
    return compare_age(a, b);
}

// R18: scaling is no deployment; it is credited with the position that it made, and no other.
// A delete is kept apart: a terminal position has no generation to find it by, and often no
// position of the request either.
static void add_candidate(struct fold_requests *out, const struct fold_request *request)
{
    if (request->position != FOLD_NONE)
        out->by_position[out->position_count++] = request;
    if (request->generation != FOLD_NONE && request->subresource == NULL)
        out->by_generation[out->generation_count++] = request;
    bool is_delete = strcmp(request->verb, "delete") == 0 && request->subresource == NULL;
    if (is_delete && (out->deletion == NULL || compare_age(request, out->deletion) < 0))
        out->deletion = request;
}

// Sorted once a fold, so that each position finds its few by halving: a busy workload has thousands
// of requests.
void fold_requests_build(const struct fold_input *in, struct fold_arena *arena,
                         struct fold_requests *out)
{
    *out = (struct fold_requests){0};
    if (in->request_count == 0)
        return;
    out->by_position = fold_arena_array(arena, in->request_count, sizeof(*out->by_position));
    out->by_generation = fold_arena_array(arena, in->request_count, sizeof(*out->by_generation));
    for (size_t i = 0; i < in->request_count; i++) {
        if (fold_request_is_candidate(&in->requests[i]))
            add_candidate(out, &in->requests[i]);
    }
    qsort(out->by_position, out->position_count, sizeof(*out->by_position), compare_positions);
    qsort(out->by_generation, out->generation_count, sizeof(*out->by_generation),
          compare_generations);
}

// The first request of the list whose position is at least this.
static size_t first_of_position(const struct fold_requests *requests, int64_t position)
{
    size_t low = 0;
    size_t high = requests->position_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (requests->by_position[middle]->position < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t first_of_generation(const struct fold_requests *requests, int64_t generation)
{
    size_t low = 0;
    size_t high = requests->generation_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (requests->by_generation[middle]->generation < generation)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// R17: what was received after the position had begun did not make it, nor what made a later one.
// An apply at 10:00 makes position 100; the same apply at 10:05 changes nothing and is answered
// with 100 as well. Position 100 had begun by 10:00, so the second one is out.
static bool may_have_made(const struct fold_request *request, const struct fold_moment *moment)
{
    return request->at <= moment->upper.instant &&
           (request->position == FOLD_NONE || request->position <= moment->position);
}

static void give_exact(struct fold_credits *out, const struct fold_request *request,
                       struct fold_arena *arena)
{
    out->items = fold_arena_alloc(arena, sizeof(*out->items));
    out->items[0] = (struct fold_credit){request->log_index, true};
    out->count = 1;
}

static int compare_credits(const void *left, const void *right)
{
    const struct fold_credit *a = left;
    const struct fold_credit *b = right;
    return (a->request_index > b->request_index) - (a->request_index < b->request_index);
}

// Several generations went by unseen: everybody who may have had a part in them, once each.
static void give_ambiguous(const struct fold_requests *requests, const struct fold_moment *moment,
                           int64_t newest_before, struct fold_arena *arena,
                           struct fold_credits *out)
{
    size_t from = first_of_generation(requests, newest_before + 1);
    size_t to = first_of_generation(requests, moment->generation + 1);
    size_t at = first_of_position(requests, moment->position);
    size_t end = first_of_position(requests, moment->position + 1);
    out->items = fold_arena_array(arena, to - from + end - at, sizeof(*out->items));
    for (size_t i = from; i < to; i++) {
        if (may_have_made(requests->by_generation[i], moment))
            out->items[out->count++] =
                (struct fold_credit){requests->by_generation[i]->log_index, false};
    }
    for (size_t i = at; i < end; i++) {
        if (may_have_made(requests->by_position[i], moment))
            out->items[out->count++] =
                (struct fold_credit){requests->by_position[i]->log_index, false};
    }
    qsort(out->items, out->count, sizeof(*out->items), compare_credits);
    size_t used = 0;
    for (size_t i = 0; i < out->count; i++) {
        if (used == 0 || out->items[used - 1].request_index != out->items[i].request_index)
            out->items[used++] = out->items[i];
    }
    out->count = used;
}

// Only the earliest counts: when it came too late, all of them did (R17).
// A repeated apply returns the position that is there already, and so has it too; being later, it
// never comes first here.
static bool give_by_position(const struct fold_requests *requests, const struct fold_moment *moment,
                             struct fold_arena *arena, struct fold_credits *out)
{
    size_t at = first_of_position(requests, moment->position);
    if (at == requests->position_count || requests->by_position[at]->position != moment->position ||
        !may_have_made(requests->by_position[at], moment))
        return false;
    give_exact(out, requests->by_position[at], arena);
    return true;
}

// Requests of one generation are in order of age: the first that may have made it reached it (R18).
static void give_by_generation(const struct fold_requests *requests,
                               const struct fold_moment *moment, struct fold_arena *arena,
                               struct fold_credits *out)
{
    for (size_t i = first_of_generation(requests, moment->generation);
         i < requests->generation_count; i++) {
        const struct fold_request *request = requests->by_generation[i];
        if (request->generation != moment->generation)
            return;
        if (may_have_made(request, moment)) {
            give_exact(out, request, arena);
            return;
        }
    }
}

// Naming nobody is always right; naming the wrong one is an accusation. So a jump of generations is
// never `exact`, even with one candidate (D7).
void fold_credits_of(const struct fold_requests *requests, const struct fold_moment *moment,
                     int64_t newest_before, struct fold_arena *arena, struct fold_credits *out)
{
    *out = (struct fold_credits){0};
    if (moment->is_terminal) {
        if (requests->deletion != NULL)
            give_exact(out, requests->deletion, arena);
        return;
    }
    bool raises = moment->generation > newest_before; // never when it is not known
    if (raises && newest_before != FOLD_NONE && moment->generation - newest_before > 1)
        give_ambiguous(requests, moment, newest_before, arena, out);
    else if (!give_by_position(requests, moment, arena, out) && raises)
        give_by_generation(requests, moment, arena, out);
}

int64_t fold_credits_index(const struct fold_credits *credits)
{
    return credits->count == 0 ? 0 : credits->items[credits->count - 1].request_index;
}
