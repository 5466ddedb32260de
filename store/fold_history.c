// Orders readings, chooses their content, finds the end of the workload, and computes when each
// position began. What stood at a position is for the files behind this one.

#include "store/fold_history.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"

// A total order: whatever order facts come in, the same one decides.
bool fold_evidence_is_better(const struct fold_evidence *a, const struct fold_evidence *b)
{
    if (a->instant == FOLD_NONE || b->instant == FOLD_NONE)
        return a->instant != FOLD_NONE;
    if (a->instant != b->instant)
        return a->instant < b->instant;
    if (a->source != b->source)
        return a->source < b->source;
    return a->log_index < b->log_index;
}

// Takes the evidence when it decides.
// Say 100 was seen at 10:00:05 by the collector's clock, and the object at 110 tells 10:00:02: then
// 100 had begun by 10:00:02 as well.
static void improve(struct fold_evidence *best, int64_t instant, enum time_source source,
                    int64_t log_index)
{
    struct fold_evidence other = {instant, source, log_index};
    if (fold_evidence_is_better(&other, best))
        *best = other;
}

// Raises a lower bound; of equal instants the lower log index stands.
static void raise_bound(struct fold_bound *bound, int64_t instant, int64_t log_index)
{
    if (instant == FOLD_NONE)
        return;
    if (bound->instant == FOLD_NONE || instant > bound->instant ||
        (instant == bound->instant && log_index < bound->log_index))
        *bound = (struct fold_bound){instant, log_index};
}

static int compare_readings(const void *left, const void *right)
{
    const struct reading *a = *(const struct reading *const *)left;
    const struct reading *b = *(const struct reading *const *)right;
    if (a->position != b->position)
        return a->position < b->position ? -1 : 1;
    return a->log_index < b->log_index ? -1 : a->log_index > b->log_index;
}

// Readings from `start` on, in the history's order, up to the first position that is removed (R5).
// Sorted once; the chosen readings, times and the end are all found by walking through it.
struct ordered {
    const struct reading **readings;
    size_t count;
    bool is_removed;
};

// Sorts pointers: readings are large, and belong to the caller.
static struct ordered order_readings(const struct fold_input *in, const struct fold_start *start,
                                     struct fold_arena *arena)
{
    struct ordered list = {0};
    list.readings = fold_arena_array(arena, in->reading_count, sizeof(*list.readings));
    for (size_t i = 0; i < in->reading_count; i++) {
        if (in->readings[i].position >= start->position)
            list.readings[list.count++] = &in->readings[i];
    }
    qsort(list.readings, list.count, sizeof(*list.readings), compare_readings);
    // No reading has this position (fold_reading.c refuses it).
    int64_t end = INT64_MAX;
    for (size_t i = 0; i < list.count && list.readings[i]->position <= end; i++) {
        if (list.readings[i]->removed)
            end = list.readings[i]->position;
    }
    list.is_removed = end != INT64_MAX;
    while (list.count > 0 && list.readings[list.count - 1]->position > end)
        list.count--;
    return list;
}

// R2: the highest extractor's reading, then the lowest log index, has the content.
static void add_moment(struct fold_history *history, const struct ordered *list, size_t from,
                       size_t to, int64_t newest_generation)
{
    const struct reading *chosen = list->readings[from];
    for (size_t i = from + 1; i < to; i++) {
        if (list->readings[i]->extractor > chosen->extractor)
            chosen = list->readings[i];
    }
    int64_t generation = chosen->generation;
    history->moments[history->count++] = (struct fold_moment){
        .position = chosen->position,
        .generation = generation,
        .chosen = chosen,
        .fact_index = chosen->log_index,
        .newest_generation = generation > newest_generation ? generation : newest_generation,
        .upper = {.instant = FOLD_NONE},
        .lower = {.instant = FOLD_NONE},
    };
}

// Groups the ordered readings by position.
static void add_moments(struct fold_history *history, const struct ordered *list,
                        const struct fold_start *start)
{
    int64_t newest_generation = start->newest_generation;
    for (size_t from = 0, to; from < list->count; from = to) {
        for (to = from + 1; to < list->count; to++) {
            if (list->readings[to]->position != list->readings[from]->position)
                break;
        }
        add_moment(history, list, from, to, newest_generation);
        newest_generation = history->moments[history->count - 1].newest_generation;
    }
}

// The lowest position whose generation is at least this one; NULL when it is behind the start.
// newest_generation never falls from moment to moment, so halving finds it.
static struct fold_moment *moment_of_generation(const struct fold_history *history,
                                                const struct fold_start *start, int64_t generation)
{
    if (generation <= start->newest_generation)
        return NULL;
    size_t low = 0;
    size_t high = history->count - 1; // a position of this generation exists
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (history->moments[middle].newest_generation >= generation)
            high = middle;
        else
            low = middle + 1;
    }
    return &history->moments[low];
}

// Gives each moment the evidence and the lower bound that readings have for it alone.
// Every reading of a position counts for its time, not only the one chosen for its content (R2). A
// spec's time is evidence for the position that raised the generation, however late it was read
// (D4).
static void collect_times(struct fold_history *history, const struct ordered *list,
                          const struct fold_start *start)
{
    struct fold_moment *moment = history->moments;
    for (size_t i = 0; i < list->count; i++) {
        const struct reading *reading = list->readings[i];
        if (reading->position != moment->position)
            moment++;
        improve(&moment->upper, reading->at, reading->at_source, reading->log_index);
        raise_bound(&moment->lower, reading->not_before, reading->log_index);
        if (reading->spec_at == FOLD_NONE || moment->generation == FOLD_NONE)
            continue;
        struct fold_moment *raised = moment_of_generation(history, start, moment->generation);
        improve(raised == NULL ? &history->early : &raised->upper, reading->spec_at,
                reading->spec_source, reading->log_index);
    }
}

// A removal that has a position of its own, without a reading.
// There is a moment before it: a workload without a reading has no history at all.
static struct fold_moment *add_terminal(struct fold_history *history, enum fold_terminal kind,
                                        int64_t position, int64_t fact_index)
{
    struct fold_moment *moment = &history->moments[history->count++];
    *moment = (struct fold_moment){.position = position,
                                   .generation = FOLD_NONE,
                                   .fact_index = fact_index,
                                   .newest_generation = moment[-1].newest_generation,
                                   .is_terminal = true,
                                   .upper = {.instant = FOLD_NONE},
                                   .lower = {.instant = FOLD_NONE}};
    history->terminal = kind;
    return moment;
}

// A reading that says removed makes its position terminal; the lowest log index tells it first.
static void end_by_reading(struct fold_history *history, const struct ordered *list)
{
    struct fold_moment *last = &history->moments[history->count - 1];
    last->chosen = NULL;
    last->is_terminal = true;
    history->terminal = TERMINAL_DELETED;
    for (size_t i = list->count; i > 0 && list->readings[i - 1]->position == last->position; i--) {
        if (list->readings[i - 1]->removed)
            last->fact_index = list->readings[i - 1]->log_index;
    }
}

// R5: a delete answered with a status removes; without a position it sorts last.
// Behind a reading that says removed they only tell its time (docs/fold.md 1).
static void end_by_requests(struct fold_history *history, const struct fold_input *in)
{
    for (size_t i = 0; i < in->request_count; i++) {
        const struct fold_request *request = &in->requests[i];
        if (!fold_request_has_removed(request))
            continue;
        if (history->terminal == TERMINAL_NONE)
            add_terminal(history, TERMINAL_DELETED, INT64_MAX, request->log_index);
        struct fold_moment *last = &history->moments[history->count - 1];
        if (last->position == INT64_MAX && request->log_index < last->fact_index)
            last->fact_index = request->log_index;
        improve(&last->upper, request->at, TIME_AUDIT, request->log_index);
    }
}

// The greatest-position listing that has the workload as a member; NULL when there is none.
// With a selector too: being listed proves life, whatever the list leaves out (R4).
static const struct fold_listing *last_membership(const struct fold_input *in)
{
    const struct fold_listing *best = NULL;
    for (size_t i = 0; i < in->listing_count; i++) {
        const struct fold_listing *listing = &in->listings[i];
        if (!listing->has_member)
            continue;
        if (best == NULL || listing->position > best->position ||
            (listing->position == best->position &&
             (listing->listed_at > best->listed_at ||
              (listing->listed_at == best->listed_at && listing->log_index < best->log_index))))
            best = listing;
    }
    return best;
}

// R4: the lowest-position listing above life that lacks the workload.
static const struct fold_listing *removing_listing(const struct fold_input *in, int64_t life)
{
    const struct fold_listing *best = NULL;
    for (size_t i = 0; i < in->listing_count; i++) {
        const struct fold_listing *listing = &in->listings[i];
        if (listing->has_member || listing->has_selector || listing->position <= life)
            continue;
        if (best == NULL || listing->position < best->position ||
            (listing->position == best->position && listing->log_index < best->log_index))
            best = listing;
    }
    return best;
}

// R4: nobody saw it go, but a complete list above its last sign of life lacks it.
static void end_by_listings(struct fold_history *history, const struct fold_input *in)
{
    const struct fold_listing *member = last_membership(in);
    int64_t life = history->moments[history->count - 1].position;
    if (member != NULL && member->position > life)
        life = member->position;
    const struct fold_listing *listing = removing_listing(in, life);
    if (listing == NULL)
        return;
    struct fold_moment *last =
        add_terminal(history, TERMINAL_INFERRED, listing->position, listing->log_index);
    improve(&last->upper, listing->listed_at, TIME_LISTING, listing->log_index);
}

// Evidence for a position is evidence for all below it.
// From the top down, so that one pass carries each instant as far as it reaches.
static void spread_evidence(struct fold_history *history)
{
    for (size_t i = history->count - 1; i > 0; i--) {
        const struct fold_evidence *above = &history->moments[i].upper;
        if (fold_evidence_is_better(above, &history->moments[i - 1].upper))
            history->moments[i - 1].upper = *above;
    }
}

static int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

// An inferred removal cannot be before the last sign of life.
static void bound_inferred(const struct fold_input *in, const struct fold_moment *previous,
                           struct fold_moment *moment)
{
    // Its own not_before is none, since there is no reading: what is known is that it lived at the
    // position before.
    moment->lower = (struct fold_bound){previous->time, previous->time_index};
    const struct fold_listing *member = last_membership(in);
    if (member != NULL && member->listed_at > previous->time)
        moment->lower = (struct fold_bound){member->listed_at, member->log_index};
}

// Going up: lower bounds add up, and each position gets its time.
// A bound that lies above the evidence wins: better a late time than one that something says is
// wrong. Both only grow upwards, so times never fall (docs/fold.md 2).
static void settle_times(struct fold_history *history, const struct fold_input *in,
                         const struct fold_start *start)
{
    struct fold_bound lower = start->lower;
    for (size_t i = 0; i < history->count; i++) {
        struct fold_moment *moment = &history->moments[i];
        raise_bound(&lower, moment->lower.instant, moment->lower.log_index);
        moment->lower = lower;
        moment->time_source = moment->upper.source;
        if (moment->is_terminal && history->terminal == TERMINAL_INFERRED) {
            bound_inferred(in, moment - 1, moment);
            moment->time_source = TIME_INFERRED;
        }
        moment->time = greater(moment->upper.instant, moment->lower.instant);
        moment->time_index = moment->upper.log_index;
        if (moment->lower.instant != FOLD_NONE)
            moment->time_index = greater(moment->time_index, moment->lower.log_index);
    }
}

// The end is found before times are spread, since it brings evidence of its own.
void fold_history_build(const struct fold_input *in, const struct fold_start *start,
                        struct fold_arena *arena, struct fold_history *out)
{
    *out = (struct fold_history){.early = {.instant = FOLD_NONE}};
    struct ordered list = order_readings(in, start, arena);
    if (list.count == 0)
        return;
    // One more than there are readings: a removal may have a position of its own.
    out->moments = fold_arena_array(arena, list.count + 1, sizeof(*out->moments));
    add_moments(out, &list, start);
    collect_times(out, &list, start);
    if (list.is_removed)
        end_by_reading(out, &list);
    end_by_requests(out, in);
    if (out->terminal == TERMINAL_NONE)
        end_by_listings(out, in);
    spread_evidence(out);
    settle_times(out, in, start);
}
