// What was received while a position came about. Of requests that show neither position nor
// generation (audit level Metadata) only this tells what they made. Clocks and gaps make the window
// wide rather than narrow: a second candidate makes a credit ambiguous, a missed one would accuse
// somebody else. A window without a beginning proves nobody, and still shows that somebody may have
// been it. A review comes before its write, which may be refused yet: so its time counts as well.

#include "store/fold_credit.h"

#define ONE_SECOND INT64_C(1000000)

// A review has the clock of its receiver.
#define REVIEW_SLACK (5 * ONE_SECOND)
// How far a write, and the time in its managed fields, can be from its review: an API server gives
// a request 34 s, most of which other webhooks may take. The rest is for clocks.
#define REVIEW_REACH (40 * ONE_SECOND)

static int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

// A collector's clock need not agree with the API server's, and sees the write later than it was.
static bool is_by_collector(const struct fold_evidence *evidence)
{
    return evidence->source == TIME_COLLECTOR_CLOCK || evidence->source == TIME_LISTING;
}

// Whether a request is where the position's window lets it be.
enum fold_nearness {
    NEARNESS_FAR,    // it has nothing to do with the position
    NEARNESS_NEAR,   // it may have made it
    NEARNESS_WITHIN, // it proves whose it is
};

int64_t fold_window_end(const struct fold_moment *moment)
{
    return moment->upper.instant + FOLD_CLOCK_SLACK;
}

// The first sight of an object that was just made.
static bool is_birth(const struct fold_question *question)
{
    return !question->has_previous && question->moment->generation == 1;
}

// Whether the position before has evidence of its own of when it was there.
static bool has_previous_instant(const struct fold_question *question)
{
    const struct fold_evidence *before = &question->previous_upper;
    const struct fold_evidence *upper = &question->moment->upper;
    bool is_other = before->instant != upper->instant || before->log_index != upper->log_index ||
                    before->source != upper->source;
    return question->has_previous && is_other && !is_by_collector(before);
}

// What the position came after, as far as is sure; FOLD_NONE when nothing is.
// What an object held when it was found may have been there for long: of the first position only a
// birth has a beginning. A position that was seen late bears the time of a later status write,
// while its upper bound tells the spec's: then only what lies before the position bounds it.
static int64_t sure_start(const struct fold_question *question)
{
    const struct fold_moment *moment = question->moment;
    int64_t start = FOLD_NONE;
    if (!question->has_previous && !is_birth(question))
        return FOLD_NONE;
    if (moment->lower.instant <= moment->upper.instant)
        start = moment->lower.instant;
    else if (question->has_previous)
        start = question->previous_lower.instant;
    if (has_previous_instant(question))
        start = greater(start, question->previous_upper.instant);
    // The object's own word for when it was made, as the end of that second.
    if (is_birth(question) && moment->upper.source == TIME_OBJECT)
        start = greater(start, moment->upper.instant - ONE_SECOND);
    return start;
}

// Only a request's own kind tells these from the rest: a delete by name that succeeded has deleted,
// while a selector may have left the object out.
static bool has_weight_by_time(const struct fold_request *request)
{
    return request->role == ROLE_COLLECTION ||
           (request->is_admission && !fold_request_creates(request));
}

// Nothing else gets the uid that a create asks for, so its review needs no time. Where a collector
// saw the position before, it may have been told of it late, after an absence: what lies before
// that sight is no proof, and no proof against either, unless nothing better bounds the position.
static enum fold_nearness weigh(const struct fold_request *request,
                                const struct fold_question *question)
{
    if (!has_weight_by_time(request))
        return NEARNESS_WITHIN;
    int64_t end = question->moment->upper.instant;
    int64_t sure = sure_start(question);
    int64_t start = sure;
    if (question->has_previous)
        start = greater(
            start, greater(question->previous_upper.instant, question->previous_lower.instant));
    if (sure == FOLD_NONE)
        sure = start;
    if (request->at > end + REVIEW_REACH ||
        (sure != FOLD_NONE && request->at < sure - REVIEW_REACH))
        return NEARNESS_FAR;
    bool is_within = start != FOLD_NONE && request->at >= start - REVIEW_SLACK &&
                     request->at <= end + REVIEW_SLACK;
    return is_within ? NEARNESS_WITHIN : NEARNESS_NEAR;
}

const struct fold_request *fold_window_sift(const struct fold_question *question,
                                            struct fold_request_list *found)
{
    const struct fold_request *proof = NULL;
    size_t used = 0;
    for (size_t i = 0; i < found->count; i++) {
        enum fold_nearness nearness = weigh(found->items[i], question);
        if (nearness == NEARNESS_FAR)
            continue;
        found->items[used++] = found->items[i];
        if (proof == NULL && nearness == NEARNESS_WITHIN)
            proof = found->items[i];
    }
    found->count = used;
    return proof;
}

// Whether a request of its kind can have made a position of this kind.
static bool fits(const struct fold_request *request, const struct fold_question *question)
{
    if (fold_request_creates(request) != is_birth(question))
        return false;
    // A review by uid shows the generation when it was raised; scaling's answer is no object.
    return !(request->is_admission && request->role == ROLE_OBJECT &&
             request->subresource == NULL && fold_question_raises(question));
}

static int64_t instant_of(const struct fold_request *request)
{
    return request->at;
}

// The newest of those up to `end` that fit, for all of them: a workload has thousands, and every
// position without a beginning would share them. Of equally new ones the first that we heard of.
static void find_newest(const struct fold_request_list *list, const struct fold_question *question,
                        int64_t end, struct fold_request_list *found)
{
    const struct fold_request *newest = NULL;
    for (size_t i = fold_requests_from(list, instant_of, end + 1); i > 0; i--) {
        const struct fold_request *request = list->items[i - 1];
        if (newest != NULL && request->at < newest->at)
            break;
        if (fits(request, question))
            newest = request;
    }
    if (newest != NULL)
        found->items[found->count++] = newest;
}

bool fold_window_find(const struct fold_requests *requests, const struct fold_question *question,
                      struct fold_request_list *found)
{
    const struct fold_request_list *list = &requests->windowed;
    int64_t start = sure_start(question);
    int64_t end = fold_window_end(question->moment);
    if (start == FOLD_NONE) {
        find_newest(list, question, end, found);
        return false;
    }
    size_t from = fold_requests_from(list, instant_of, start - FOLD_CLOCK_SLACK);
    for (size_t i = from; i < list->count && list->items[i]->at <= end; i++) {
        if (fits(list->items[i], question))
            found->items[found->count++] = list->items[i];
    }
    return true;
}
