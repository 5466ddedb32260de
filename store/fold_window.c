// Requests that show neither position nor generation (audit level Metadata): which of them were
// received while a position came about. Clocks and gaps make the window wide rather than narrow: a
// second candidate makes a credit ambiguous, a missed one would accuse somebody else. A window
// without a beginning proves nobody, and still shows that somebody may have been it.

#include "store/fold_credit.h"

#define ONE_SECOND INT64_C(1000000)

static int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

// A collector's clock need not agree with the API server's, and sees the write later than it was.
static bool is_by_collector(const struct fold_evidence *evidence)
{
    return evidence->source == TIME_COLLECTOR_CLOCK || evidence->source == TIME_LISTING;
}

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

// The earliest instant at which it may have been received; FOLD_NONE when none is known.
// What an object held when it was found may have been there for long: of the first position only a
// birth has a beginning. A position that was seen late bears the time of a later status write,
// while its upper bound tells the spec's: then only what lies before the position bounds it.
static int64_t window_start(const struct fold_question *question)
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
    return start == FOLD_NONE ? FOLD_NONE : start - FOLD_CLOCK_SLACK;
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
    int64_t start = window_start(question);
    int64_t end = fold_window_end(question->moment);
    if (start == FOLD_NONE) {
        find_newest(list, question, end, found);
        return false;
    }
    size_t from = fold_requests_from(list, instant_of, start);
    for (size_t i = from; i < list->count && list->items[i]->at <= end; i++) {
        if (fits(list->items[i], question))
            found->items[found->count++] = list->items[i];
    }
    return true;
}
