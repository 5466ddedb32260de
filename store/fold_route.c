// Routes over time: runs of one target, role and share (R15).
// A shorter cousin of what fold_walk.c does for placements: routes have no presence, readiness or
// changes.

#include <stdlib.h>
#include <string.h>

#include "store/fold_walk.h"

static int compare_keys(const struct raw_route *a, const struct raw_route *b)
{
    int order = strcmp(a->target_kind, b->target_kind);
    if (order == 0)
        order = strcmp(a->target, b->target);
    return order != 0 ? order : strcmp(a->role, b->role);
}

static int compare_routes(const void *left, const void *right)
{
    const struct raw_route *a = *(const struct raw_route *const *)left;
    const struct raw_route *b = *(const struct raw_route *const *)right;
    int order = compare_keys(a, b);
    return order != 0 ? order : (a > b) - (a < b); // the object's order
}

static int64_t greatest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

// Emits a route; `end` is NULL while it is open.
static void end_route(struct fold_walk *walk, const struct fold_open_route *open,
                      const struct fold_moment *end)
{
    struct fold_route row = {.target_kind = open->route.target_kind,
                             .target = open->route.target,
                             .role = open->route.role,
                             .from_position = open->from_position,
                             .percent = open->route.percent,
                             .valid_from = open->valid_from,
                             .valid_to = FOLD_NONE,
                             .recorded_index = open->recorded_index,
                             .revised_index = open->start_index};
    if (end != NULL) {
        row.valid_to = end->time;
        row.revised_index = greatest(row.revised_index, greatest(end->fact_index, end->time_index));
    }
    fold_rows_add_route(&walk->rows, &row);
}

// The moment's routes in order, each key once: the first in the object counts.
static const struct raw_route **sorted_routes(struct fold_walk *walk,
                                              const struct fold_moment *moment, size_t *count)
{
    *count = 0;
    if (moment->is_terminal || moment->chosen->route_count == 0)
        return NULL;
    size_t all = moment->chosen->route_count;
    const struct raw_route **list = fold_arena_array(fold_walk_memory(walk), all, sizeof(*list));
    for (size_t i = 0; i < all; i++)
        list[i] = &moment->chosen->routes[i];
    qsort(list, all, sizeof(*list), compare_routes);
    for (size_t i = 0; i < all; i++) {
        if (*count == 0 || compare_keys(list[*count - 1], list[i]) != 0)
            list[(*count)++] = list[i];
    }
    return list;
}

// The route's texts belong to its reading, which outlives the walk (or to the checkpoint's arena).
static struct fold_open_route begin_route(const struct raw_route *route,
                                          const struct fold_moment *moment)
{
    return (struct fold_open_route){
        .route = *route,
        .from_position = moment->position,
        .valid_from = moment->time,
        .recorded_index = moment->fact_index,
        .start_index = greatest(moment->fact_index, moment->time_index),
    };
}

// Merges the open routes with the moment's, both in key order.
// A key whose share changed ends and begins at one moment. The list is new at each step: the memory
// of the step before is still read while it is made.
void fold_walk_routes(struct fold_walk *walk, const struct fold_moment *moment)
{
    struct fold_state *state = &walk->state;
    size_t count;
    const struct raw_route **routes = sorted_routes(walk, moment, &count);
    if (count == 0 && state->route_count == 0)
        return;
    struct fold_open_route *open = fold_arena_array(fold_walk_memory(walk), count, sizeof(*open));
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        while (at < state->route_count && compare_keys(&state->routes[at].route, routes[i]) < 0)
            end_route(walk, &state->routes[at++], moment);
        bool goes_on =
            at < state->route_count && compare_keys(&state->routes[at].route, routes[i]) == 0;
        if (goes_on && state->routes[at].route.percent == routes[i]->percent) {
            open[i] = state->routes[at++];
            continue;
        }
        if (goes_on)
            end_route(walk, &state->routes[at++], moment);
        open[i] = begin_route(routes[i], moment);
    }
    while (at < state->route_count)
        end_route(walk, &state->routes[at++], moment);
    state->routes = open;
    state->route_count = count;
}

void fold_walk_finish_routes(struct fold_walk *walk)
{
    for (size_t i = 0; i < walk->state.route_count; i++)
        end_route(walk, &walk->state.routes[i], NULL);
}
