// Turns what a spec says into named placements with their keys.

#include "store/fold_placed.h"

#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/text.h"

// Members are separated by NUL, which none can contain; an absent one is empty (R11).
static void append_member(struct buffer *out, const char *text)
{
    buffer_append(out, text == NULL ? "" : text, text == NULL ? 1 : strlen(text) + 1);
}

// Digests, since URIs are longer than an index may hold (R11); both come from one text, of which
// the row key's begins with the component.
void fold_placed_set_keys(struct fold_placed *placed)
{
    SCOPED_BUFFER text = {0};
    append_member(&text, placed->component);
    size_t skip = text.length;
    append_member(&text, placed->identity.model);
    append_member(&text, placed->identity.version);
    append_member(&text, placed->identity.artifact);
    append_member(&text, placed->unknown_revision);
    digest_sha256(text.data, text.length, placed->row_key);
    digest_sha256(text.data + skip, text.length - skip, placed->identity_key);
}

// Only a pattern makes the name depend on a fact besides the reading (R25).
static void name_placement(const struct fold_input *in, const struct raw_placement *raw,
                           struct fold_arena *arena, struct fold_placed *out)
{
    *out = (struct fold_placed){.component = raw->component,
                                .role = raw->role,
                                .image = raw->image,
                                .traffic = raw->traffic,
                                .replicas = raw->replicas,
                                .stopped = raw->stopped,
                                .is_desired = true,
                                .is_revisioned = raw->revisioned};
    naming_of(in->rules, in->name, raw, arena, &out->identity);
    if (out->identity.source == IDENTITY_PATTERN)
        out->naming_index = in->rules->log_index;
    fold_placed_set_keys(out);
}

// qsort moves these instead of the placements, so that addresses still tell the spec's order.
struct ordered_raw {
    const struct raw_placement *raw;
};

// qsort does not keep equal ones in order, and the first in the spec must win.
static int compare_components(const void *left, const void *right)
{
    const struct raw_placement *a = ((const struct ordered_raw *)left)->raw;
    const struct raw_placement *b = ((const struct ordered_raw *)right)->raw;
    int order = strcmp(a->component, b->component);
    return order != 0 ? order : (a > b) - (a < b); // the spec's order
}

static bool same_labels(const struct raw_placement *a, const struct raw_placement *b)
{
    if (a->label_count != b->label_count)
        return false;
    for (size_t i = 0; i < a->label_count; i++) {
        if (strcmp(a->labels[i].key, b->labels[i].key) != 0 ||
            strcmp(a->labels[i].value, b->labels[i].value) != 0)
            return false;
    }
    return true;
}

// All members, also those that no name depends on: attribution asks whether the spec is the same
// (docs/fold.md 5), not whether the names are.
static bool same_raw(const struct raw_placement *a, const struct raw_placement *b)
{
    return a->traffic == b->traffic && a->replicas == b->replicas && a->stopped == b->stopped &&
           a->revisioned == b->revisioned && text_equal(a->component, b->component) &&
           text_equal(a->role, b->role) && text_equal(a->node, b->node) &&
           text_equal(a->uri, b->uri) && text_equal(a->artifact_version, b->artifact_version) &&
           text_equal(a->image, b->image) && text_equal(a->digest, b->digest) && same_labels(a, b);
}

// Whether two readings say the same of the spec: then the names are the same too.
static bool same_spec(const struct reading *a, const struct reading *b)
{
    if (a->placement_count != b->placement_count)
        return false;
    for (size_t i = 0; i < a->placement_count; i++) {
        if (!same_raw(&a->placements[i], &b->placements[i]))
            return false;
    }
    return true;
}

// Most positions are status writes with the spec of the one before, and naming with its digests is
// the dearest part of a step.
bool fold_spec_take(const struct fold_input *in, const struct reading *reading,
                    struct fold_arena *arena, struct fold_spec *spec)
{
    if (spec->placed != NULL && same_spec(spec->reading, reading))
        return true;
    *spec = (struct fold_spec){.reading = reading};
    size_t count = reading->placement_count;
    struct ordered_raw *order = fold_arena_array(arena, count, sizeof(*order));
    for (size_t i = 0; i < count; i++)
        order[i].raw = &reading->placements[i];
    qsort(order, count, sizeof(*order), compare_components);
    // One more than needed, so that an empty spec is told from none.
    spec->placed = fold_arena_array(arena, count + 1, sizeof(*spec->placed));
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(order[i].raw->component, order[i - 1].raw->component) != 0)
            name_placement(in, order[i].raw, arena, &spec->placed[spec->count++]);
    }
    return false;
}

const uint8_t *fold_spec_digest(struct fold_spec *spec)
{
    if (!spec->has_digest) {
        SCOPED_BUFFER text = {0};
        fold_placements_print(spec->reading, &text);
        digest_sha256(text.data, text.length, spec->digest);
        spec->has_digest = true;
    }
    return spec->digest;
}
