// The fold's two doors: all facts at once, or on from a checkpoint. Both take the same steps, so
// that they cannot differ; this file decides when going on is safe.

#include "store/fold.h"

#include <string.h>

#include "store/fold_checkpoint.h"
#include "store/fold_walk.h"

static void walk_cleanup(struct fold_walk *walk)
{
    fold_walk_reset(walk);
}
#define SCOPED_WALK __attribute__((cleanup(walk_cleanup))) struct fold_walk

// Takes one step; the state before the newest one is the checkpoint.
static void walk_step(struct fold_walk *walk, size_t index, struct buffer *checkpoint)
{
    const struct fold_history *history = &walk->history;
    bool is_newest = index + 1 == history->count;
    if (is_newest && history->terminal == TERMINAL_NONE && checkpoint != NULL)
        fold_checkpoint_print(walk, &history->moments[index], checkpoint);
    fold_walk_step(walk, &history->moments[index]);
}

// Takes the steps from `index` on and emits what is open behind them.
// Sorted at the end: rows are emitted as they end, not as they begin.
static void walk_rest(struct fold_walk *walk, size_t index, struct buffer *checkpoint)
{
    for (; index < walk->history.count; index++)
        walk_step(walk, index, checkpoint);
    fold_walk_finish(walk);
    fold_rows_sort(&walk->rows);
}

static void give_checkpoint(struct fold_walk *walk, const struct buffer *text,
                            struct fold_output *out)
{
    out->is_removed = walk->history.terminal != TERMINAL_NONE;
    if (text->length == 0)
        return;
    out->checkpoint = fold_arena_bytes(&out->arena, text->data, text->length);
    out->checkpoint_position = walk->history.moments[walk->history.count - 1].position;
}

// No checkpoint, no start: everything is new.
// Revisions are mapped before the first step, because positions below a mapping may use it
// (docs/fold.md 3).
void fold_run(const struct fold_input *in, struct fold_output *out)
{
    *out = (struct fold_output){.replace_from = INT64_MIN};
    SCOPED_WALK walk = {.in = in};
    struct fold_start start = {INT64_MIN, FOLD_NONE, {.instant = FOLD_NONE}};
    fold_state_init(&walk.state);
    fold_history_build(in, &start, &walk.arena, &walk.history);
    fold_requests_build(in, &walk.arena, &walk.requests);
    fold_revisions_build(&walk.revisions, &walk.history);
    SCOPED_BUFFER checkpoint = {0};
    walk_rest(&walk, 0, &checkpoint);
    fold_rows_give(&walk.rows, out);
    give_checkpoint(&walk, &checkpoint, out);
}

// A request that may be credited with a position behind the checkpoint, or that removes.
// A generation that is not above the newest one below the checkpoint may be that of a position
// there, and a time that is not behind the last of those its own (docs/fold.md 8).
static bool request_reaches_back(const struct fold_request *request, int64_t position,
                                 const struct fold_state *state)
{
    if (!fold_request_matters(request))
        return false;
    if (fold_request_has_removed(request))
        return true;
    if (request->position != FOLD_NONE)
        return request->position < position;
    if (fold_request_is_windowed(request))
        return state->has_previous &&
               request->at <= state->previous_upper.instant + FOLD_CLOCK_SLACK;
    return request->generation != FOLD_NONE && request->generation <= state->newest_generation;
}

// Facts that change something behind the checkpoint, by what they are.
// Removals are always folded in full: they end the workload, and there is no checkpoint behind
// them. Repeats change nothing there; from the checkpoint's position on they are walked like all
// others.
static bool facts_reach_back(const struct fold_input *tail, const struct fold_state *state,
                             int64_t position)
{
    for (size_t i = 0; i < tail->reading_count; i++) {
        const struct reading *reading = &tail->readings[i];
        if (reading->removed || (reading->position < position && !reading->is_repeat))
            return true;
    }
    for (size_t i = 0; i < tail->listing_count; i++) {
        if (!tail->listings[i].has_member && !tail->listings[i].has_selector)
            return true;
    }
    for (size_t i = 0; i < tail->request_count; i++) {
        const struct fold_request *request = &tail->requests[i];
        if (request->log_index >= tail->new_from &&
            request_reaches_back(request, position, state) &&
            (fold_request_has_removed(request) || !request->is_repeat))
            return true;
    }
    return false;
}

// Evidence that would move a position behind the checkpoint.
static bool times_reach_back(const struct fold_walk *walk)
{
    const struct fold_state *state = &walk->state;
    return state->has_previous &&
           (fold_evidence_is_better(&walk->history.early, &state->raised_upper) ||
            fold_evidence_is_better(&walk->history.moments[0].upper, &state->previous_upper));
}

// Positions behind the checkpoint asked for revisions; the answers must still be the same.
static bool revisions_reach_back(struct fold_walk *walk)
{
    size_t count = walk->revisions.lookup_count;
    for (size_t i = 0; i < count; i++) {
        struct fold_lookup lookup = walk->revisions.lookups[i];
        const struct fold_revision *found =
            fold_revisions_find(&walk->revisions, walk->in, lookup.name, INT64_MAX, &walk->arena);
        // Asking noted the question again when there was no answer.
        walk->revisions.lookup_count = count;
        if ((found == NULL ? 0 : found->log_index) != lookup.log_index)
            return true;
    }
    return false;
}

// Reads the checkpoint and prepares the walk behind it.
// What needs no history is asked first, since it is cheap.
static bool walk_resume(struct fold_walk *walk, const char *text, bool *needs_full,
                        struct error *err)
{
    const struct fold_input *in = walk->in;
    struct fold_checkpoint checkpoint;
    if (!fold_checkpoint_read(text, walk, &checkpoint, err)) {
        *needs_full = err->react == REACT_REJECT;
        return false;
    }
    struct fold_start start = {checkpoint.position, walk->state.newest_generation,
                               walk->state.lower};
    *needs_full = checkpoint.rules_index != (in->rules == NULL ? 0 : in->rules->log_index) ||
                  facts_reach_back(in, &walk->state, checkpoint.position);
    if (*needs_full)
        return false;
    fold_history_build(in, &start, &walk->arena, &walk->history);
    fold_requests_build(in, &walk->arena, &walk->requests);
    fold_revisions_build(&walk->revisions, &walk->history);
    // The position that the checkpoint waits for must be there: the tail was loaded short
    // otherwise.
    *needs_full = walk->history.count == 0 ||
                  walk->history.moments[0].position != checkpoint.position ||
                  times_reach_back(walk) || revisions_reach_back(walk);
    return !*needs_full;
}

// The same input without the new facts.
// Listings are left out: an older one that lacked the workload would have left no checkpoint.
static void input_before(const struct fold_input *tail, struct fold_arena *arena,
                         struct fold_input *out)
{
    struct reading *readings = fold_arena_array(arena, tail->reading_count, sizeof(*readings));
    struct fold_request *requests = fold_arena_array(arena, tail->request_count, sizeof(*requests));
    *out = *tail;
    out->reading_count = 0;
    for (size_t i = 0; i < tail->reading_count; i++) {
        if (tail->readings[i].log_index < tail->new_from)
            readings[out->reading_count++] = tail->readings[i];
    }
    out->request_count = 0;
    for (size_t i = 0; i < tail->request_count; i++) {
        if (tail->requests[i].log_index < tail->new_from)
            requests[out->request_count++] = tail->requests[i];
    }
    out->readings = readings;
    out->requests = requests;
    out->listing_count = 0;
}

static bool has_new_candidate(const struct fold_input *tail)
{
    for (size_t i = 0; i < tail->request_count; i++) {
        if (tail->requests[i].log_index >= tail->new_from &&
            fold_request_matters(&tail->requests[i]))
            return true;
    }
    return false;
}

// Whether the first position stands as it did in the last fold. (The readings chosen are the same
// when their log indices are; lower bounds come from positions up to it.)
// Errs to "no": then a second walk is made, which costs time and changes nothing.
static bool is_first_settled(const struct fold_walk *after, const struct fold_walk *before)
{
    const struct fold_moment *now = &after->history.moments[0];
    const struct fold_moment *then = &before->history.moments[0];
    return before->history.count == 1 && now->fact_index == then->fact_index &&
           now->time == then->time && now->time_source == then->time_source &&
           now->time_index == then->time_index && now->lower.instant == then->lower.instant &&
           now->upper.instant == then->upper.instant && !has_new_candidate(after->in);
}

// Whether the step asked for revisions that only newer positions explain.
static bool has_asked_ahead(const struct fold_walk *walk, size_t lookups_before)
{
    for (size_t i = lookups_before; i < walk->revisions.lookup_count; i++) {
        if (walk->revisions.lookups[i].position != INT64_MAX)
            return true;
    }
    return false;
}

// What the last fold gave from the checkpoint on, taken from the walk's state behind its first
// step.
// Finishing emits the open rows, but the walk has to go on: so it is done to a copy of its lists,
// which then are swapped back.
static void copy_rows_now(struct fold_walk *walk, struct fold_rows *out)
{
    struct fold_rows rows = walk->rows;
    fold_rows_copy(&rows, out);
    walk->rows = *out;
    fold_walk_finish(walk);
    *out = walk->rows;
    walk->rows = rows;
    fold_rows_sort(out);
}

// Prepares the walk that the last fold took from the checkpoint on, to write only what differs.
// Its state is read from the checkpoint only when it has to be walked.
static bool walk_before(const struct fold_walk *after, struct fold_walk *before)
{
    struct fold_start start = {after->history.moments[0].position, after->state.newest_generation,
                               after->state.lower};
    fold_history_build(before->in, &start, &before->arena, &before->history);
    // Another generation of this position would let its evidence speak for others than it did.
    return before->history.count > 0 &&
           before->history.moments[0].position == after->history.moments[0].position &&
           before->history.moments[0].generation == after->history.moments[0].generation;
}

static void rows_cleanup(struct fold_rows *rows)
{
    fold_rows_reset(rows);
}

// `after` walks checkpoint, older facts of its position and new facts, and makes the new rows and
// the new checkpoint. `before` walks the same without the new facts: what is stored from that
// position on. What the caller writes is the difference. When nothing about the position itself
// changed, the state after its step is what `before` would come to, and the second walk is spared.
bool fold_resume(const char *checkpoint, const struct fold_input *tail, struct fold_output *out,
                 bool *needs_full, struct error *err)
{
    *out = (struct fold_output){.replace_from = INT64_MAX};
    SCOPED_WALK after = {.in = tail};
    if (!walk_resume(&after, checkpoint, needs_full, err))
        return false;
    struct fold_input old;
    SCOPED_WALK before = {.in = &old};
    input_before(tail, &after.arena, &old);
    *needs_full = !walk_before(&after, &before);
    if (*needs_full)
        return false;
    SCOPED_BUFFER text = {0};
    __attribute__((cleanup(rows_cleanup))) struct fold_rows rows = {0};
    size_t lookups = after.revisions.lookup_count;
    bool is_settled = is_first_settled(&after, &before);
    walk_step(&after, 0, &text);
    if (is_settled && !has_asked_ahead(&after, lookups)) {
        copy_rows_now(&after, &rows);
    } else {
        before.history = (struct fold_history){0};
        if (!walk_resume(&before, checkpoint, needs_full, err))
            return false;
        walk_rest(&before, 0, NULL);
        fold_rows_copy(&before.rows, &rows);
    }
    walk_rest(&after, 1, &text);
    out->replace_from = fold_rows_subtract(&after.rows, &rows);
    fold_rows_give(&after.rows, out);
    give_checkpoint(&after, &text, out);
    return true;
}

void fold_output_reset(struct fold_output *out)
{
    fold_arena_reset(&out->arena);
    *out = (struct fold_output){0};
}
