// The revision map: made of all positions first, asked by name afterwards.
// Names are made when asked for: most revisions of a long history never are. The questions asked
// are kept, because a checkpoint must know which of its answers a new fact could change.

#include "store/fold_revision.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "common/text.h"

// The placement whose artifact a revision stands for; the first, should there be several.
static const struct raw_placement *revisioned_placement(const struct reading *reading)
{
    for (size_t i = 0; i < reading->placement_count; i++) {
        if (reading->placements[i].revisioned)
            return &reading->placements[i];
    }
    return NULL;
}

// R14: status has caught up with the spec, so the revision it made last is of this spec.
// Before status has caught up, its latest revision may be of an older spec, and the artifact of
// this one would be given to it.
static bool maps_revision(const struct fold_moment *moment)
{
    const struct reading *reading = moment->chosen;
    return reading != NULL && reading->latest_created != NULL && reading->generation != FOLD_NONE &&
           reading->observed_generation == reading->generation &&
           revisioned_placement(reading) != NULL;
}

// By name, the lowest position first: that one wins.
// Later positions may name the revision again; what it stands for was settled the first time (R14).
static int compare_entries(const void *left, const void *right)
{
    const struct fold_revision *a = left;
    const struct fold_revision *b = right;
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : (a->position > b->position) - (a->position < b->position);
}

static struct fold_revision *add_entry(struct fold_revisions *revisions)
{
    revisions->entries = xgrow(revisions->entries, &revisions->capacity, revisions->count + 1,
                               sizeof(*revisions->entries));
    struct fold_revision *entry = &revisions->entries[revisions->count++];
    *entry = (struct fold_revision){0};
    return entry;
}

// Entries that came with a checkpoint have lower positions than the history, and so win as they
// would have in a full fold.
void fold_revisions_build(struct fold_revisions *revisions, const struct fold_history *history)
{
    const char *last = NULL;
    for (size_t i = 0; i < history->count; i++) {
        const struct fold_moment *moment = &history->moments[i];
        // Most positions repeat the revision of the one before.
        if (!maps_revision(moment) || text_equal(moment->chosen->latest_created, last))
            continue;
        struct fold_revision *entry = add_entry(revisions);
        entry->name = last = moment->chosen->latest_created;
        entry->position = moment->position;
        entry->log_index = moment->fact_index;
        entry->reading = moment->chosen;
    }
    if (revisions->count == 0)
        return;
    qsort(revisions->entries, revisions->count, sizeof(*revisions->entries), compare_entries);
    size_t used = 1;
    for (size_t i = 1; i < revisions->count; i++) {
        if (strcmp(revisions->entries[i].name, revisions->entries[used - 1].name) != 0)
            revisions->entries[used++] = revisions->entries[i];
    }
    revisions->count = used;
}

// The reading that mapped it counts as a fact behind the name (R25).
void fold_revision_name(struct fold_revision *revision, const struct fold_input *in,
                        struct fold_arena *arena)
{
    if (revision->is_named)
        return;
    const struct raw_placement *raw = revisioned_placement(revision->reading);
    if (raw == NULL)
        abort(); // maps_revision has found it
    struct fold_placed *placed = &revision->placed;
    *placed = (struct fold_placed){
        .component = "", .image = raw->image, .naming_index = revision->log_index};
    naming_of(in->rules, in->name, raw, arena, &placed->identity);
    if (placed->identity.source == IDENTITY_PATTERN && in->rules->log_index > placed->naming_index)
        placed->naming_index = in->rules->log_index;
    revision->is_named = true;
}

// Questions repeat from position to position: the last one is not noted twice.
// Answers from below the asking position are not noted: the lowest mapping wins, so nothing that
// comes can change them but facts that force a full fold anyway.
static void remember(struct fold_revisions *revisions, const char *name,
                     const struct fold_revision *found)
{
    struct fold_lookup lookup = {name, found ? found->position : INT64_MAX,
                                 found ? found->log_index : 0};
    if (revisions->lookup_count > 0) {
        const struct fold_lookup *last = &revisions->lookups[revisions->lookup_count - 1];
        if (last->position == lookup.position && strcmp(last->name, name) == 0)
            return;
    }
    revisions->lookups = xgrow(revisions->lookups, &revisions->lookup_capacity,
                               revisions->lookup_count + 1, sizeof(lookup));
    revisions->lookups[revisions->lookup_count++] = lookup;
}

// Also notes the question when a checkpoint has to know it: one without an answer, or with an
// answer from above.
const struct fold_revision *fold_revisions_find(struct fold_revisions *revisions,
                                                const struct fold_input *in, const char *name,
                                                int64_t position, struct fold_arena *arena)
{
    size_t low = 0;
    size_t high = revisions->count;
    struct fold_revision *found = NULL;
    while (low < high && found == NULL) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(revisions->entries[middle].name, name);
        if (order == 0)
            found = &revisions->entries[middle];
        else if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (found == NULL || found->position > position)
        remember(revisions, name, found);
    if (found != NULL)
        fold_revision_name(found, in, arena);
    return found;
}

static int compare_lookups(const void *left, const void *right)
{
    return strcmp(((const struct fold_lookup *)left)->name,
                  ((const struct fold_lookup *)right)->name);
}

// Others were answered from below the checkpoint, where nothing changes without a full fold.
void fold_revisions_trim(struct fold_revisions *revisions, int64_t position)
{
    size_t used = 0;
    for (size_t i = 0; i < revisions->lookup_count; i++) {
        if (revisions->lookups[i].position >= position)
            revisions->lookups[used++] = revisions->lookups[i];
    }
    if (used > 0)
        qsort(revisions->lookups, used, sizeof(*revisions->lookups), compare_lookups);
    revisions->lookup_count = 0;
    for (size_t i = 0; i < used; i++) {
        size_t last = revisions->lookup_count;
        if (last == 0 || strcmp(revisions->lookups[last - 1].name, revisions->lookups[i].name) != 0)
            revisions->lookups[revisions->lookup_count++] = revisions->lookups[i];
    }
}

void fold_revisions_reset(struct fold_revisions *revisions)
{
    free(revisions->entries);
    free(revisions->lookups);
    *revisions = (struct fold_revisions){0};
}
