// Compares what was desired at one position with the next (R12).

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/fold_walk.h"

static int compare_components(const void *left, const void *right)
{
    const struct fold_placed *a = *(const struct fold_placed *const *)left;
    const struct fold_placed *b = *(const struct fold_placed *const *)right;
    return strcmp(a->component, b->component);
}

struct desired {
    const struct fold_placed **items; // ascending by component
    size_t count;
};

// Every desired placement of the position before has an open row.
// Read from the state, so that it works behind a checkpoint too.
static struct desired desired_before(struct fold_walk *walk)
{
    const struct fold_state *state = &walk->state;
    struct desired list = {
        fold_arena_array(fold_walk_memory(walk), state->row_count, sizeof(*list.items)), 0};
    for (size_t i = 0; i < state->row_count; i++) {
        if (state->rows[i].placed.is_desired)
            list.items[list.count++] = &state->rows[i].placed;
    }
    qsort(list.items, list.count, sizeof(*list.items), compare_components);
    return list;
}

static struct desired desired_after(struct fold_walk *walk, const struct fold_placed *placed,
                                    size_t count)
{
    struct desired list = {fold_arena_array(fold_walk_memory(walk), count, sizeof(*list.items)), 0};
    for (size_t i = 0; i < count; i++) {
        if (placed[i].is_desired)
            list.items[list.count++] = &placed[i];
    }
    qsort(list.items, list.count, sizeof(*list.items), compare_components);
    return list;
}

// The kind of change from one to the other; NULL when there is none.
// The row key has component and identity, so "seen" asks whether this very component had this
// version before: the same version elsewhere in the workload is no rollback (R12).
static const char *change_type(const struct fold_state *state, const struct fold_placed *from,
                               const struct fold_placed *to)
{
    if (from == NULL)
        return "deployed";
    if (to == NULL)
        return "removed";
    if (memcmp(from->row_key, to->row_key, DIGEST_BYTES) != 0)
        return fold_keyset_has(&state->seen, to->row_key) ? "rolled_back" : "upgraded";
    bool same = strcmp(from->role, to->role) == 0 && from->traffic == to->traffic &&
                from->stopped == to->stopped;
    return same ? NULL : "reconfigured";
}

// `initial` tells readers that it stood there when we first looked: nobody was seen deploying it.
static const char *change_reason(const struct fold_walk *walk, const struct fold_moment *moment)
{
    if (moment->is_terminal)
        return walk->history.terminal == TERMINAL_INFERRED ? "inferred" : "deleted";
    return walk->state.has_previous ? NULL : "initial";
}

// Both sides of the change; a side that is not there stays NULL.
// The role is the one after: a promotion is told with what it led to.
static void describe(struct fold_change *row, const struct fold_placed *from,
                     const struct fold_placed *to)
{
    row->component = to != NULL ? to->component : from->component;
    row->role = to != NULL ? to->role : from->role;
    row->from_traffic_percent = FOLD_NONE;
    row->to_traffic_percent = FOLD_NONE;
    if (from != NULL) {
        row->from_model = from->identity.model;
        row->from_version = from->identity.version;
        row->from_artifact = from->identity.artifact;
        row->from_traffic_percent = from->traffic;
    }
    if (to != NULL) {
        row->to_model = to->identity.model;
        row->to_version = to->identity.version;
        row->to_artifact = to->identity.artifact;
        row->to_traffic_percent = to->traffic;
    }
}

static int64_t greatest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

// R25: what decided that there is a change, when it was, what it is called, and who made it.
static int64_t revised_index(const struct fold_walk *walk, const struct fold_moment *moment,
                             const struct fold_placed *from, const struct fold_placed *to,
                             const struct fold_credits *credits)
{
    int64_t index = greatest(moment->fact_index, moment->time_index);
    if (walk->state.has_previous)
        index = greatest(index, walk->state.previous_index);
    if (from != NULL)
        index = greatest(index, from->naming_index);
    if (to != NULL)
        index = greatest(index, to->naming_index);
    return greatest(index, fold_credits_index(credits));
}

// The id has no type in it: when better facts turn an upgrade into a rollback, it stays the same
// change.
static bool add_change(struct fold_walk *walk, const struct fold_moment *moment,
                       const struct fold_placed *from, const struct fold_placed *to,
                       const struct fold_credits *credits)
{
    const char *type = change_type(&walk->state, from, to);
    if (type == NULL)
        return false;
    struct fold_change row = {.position = moment->position,
                              .change_type = type,
                              .reason = change_reason(walk, moment),
                              .happened_at = moment->time,
                              .happened_after = moment->lower.instant,
                              .time_source = time_source_name(moment->time_source),
                              .recorded_index = moment->fact_index,
                              .revised_index = revised_index(walk, moment, from, to, credits)};
    describe(&row, from, to);
    char position[24];
    snprintf(position, sizeof(position), "%" PRId64, moment->position);
    fold_make_id(walk->in, 'c', position, row.component, row.change_id);
    fold_rows_add_change(&walk->rows, &row);
    return true;
}

// What is desired now counts as seen only behind the comparison: else every upgrade would find
// itself and be called a rollback.
bool fold_walk_compare(struct fold_walk *walk, const struct fold_moment *moment,
                       const struct fold_placed *placed, size_t count,
                       const struct fold_credits *credits)
{
    struct desired before = desired_before(walk);
    struct desired after = desired_after(walk, placed, count);
    bool any = false;
    for (size_t i = 0, j = 0; i < before.count || j < after.count;) {
        int order = i == before.count ? 1
                    : j == after.count
                        ? -1
                        : strcmp(before.items[i]->component, after.items[j]->component);
        const struct fold_placed *from = order <= 0 ? before.items[i++] : NULL;
        const struct fold_placed *to = order >= 0 ? after.items[j++] : NULL;
        any |= add_change(walk, moment, from, to, credits);
    }
    for (size_t i = 0; i < after.count; i++)
        fold_keyset_add(&walk->state.seen, after.items[i]->row_key);
    return any;
}
