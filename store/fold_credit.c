// Finds the requests behind a position: by resulting position, else by generation, else by time
// (fold_window.c), and nobody when several may have been it. Removals are in fold_removal.c.
// Whether a change came through status, and so inherits an earlier credit, is decided by the walk,
// which knows both specs.

#include "store/fold_credit.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"

static const char *const strength_names[] = {
    [STRENGTH_AMBIGUOUS] = "ambiguous",
    [STRENGTH_EXACT] = "exact",
    [STRENGTH_UNIQUE] = "unique",
    [STRENGTH_EXECUTED] = "executed",
};

const char *fold_strength_name(enum fold_strength strength)
{
    return strength_names[strength];
}

// Who came first; of two in one microsecond the one that we heard of first.
int fold_request_compare_age(const struct fold_request *a, const struct fold_request *b)
{
    if (a->at != b->at)
        return a->at < b->at ? -1 : 1;
    return (a->log_index > b->log_index) - (a->log_index < b->log_index);
}

static int compare_ages(const void *left, const void *right)
{
    return fold_request_compare_age(*(const struct fold_request *const *)left,
                                    *(const struct fold_request *const *)right);
}

static int compare_positions(const void *left, const void *right)
{
    const struct fold_request *a = *(const struct fold_request *const *)left;
    const struct fold_request *b = *(const struct fold_request *const *)right;
    if (a->position != b->position)
        return a->position < b->position ? -1 : 1;
    return fold_request_compare_age(a, b);
}

static int compare_generations(const void *left, const void *right)
{
    const struct fold_request *a = *(const struct fold_request *const *)left;
    const struct fold_request *b = *(const struct fold_request *const *)right;
    if (a->generation != b->generation)
        return a->generation < b->generation ? -1 : 1;
    return fold_request_compare_age(a, b);
}

static void add(struct fold_request_list *list, const struct fold_request *request)
{
    list->items[list->count++] = request;
}

// R18: scaling is no deployment; it is credited with the position that it made, and no other.
// What deletes is kept apart too: a terminal position has no generation to find it by, and often no
// position of the request either.
static void add_candidate(struct fold_requests *out, const struct fold_request *request)
{
    bool is_delete = request->role != ROLE_OBJECT && request->role != ROLE_NAME;
    if (request->position != FOLD_NONE)
        add(&out->by_position, request);
    if (request->generation != FOLD_NONE && request->subresource == NULL)
        add(request->is_admission ? &out->reviews : &out->by_generation, request);
    if (fold_request_is_windowed(request))
        add(&out->windowed, request);
    if (is_delete || (strcmp(request->verb, "delete") == 0 && request->subresource == NULL))
        add(&out->removals, request);
}

static void sort(struct fold_request_list *list, int (*compare)(const void *, const void *))
{
    if (list->count > 1)
        qsort(list->items, list->count, sizeof(*list->items), compare);
}

// Sorted once a fold, so that each position finds its few by halving: a busy workload has thousands
// of requests.
void fold_requests_build(const struct fold_input *in, struct fold_arena *arena,
                         struct fold_requests *out)
{
    *out = (struct fold_requests){0};
    if (in->request_count == 0)
        return;
    struct fold_request_list *const lists[] = {&out->by_position, &out->by_generation,
                                               &out->reviews, &out->windowed, &out->removals};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        lists[i]->items = fold_arena_array(arena, in->request_count, sizeof(*lists[i]->items));
    for (size_t i = 0; i < in->request_count; i++) {
        if (fold_request_is_candidate(&in->requests[i]))
            add_candidate(out, &in->requests[i]);
    }
    sort(&out->by_position, compare_positions);
    sort(&out->by_generation, compare_generations);
    sort(&out->reviews, compare_generations);
    sort(&out->windowed, compare_ages);
    sort(&out->removals, compare_ages);
}

size_t fold_requests_from(const struct fold_request_list *list, fold_request_key *key,
                          int64_t value)
{
    size_t low = 0;
    size_t high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (key(list->items[middle]) < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int64_t position_of(const struct fold_request *request)
{
    return request->position;
}

static int64_t generation_of(const struct fold_request *request)
{
    return request->generation;
}

static size_t first_of_position(const struct fold_request_list *list, int64_t position)
{
    return fold_requests_from(list, position_of, position);
}

static size_t first_of_generation(const struct fold_request_list *list, int64_t generation)
{
    return fold_requests_from(list, generation_of, generation);
}

// R17: what was received after the position had begun did not make it, nor what made a later one.
// An apply at 10:00 makes position 100; the same apply at 10:05 changes nothing and is answered
// with 100 as well. Position 100 had begun by 10:00, so the second one is out.
static bool may_have_made(const struct fold_request *request, const struct fold_moment *moment)
{
    return request->at <= moment->upper.instant &&
           (request->position == FOLD_NONE || request->position <= moment->position);
}

bool fold_question_raises(const struct fold_question *question)
{
    // Never when it is not known: FOLD_NONE is below every generation.
    return question->moment->generation > question->newest_before;
}

void fold_credits_give(struct fold_credits *out, const struct fold_request *request,
                       enum fold_strength strength, struct fold_arena *arena)
{
    out->items = fold_arena_alloc(arena, sizeof(*out->items));
    out->items[0] = (struct fold_credit){request->log_index, strength};
    out->count = 1;
}

static int compare_credits(const void *left, const void *right)
{
    const struct fold_credit *a = left;
    const struct fold_credit *b = right;
    return (a->request_index > b->request_index) - (a->request_index < b->request_index);
}

// By audit id, then by age. Those without one are each their own.
static int compare_audit_ids(const void *left, const void *right)
{
    const struct fold_request *a = *(const struct fold_request *const *)left;
    const struct fold_request *b = *(const struct fold_request *const *)right;
    int order =
        strcmp(a->audit_id == NULL ? "" : a->audit_id, b->audit_id == NULL ? "" : b->audit_id);
    return order != 0 ? order : fold_request_compare_age(a, b);
}

void fold_requests_unite(struct fold_request_list *list)
{
    sort(list, compare_audit_ids);
    size_t used = 0;
    for (size_t i = 0; i < list->count; i++) {
        const char *id = list->items[i]->audit_id;
        bool is_repeat =
            used > 0 && (list->items[used - 1] == list->items[i] ||
                         (id != NULL && text_equal(list->items[used - 1]->audit_id, id)));
        if (!is_repeat)
            list->items[used++] = list->items[i];
    }
    list->count = used;
}

bool fold_requests_are_of_one(const struct fold_request_list *list)
{
    for (size_t i = 1; i < list->count; i++) {
        if (!text_equal(list->items[0]->principal, list->items[i]->principal) ||
            !text_equal(list->items[0]->impersonated_by, list->items[i]->impersonated_by))
            return false;
    }
    return true;
}

void fold_credits_share(struct fold_credits *out, struct fold_request_list *found,
                        struct fold_arena *arena)
{
    fold_requests_unite(found);
    struct fold_credit *items = fold_arena_array(arena, found->count, sizeof(*items));
    for (size_t i = 0; i < found->count; i++)
        items[i] = (struct fold_credit){found->items[i]->log_index, STRENGTH_AMBIGUOUS};
    if (found->count > 1)
        qsort(items, found->count, sizeof(*items), compare_credits);
    out->items = items;
    out->count = found->count;
}

static struct fold_request_list room_for(size_t count, struct fold_arena *arena)
{
    return (struct fold_request_list){
        fold_arena_array(arena, count, sizeof(const struct fold_request *)), 0};
}

// Several generations went by unseen: everybody who may have had a part in them, once each.
static void give_ambiguous(const struct fold_requests *requests,
                           const struct fold_question *question, struct fold_arena *arena,
                           struct fold_credits *out)
{
    const struct fold_moment *moment = question->moment;
    size_t from = first_of_generation(&requests->by_generation, question->newest_before + 1);
    size_t to = first_of_generation(&requests->by_generation, moment->generation + 1);
    size_t at = first_of_position(&requests->by_position, moment->position);
    size_t end = first_of_position(&requests->by_position, moment->position + 1);
    size_t review = first_of_generation(&requests->reviews, question->newest_before + 1);
    size_t last = first_of_generation(&requests->reviews, moment->generation + 1);
    struct fold_request_list found =
        room_for(to - from + end - at + last - review + requests->windowed.count, arena);
    for (size_t i = from; i < to; i++) {
        if (may_have_made(requests->by_generation.items[i], moment))
            add(&found, requests->by_generation.items[i]);
    }
    for (size_t i = at; i < end; i++) {
        if (may_have_made(requests->by_position.items[i], moment))
            add(&found, requests->by_position.items[i]);
    }
    for (size_t i = review; i < last; i++)
        add(&found, requests->reviews.items[i]);
    (void)fold_window_find(requests, question, &found); // nobody is proven either way
    fold_credits_share(out, &found, arena);
}

// Whether the request may be credited with this strength. What an object held when it was found may
// be of any age: a label has its position and its generation too, and a request that raised the
// generation may have changed something else. There only the creation is a proof.
static bool supports(const struct fold_request *request, const struct fold_question *question,
                     enum fold_strength strength)
{
    return strength != STRENGTH_EXACT || question->has_previous || fold_request_creates(request);
}

// Only the earliest counts: when it came too late, all of them did (R17).
// A repeated apply returns the position that is there already, and so has it too; being later, it
// never comes first here.
static bool give_by_position(const struct fold_requests *requests,
                             const struct fold_question *question, enum fold_strength strength,
                             struct fold_arena *arena, struct fold_credits *out)
{
    const struct fold_request_list *list = &requests->by_position;
    const struct fold_moment *moment = question->moment;
    for (size_t i = first_of_position(list, moment->position); i < list->count; i++) {
        const struct fold_request *request = list->items[i];
        if (request->position != moment->position || !may_have_made(request, moment))
            return false;
        if (supports(request, question, strength)) {
            fold_credits_give(out, request, strength, arena);
            return true;
        }
    }
    return false;
}

// Requests of one generation are in order of age: the first that may have made it reached it (R18).
static bool give_by_generation(const struct fold_requests *requests,
                               const struct fold_question *question, enum fold_strength strength,
                               struct fold_arena *arena, struct fold_credits *out)
{
    const struct fold_request_list *list = &requests->by_generation;
    const struct fold_moment *moment = question->moment;
    for (size_t i = first_of_generation(list, moment->generation); i < list->count; i++) {
        const struct fold_request *request = list->items[i];
        if (request->generation != moment->generation)
            return false;
        if (may_have_made(request, moment) && supports(request, question, strength)) {
            fold_credits_give(out, request, strength, arena);
            return true;
        }
    }
    return false;
}

// A review that asks for this generation is that of the write that made it, or of one that failed:
// so of two people's nobody knows whose came about, and one that is long past has failed.
static bool give_by_review(const struct fold_requests *requests,
                           const struct fold_question *question, enum fold_strength strength,
                           struct fold_arena *arena, struct fold_credits *out)
{
    int64_t generation = question->moment->generation;
    size_t from = first_of_generation(&requests->reviews, generation);
    size_t to = first_of_generation(&requests->reviews, generation + 1);
    struct fold_request_list found = room_for(to - from, arena);
    for (size_t i = from; i < to; i++) {
        if (supports(requests->reviews.items[i], question, strength))
            add(&found, requests->reviews.items[i]);
    }
    const struct fold_request *proof = fold_window_sift(question, &found);
    if (found.count == 0)
        return false;
    if (proof != NULL && fold_requests_are_of_one(&found))
        fold_credits_give(out, proof, strength, arena);
    else
        fold_credits_share(out, &found, arena);
    return true;
}

// What has only a time: the one that was received while the position came about.
static void give_by_window(const struct fold_requests *requests,
                           const struct fold_question *question, struct fold_arena *arena,
                           struct fold_credits *out)
{
    struct fold_request_list found = room_for(requests->windowed.count, arena);
    bool is_bounded = fold_window_find(requests, question, &found);
    fold_requests_unite(&found);
    if (found.count == 1 && is_bounded)
        fold_credits_give(out, found.items[0], STRENGTH_UNIQUE, arena);
    else if (found.count > 0)
        fold_credits_share(out, &found, arena);
}

// What names the position or its generation.
static bool give_by_number(const struct fold_requests *requests,
                           const struct fold_question *question, enum fold_strength strength,
                           struct fold_arena *arena, struct fold_credits *out)
{
    return give_by_position(requests, question, strength, arena, out) ||
           (fold_question_raises(question) &&
            (give_by_generation(requests, question, strength, arena, out) ||
             give_by_review(requests, question, strength, arena, out)));
}

// Naming nobody is always right; naming the wrong one is an accusation. So a jump of generations is
// never `exact`, even with one candidate (D7).
void fold_credits_of(const struct fold_requests *requests, const struct fold_question *question,
                     struct fold_arena *arena, struct fold_credits *out)
{
    const struct fold_moment *moment = question->moment;
    *out = (struct fold_credits){0};
    if (question->is_removal) {
        fold_removal_credit(requests, question, arena, out);
        return;
    }
    bool raises = fold_question_raises(question);
    if (raises && question->newest_before != FOLD_NONE &&
        moment->generation - question->newest_before > 1) {
        give_ambiguous(requests, question, arena, out);
        return;
    }
    if (give_by_number(requests, question, STRENGTH_EXACT, arena, out))
        return;
    // Found without its creation: whoever wrote it may have been it, so that it is no alarm.
    if (!question->has_previous &&
        give_by_number(requests, question, STRENGTH_AMBIGUOUS, arena, out))
        return;
    if (requests->windowed.count > 0 && (raises || question->has_other_spec))
        give_by_window(requests, question, arena, out);
}

int64_t fold_credits_index(const struct fold_credits *credits)
{
    return credits->count == 0 ? 0 : credits->items[credits->count - 1].request_index;
}
