// Who removed a workload: who deleted it by uid, by name, or with its whole collection. What two of
// Kubernetes' controllers delete, they delete for somebody: whoever deleted the namespace or the
// owner.

#include <string.h>

#include "common/text.h"
#include "store/fold_credit.h"

#define NAMESPACE_CONTROLLER "system:serviceaccount:kube-system:namespace-controller"
#define GARBAGE_COLLECTOR "system:serviceaccount:kube-system:generic-garbage-collector"

// A successful delete of the uid cannot be undone, so the first one was it (R18).
static const struct fold_request *first_delete(const struct fold_requests *requests)
{
    for (size_t i = 0; i < requests->removals.count; i++) {
        const struct fold_request *request = requests->removals.items[i];
        if (request->role == ROLE_OBJECT && !request->is_admission)
            return request;
    }
    return NULL;
}

static bool is_in_life(const struct fold_request *request, const struct fold_question *question)
{
    return request->at > question->first_time && request->at <= fold_window_end(question->moment);
}

// The removals of one role; all by uid are reviews by now.
static struct fold_request_list find_of(const struct fold_requests *requests,
                                        const struct fold_question *question,
                                        enum request_role role, struct fold_arena *arena)
{
    struct fold_request_list found = {
        fold_arena_array(arena, requests->removals.count, sizeof(*found.items)), 0};
    for (size_t i = 0; i < requests->removals.count; i++) {
        const struct fold_request *request = requests->removals.items[i];
        if (request->role == role && (role == ROLE_OBJECT || is_in_life(request, question)))
            found.items[found.count++] = request;
    }
    return found;
}

// Somebody who deletes twice is still the one who deleted.
static const struct fold_request *choose(struct fold_request_list *found,
                                         const struct fold_request *proof,
                                         enum fold_strength strength, struct fold_arena *arena,
                                         struct fold_credits *out)
{
    fold_requests_unite(found);
    if (proof == NULL || (found->count > 1 && !fold_requests_are_of_one(found))) {
        fold_credits_share(out, found, arena);
        return NULL;
    }
    fold_credits_give(out, proof, strength, arena);
    return proof;
}

// From the surest to the least sure: a collection may have been deleted by a selector that left
// this object out, so who named it comes first.
static const struct fold_request *credit_removal(const struct fold_requests *requests,
                                                 const struct fold_question *question,
                                                 struct fold_arena *arena, struct fold_credits *out)
{
    static const enum request_role roles[] = {ROLE_OBJECT, ROLE_NAME, ROLE_COLLECTION};
    const struct fold_request *first = first_delete(requests);
    if (first != NULL) {
        fold_credits_give(out, first, STRENGTH_EXACT, arena);
        return first;
    }
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        struct fold_request_list found = find_of(requests, question, roles[i], arena);
        const struct fold_request *proof = fold_window_sift(question, &found);
        if (found.count > 0)
            return choose(&found, proof, roles[i] == ROLE_OBJECT ? STRENGTH_EXACT : STRENGTH_UNIQUE,
                          arena, out);
    }
    return NULL;
}

// The newest request of the role that is not later; of equally old ones the first that we heard of.
// What was deleted before the workload was there, was another namespace or owner of that name.
static const struct fold_request *newest_cause(const struct fold_requests *requests,
                                               const struct fold_question *question,
                                               enum request_role role, int64_t at)
{
    const struct fold_request *newest = NULL;
    for (size_t i = 0; i < requests->removals.count; i++) {
        const struct fold_request *request = requests->removals.items[i];
        if (request->role == role && request->at > question->first_time && request->at <= at &&
            (newest == NULL || request->at > newest->at))
            newest = request;
    }
    return newest;
}

// Puts the cause in the controller's place, and keeps the controller beside it.
static void credit_cause(const struct fold_request *executed, const struct fold_request *cause,
                         struct fold_arena *arena, struct fold_credits *out)
{
    struct fold_credit rows[] = {{cause->log_index, STRENGTH_UNIQUE},
                                 {executed->log_index, STRENGTH_EXECUTED}};
    size_t first = cause->log_index < executed->log_index ? 0 : 1;
    out->items = fold_arena_array(arena, 2, sizeof(*out->items));
    out->items[0] = rows[first];
    out->items[1] = rows[1 - first];
    out->count = 2;
}

void fold_removal_credit(const struct fold_requests *requests, const struct fold_question *question,
                         struct fold_arena *arena, struct fold_credits *out)
{
    const struct fold_request *credited = credit_removal(requests, question, arena, out);
    const struct fold_request *cause = NULL;
    if (credited == NULL)
        return;
    if (text_equal(credited->principal, NAMESPACE_CONTROLLER))
        cause = newest_cause(requests, question, ROLE_NAMESPACE, credited->at);
    else if (text_equal(credited->principal, GARBAGE_COLLECTOR))
        cause = newest_cause(requests, question, ROLE_OWNER, credited->at);
    if (cause != NULL)
        credit_cause(credited, cause, arena, out);
}
