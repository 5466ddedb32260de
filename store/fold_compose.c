// What stands at one position: the spec's placements, the revision that a canary keeps, and what
// status says is still answering.

#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "store/fold_walk.h"

// In shares: millionths of a percent.
#define HUNDRED_PERCENT INT64_C(100000000)

static int compare_placed(const void *left, const void *right)
{
    const struct fold_placed *a = left;
    const struct fold_placed *b = right;
    return memcmp(a->row_key, b->row_key, DIGEST_BYTES);
}

// All that is known while one moment's placements are put together.
struct composition {
    struct fold_walk *walk;
    const struct fold_moment *moment;
    const struct reading *reading;
    struct fold_placed *placed;
    size_t count;
    const char *kept;            // the revision that a desired placement stands for, or NULL
    struct fold_keyset standing; // identity and row keys that no lingering placement may repeat
};

// The identity of a revision, or the unknown one that only equals itself (R14).
// Role and component are those of a plain predictor, until a canary or the shape before says
// otherwise.
static struct fold_placed placed_of_revision(struct composition *c, const char *name)
{
    const struct fold_revision *revision = fold_revisions_find(
        &c->walk->revisions, c->walk->in, name, c->moment->position, &c->walk->arena);
    struct fold_placed placed = {.unknown_revision = name};
    if (revision != NULL)
        placed = revision->placed;
    else
        naming_of_unknown(c->walk->in->name, &placed.identity);
    placed.role = "live";
    placed.component = "predictor";
    placed.traffic = FOLD_NONE;
    placed.replicas = FOLD_NONE;
    placed.is_revisioned = true;
    return placed;
}

// The spec's placements come first: they are what was asked for.
static void add_spec(struct composition *c)
{
    struct fold_spec *spec = &c->walk->spec;
    memcpy(c->placed, spec->placed, spec->count * sizeof(*c->placed));
    c->count = spec->count;
}

static const struct fold_placed *find_component(const struct composition *c, const char *component)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->placed[i].component, component) == 0)
            return &c->placed[i];
    }
    return NULL;
}

// A canary by revision leaves the rest of the traffic to the revision before it (R12).
// Only the spec's share of the canary is known, so the rest of 100 is the other's. A spec that has
// a predictor of its own needs none.
static void add_kept(struct composition *c)
{
    const struct fold_placed *canary = find_component(c, "canary");
    if (canary == NULL || !canary->is_revisioned || c->reading->kept == NULL ||
        find_component(c, "predictor") != NULL)
        return;
    struct fold_placed kept = placed_of_revision(c, c->reading->kept);
    kept.is_desired = true;
    kept.stopped = canary->stopped;
    if (canary->traffic != FOLD_NONE)
        kept.traffic = canary->traffic < HUNDRED_PERCENT ? HUNDRED_PERCENT - canary->traffic : 0;
    fold_placed_set_keys(&kept);
    c->placed[c->count++] = kept;
    c->kept = c->reading->kept;
}

// A draining version keeps the shape that it had at the position before.
// So the row that it had simply goes on, instead of ending here while another begins.
static void take_former_shape(const struct composition *c, struct fold_placed *placed)
{
    const struct fold_state *state = &c->walk->state;
    const struct fold_placed *former = NULL;
    for (size_t i = 0; i < state->row_count; i++) {
        const struct fold_placed *row = &state->rows[i].placed;
        if (row->is_revisioned &&
            memcmp(row->identity_key, placed->identity_key, DIGEST_BYTES) == 0 &&
            (former == NULL || strcmp(row->component, former->component) < 0))
            former = row;
    }
    if (former == NULL)
        return;
    placed->component = former->component;
    placed->role = former->role;
    placed->traffic = former->traffic;
    placed->stopped = former->stopped;
    fold_placed_set_keys(placed);
}

// The steps are those of docs/fold.md 3, "Lingering", in that order; each skip keeps a version from
// being told twice.
static void add_lingering_revision(struct composition *c, const char *name)
{
    if (text_equal(name, c->kept))
        return;
    struct fold_placed placed = placed_of_revision(c, name);
    // A revision that is being rolled out and that no status has explained yet says nothing (R13).
    if (placed.unknown_revision != NULL && text_equal(name, c->reading->latest_created))
        return;
    fold_placed_set_keys(&placed);
    // Row keys and identity keys share one set: digests of different texts do not meet.
    if (!fold_keyset_add(&c->standing, placed.identity_key))
        return;
    take_former_shape(c, &placed);
    if (fold_keyset_add(&c->standing, placed.row_key))
        c->placed[c->count++] = placed;
}

// What status still names besides (R13). Nothing lingers without traffic in status: in raw
// deployment mode the spec alone counts (R14).
static void add_lingering(struct composition *c)
{
    // Also spares most workloads the sets below.
    if (c->reading->traffic_count == 0)
        return;
    for (size_t i = 0; i < c->count; i++) {
        fold_keyset_add(&c->standing, c->placed[i].row_key);
        if (c->placed[i].is_revisioned)
            fold_keyset_add(&c->standing, c->placed[i].identity_key);
    }
    for (size_t i = 0; i < c->reading->traffic_count; i++)
        add_lingering_revision(c, c->reading->traffic[i]);
    fold_keyset_reset(&c->standing);
}

// One more than the spec and the traffic have: the kept revision. Sorted by key, so that the walk
// merges it with the open rows in one go.
struct fold_placed *fold_compose(struct fold_walk *walk, const struct fold_moment *moment,
                                 size_t *count)
{
    *count = 0;
    if (moment->is_terminal)
        return NULL;
    const struct reading *reading = moment->chosen;
    struct composition c = {.walk = walk, .moment = moment, .reading = reading};
    walk->is_same_spec = fold_spec_take(walk->in, reading, &walk->arena, &walk->spec);
    c.placed = fold_arena_array(fold_walk_memory(walk),
                                walk->spec.count + 1 + reading->traffic_count, sizeof(*c.placed));
    add_spec(&c);
    add_kept(&c);
    add_lingering(&c);
    qsort(c.placed, c.count, sizeof(*c.placed), compare_placed);
    *count = c.count;
    return c.placed;
}
