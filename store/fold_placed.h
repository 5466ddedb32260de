#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/fold.h"
#include "store/fold_history.h"

// One placement at one moment, named (docs/fold.md 3).
// Two keys: a version keeps its presence under another component (R10), but not its row or its
// history of changes.
struct fold_placed {
    struct identity identity;
    const char *component;
    const char *unknown_revision; // NULL: the identity is known
    const char *role;
    const char *image;
    int64_t traffic;  // share or FOLD_NONE
    int64_t replicas; // or FOLD_NONE
    bool stopped;
    // Changes are made of desired placements alone (R12); rows of both.
    bool is_desired;      // in the spec, or kept by a canary; else lingering
    bool is_revisioned;   // its artifact is what a KServe revision stands for
    int64_t naming_index; // greatest log index behind the name: pattern, mapped revision; else 0
    uint8_t identity_key[DIGEST_BYTES]; // model, version, artifact, unknown_revision
    uint8_t row_key[DIGEST_BYTES];      // component and the same
};

// Computes both keys from the names.
void fold_placed_set_keys(struct fold_placed *placed);

// The spec's placements, named: ascending by component, one each (the first in the spec's order).
struct fold_spec {
    struct fold_placed *placed; // NULL: none yet
    size_t count;
    const struct reading *reading; // whose raw placements they are
    uint8_t digest[DIGEST_BYTES];  // of the raw placements, once asked for
    bool has_digest;
};

// Names the reading's placements in the arena. `spec` may hold those of another reading: it only
// takes the new reading when the raw placements are the same. Returns whether they are.
bool fold_spec_take(const struct fold_input *in, const struct reading *reading,
                    struct fold_arena *arena, struct fold_spec *spec);

// The digest of the raw placements: equal specs have equal digests.
const uint8_t *fold_spec_digest(struct fold_spec *spec);
