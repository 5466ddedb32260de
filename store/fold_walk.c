// Steps from position to position: which rows end, go on and begin, since when each version is
// present, and since when it is ready.

#include "store/fold_walk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fold_state_init(struct fold_state *state)
{
    *state = (struct fold_state){.previous_upper = {.instant = FOLD_NONE},
                                 .lower = {.instant = FOLD_NONE},
                                 .newest_generation = FOLD_NONE,
                                 .raised_upper = {.instant = FOLD_NONE}};
}

static int64_t greatest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

// The greatest log index behind a position: its content and its time.
static int64_t moment_index(const struct fold_moment *moment)
{
    return greatest(moment->fact_index, moment->time_index);
}

// Made of what the row is, not counted: a rebuild gives every row the id that people have already
// copied into tickets.
void fold_make_id(const struct fold_input *in, char prefix, const char *first, const char *second,
                  char id[24])
{
    const char *const members[] = {in->cluster, in->resource, in->uid, first, second};
    SCOPED_BUFFER text = {0};
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        buffer_append(&text, members[i], strlen(members[i]) + 1);
    uint8_t digest[DIGEST_BYTES];
    digest_sha256(text.data, text.length, digest);
    id[0] = prefix;
    id[1] = '-';
    hex_encode(digest, 8, id + 2);
}

bool fold_is_ready_for(const struct fold_state *state, const struct fold_moment *moment,
                       int64_t generation)
{
    const struct reading *reading = moment->chosen;
    if (!reading->ready_known || !reading->ready)
        return false;
    if (reading->observed_generation != FOLD_NONE && generation != FOLD_NONE)
        return reading->observed_generation >= generation;
    // Status may still speak of the spec before; it does not when the object was found like this.
    return !state->has_previous || state->previous_generation == moment->generation;
}

// R16. What a person stopped is stopped even when its status says failed.
// A draining version is neither failed nor serving: what status says is about the new one.
static const char *state_name(const struct fold_state *state, const struct fold_moment *moment,
                              const struct fold_placed *placed)
{
    if (placed->stopped)
        return "stopped";
    if (!placed->is_desired)
        return "lingering";
    if (moment->chosen->failed)
        return "failed";
    return fold_is_ready_for(state, moment, moment->generation) ? "serving" : "pending";
}

static int compare_presences(const void *left, const void *right)
{
    const struct fold_presence *a = left;
    const struct fold_presence *b = right;
    return memcmp(a->identity_key, b->identity_key, DIGEST_BYTES);
}

// By halving: an object may have 2000 placements, and each asks at every position.
static const struct fold_presence *find_presence(const struct fold_state *state, const uint8_t *key)
{
    size_t low = 0;
    size_t high = state->presence_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(state->presences[middle].identity_key, key, DIGEST_BYTES);
        if (order == 0)
            return &state->presences[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static const struct fold_presence *presence_of(const struct fold_state *state,
                                               const struct fold_open_row *row)
{
    const struct fold_presence *presence = find_presence(state, row->placed.identity_key);
    if (presence == NULL)
        abort(); // every open row has one
    return presence;
}

// A version enters the workload; whatever it is called from now on, this is since when (R10).
static struct fold_presence begin_presence(const struct fold_moment *moment, const uint8_t *key)
{
    struct fold_presence presence = {
        .position = moment->position,
        .at = moment->time,
        .after = moment->lower.instant,
        .time_source = moment->time_source,
        .generation = moment->generation,
        .start_index = moment_index(moment),
        .ready_at = FOLD_NONE,
    };
    memcpy(presence.identity_key, key, DIGEST_BYTES);
    return presence;
}

// R16: the instant that status gives for Ready, when it lies within what we know.
// Once ready stays ready: later trouble is told by the row's state. An instant outside of what we
// know would put readiness before the deployment or behind what was seen.
static void note_ready(const struct fold_state *state, const struct fold_moment *moment,
                       struct fold_presence *presence)
{
    if (presence->ready_at != FOLD_NONE || !fold_is_ready_for(state, moment, presence->generation))
        return;
    int64_t since = moment->chosen->ready_since;
    bool fits = since != FOLD_NONE && since >= presence->at && since <= moment->time;
    presence->ready_at = fits ? since : moment->time;
    presence->ready_index = moment_index(moment);
}

// Presences that go on, begin, and become ready; those whose identity is not placed any more end.
// One version may stand under two components at once (a promoted canary): that is one presence.
static void update_presences(struct fold_walk *walk, const struct fold_moment *moment,
                             const struct fold_placed *placed, size_t count)
{
    struct fold_state *state = &walk->state;
    struct fold_presence *list = fold_arena_array(fold_walk_memory(walk), count, sizeof(*list));
    for (size_t i = 0; i < count; i++) {
        const struct fold_presence *old = find_presence(state, placed[i].identity_key);
        list[i] = old != NULL ? *old : begin_presence(moment, placed[i].identity_key);
        note_ready(state, moment, &list[i]);
    }
    qsort(list, count, sizeof(*list), compare_presences);
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (used == 0 || compare_presences(&list[used - 1], &list[i]) != 0)
            list[used++] = list[i];
    }
    state->presences = list;
    state->presence_count = used;
}

// Emits a row; `end` is the position that ended it, NULL while it is open. revised_index (R25) is
// the greatest index of what decided the row: its start, the presence's start and credit, its name,
// readiness, its end.
static void end_row(struct fold_walk *walk, const struct fold_open_row *open,
                    const struct fold_moment *end)
{
    const struct fold_placed *placed = &open->placed;
    const struct fold_presence *presence = presence_of(&walk->state, open);
    struct fold_placement row = {
        .from_position = open->from_position,
        .component = placed->component,
        .model = placed->identity.model,
        .version = placed->identity.version,
        .artifact = placed->identity.artifact,
        .artifact_digest = placed->identity.artifact_digest,
        .identity_source = identity_source_name(placed->identity.source),
        .unknown_revision = placed->unknown_revision,
        .role = placed->role,
        .traffic_percent = placed->traffic,
        .stopped = placed->stopped,
        .state = open->state,
        .replicas = placed->replicas,
        .image = placed->image,
        .to_position = FOLD_NONE,
        .valid_from = open->valid_from,
        .valid_from_after = open->valid_from_after,
        .valid_to = FOLD_NONE,
        .valid_to_after = FOLD_NONE,
        .deployed_position = presence->position,
        .deployed_at = presence->at,
        .deployed_after = presence->after,
        .time_source = time_source_name(presence->time_source),
        .ready_at = presence->ready_at,
        .recorded_index = open->recorded_index,
        .revised_index = greatest(greatest(open->start_index, presence->start_index),
                                  greatest(placed->naming_index, presence->credit_index)),
    };
    if (presence->ready_at != FOLD_NONE)
        row.revised_index = greatest(row.revised_index, presence->ready_index);
    if (end != NULL) {
        row.to_position = end->position;
        row.valid_to = end->time;
        row.valid_to_after = end->lower.instant;
        row.revised_index = greatest(row.revised_index, moment_index(end));
    }
    memcpy(row.row_key, placed->row_key, DIGEST_BYTES);
    memcpy(row.placement_id, open->placement_id, sizeof(row.placement_id));
    fold_rows_add_placement(&walk->rows, &row);
}

// R10: whether a row goes on in this shape.
// State, image and replicas do not end a row: it tells them as of its last position.
static bool is_same_run(const struct fold_placed *a, const struct fold_placed *b)
{
    return memcmp(a->row_key, b->row_key, DIGEST_BYTES) == 0 && strcmp(a->role, b->role) == 0 &&
           a->traffic == b->traffic && a->stopped == b->stopped;
}

// placed and state are the caller's to set, for rows that go on too.
static struct fold_open_row begin_row(const struct fold_walk *walk,
                                      const struct fold_moment *moment,
                                      const struct fold_placed *placed)
{
    struct fold_open_row row = {
        .from_position = moment->position,
        .valid_from = moment->time,
        .valid_from_after = moment->lower.instant,
        .recorded_index = moment->fact_index,
        .start_index = moment_index(moment),
    };
    char key[DIGEST_HEX];
    hex_encode(placed->row_key, DIGEST_BYTES, key);
    char position[24];
    snprintf(position, sizeof(position), "%" PRId64, moment->position);
    fold_make_id(walk->in, 'd', key, position, row.placement_id);
    return row;
}

// Ends the rows that do not go on; gives the rows that are open now. Presences are still those of
// the position before, so that an ended row knows nothing of what came behind it.
// Both lists are in key order, so this is a merge: a key only before ends, a key only now begins,
// and one in both goes on when its shape is the same.
static struct fold_open_row *update_rows(struct fold_walk *walk, const struct fold_moment *moment,
                                         const struct fold_placed *placed, size_t count)
{
    const struct fold_state *state = &walk->state;
    struct fold_open_row *rows = fold_arena_array(fold_walk_memory(walk), count, sizeof(*rows));
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        while (at < state->row_count &&
               memcmp(state->rows[at].placed.row_key, placed[i].row_key, DIGEST_BYTES) < 0)
            end_row(walk, &state->rows[at++], moment);
        bool is_same = at < state->row_count && is_same_run(&state->rows[at].placed, &placed[i]);
        rows[i] = is_same ? state->rows[at++] : begin_row(walk, moment, &placed[i]);
        rows[i].placed = placed[i];
        rows[i].state = state_name(state, moment, &placed[i]);
        // The row of this key that did not go on is ended by the next turn, or below.
    }
    while (at < state->row_count)
        end_row(walk, &state->rows[at++], moment);
    return rows;
}

// Whether the raw placements are those of the position before, which may be known by digest only.
// The first step behind a checkpoint has no reading to compare with, only the digest.
static bool has_same_spec(struct fold_walk *walk)
{
    if (!walk->state.has_previous || walk->has_stepped)
        return walk->is_same_spec;
    return memcmp(fold_spec_digest(&walk->spec), walk->state.previous_spec, DIGEST_BYTES) == 0;
}

// The deletion began where the object was first seen to be deleting, or at its end. A terminal
// position is never resumed, so all positions are at hand.
static struct fold_question ask_removal(const struct fold_walk *walk)
{
    const struct fold_moment *moments = walk->history.moments;
    size_t begun = walk->history.count - 1;
    while (begun > 0 && moments[begun - 1].chosen->is_deleting)
        begun--;
    struct fold_question question = {.moment = &moments[begun],
                                     .newest_before = FOLD_NONE,
                                     .is_removal = true,
                                     .has_previous = begun > 0,
                                     .first_time = moments[0].time};
    if (begun > 0) {
        question.previous_upper = moments[begun - 1].upper;
        question.previous_lower = moments[begun - 1].lower;
    }
    return question;
}

// Who made this position. What came through status belongs to the position that raised the
// generation (R18).
// Credit at each position that raises the generation is remembered even when it changed nothing: a
// change of status may come later and belongs to it. Ambiguous credit is inherited as it is.
static struct fold_credits credits_of(struct fold_walk *walk, const struct fold_moment *moment)
{
    struct fold_state *state = &walk->state;
    struct fold_credits credits;
    if (moment->is_terminal) {
        struct fold_question removal = ask_removal(walk);
        fold_credits_of(&walk->requests, &removal, &walk->arena, &credits);
        return credits;
    }
    bool has_windowed = walk->requests.windowed.count > 0;
    struct fold_question question = {
        .moment = moment,
        .newest_before = state->newest_generation,
        .has_previous = state->has_previous,
        .previous_upper = state->previous_upper,
        .previous_lower = state->lower,
        // Asked only when it counts: behind a checkpoint it costs a digest.
        .has_other_spec = has_windowed && state->has_previous && !has_same_spec(walk),
    };
    fold_credits_of(&walk->requests, &question, &walk->arena, &credits);
    if (moment->generation > state->newest_generation) {
        state->newest_generation = moment->generation;
        state->raised_position = moment->position;
        state->raised_upper = moment->upper;
        state->raised_credits = credits;
    } else if (credits.count == 0 && moment->generation != FOLD_NONE &&
               moment->generation == state->newest_generation && has_same_spec(walk)) {
        return state->raised_credits;
    }
    return credits;
}

// Notes who made the changes at this position, also for the versions that entered with it.
static void add_attributions(struct fold_walk *walk, const struct fold_moment *moment,
                             const struct fold_credits *credits)
{
    for (size_t i = 0; i < credits->count; i++) {
        struct fold_attribution row = {
            .position = moment->position,
            .request_index = credits->items[i].request_index,
            .strength = fold_strength_name(credits->items[i].strength),
        };
        fold_rows_add_attribution(&walk->rows, &row);
    }
    for (size_t i = 0; i < walk->state.presence_count; i++) {
        struct fold_presence *presence = &walk->state.presences[i];
        if (presence->position == moment->position)
            presence->credit_index = fold_credits_index(credits);
    }
}

// previous_index is the reading's index without its time: that is what a change compares with
// (R25).
static void remember_position(struct fold_walk *walk, const struct fold_moment *moment)
{
    struct fold_state *state = &walk->state;
    state->has_previous = true;
    state->previous_position = moment->position;
    state->previous_generation = moment->generation;
    state->previous_index = moment->fact_index;
    state->previous_upper = moment->upper;
    state->lower = moment->lower;
    walk->has_stepped = true;
}

// Rows are ended before presences move on, and changes compared before rows are replaced: each
// reads the state of the position before.
void fold_walk_step(struct fold_walk *walk, const struct fold_moment *moment)
{
    walk->turn ^= 1;
    fold_arena_clear(fold_walk_memory(walk));
    size_t count;
    struct fold_placed *placed = fold_compose(walk, moment, &count);
    struct fold_credits credits = credits_of(walk, moment);
    bool has_changed = fold_walk_compare(walk, moment, placed, count, &credits);
    struct fold_open_row *rows = update_rows(walk, moment, placed, count);
    update_presences(walk, moment, placed, count);
    if (has_changed)
        add_attributions(walk, moment, &credits);
    walk->state.rows = rows;
    walk->state.row_count = count;
    fold_walk_routes(walk, moment);
    remember_position(walk, moment);
}

void fold_walk_finish(struct fold_walk *walk)
{
    for (size_t i = 0; i < walk->state.row_count; i++)
        end_row(walk, &walk->state.rows[i], NULL);
    fold_walk_finish_routes(walk);
}

void fold_walk_reset(struct fold_walk *walk)
{
    fold_keyset_reset(&walk->state.seen);
    fold_revisions_reset(&walk->revisions);
    fold_rows_reset(&walk->rows);
    fold_arena_reset(&walk->steps[0]);
    fold_arena_reset(&walk->steps[1]);
    fold_arena_reset(&walk->arena);
}
