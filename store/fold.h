#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/error.h"
#include "store/fold_arena.h"
#include "store/fold_input.h"
#include "store/naming.h"

// The fold (docs/fold.md): a pure function from the facts of one workload to its rows in placement,
// route, change and attribution. fold_run computes them from all facts; fold_resume from a
// checkpoint and the newest facts, with the same result bit for bit, or says that it cannot.

struct fold_input {
    const char *cluster;
    const char *resource;
    const char *uid;  // lower case, with dashes
    const char *name; // of the workload
    const struct naming_rules *rules;
    const struct reading *readings; // any order
    size_t reading_count;
    const struct fold_listing *listings;
    size_t listing_count;
    const struct fold_request *requests;
    size_t request_count;
    // fold_resume only: facts with this log index or a greater one are new, that is in no earlier
    // fold.
    int64_t new_from;
};

// Row structs have the columns of their tables, less log, cluster, resource and uid. Numbers are
// FOLD_NONE and texts NULL for SQL NULL; instants are microseconds since 1970.

// recorded_index is the fact that began a row, revised_index the greatest log index among all that
// decided it (R25): by them readers ask what was known at a given time.
struct fold_placement {
    // What it is: component and identity (R11). With from_position it is the row's key.
    uint8_t row_key[DIGEST_BYTES];
    int64_t from_position;
    // "d-" and 16 hex digits: what people see and type.
    char placement_id[24];
    const char *component;
    const char *model;
    const char *version;
    const char *artifact;
    const char *artifact_digest;  // NULL: nothing proves it
    const char *identity_source;  // which rung of docs/naming.md named it
    const char *unknown_revision; // NULL unless a revision stands for the version
    const char *role;
    int64_t traffic_percent; // a share (fold_share_print)
    bool stopped;
    const char *state;
    int64_t replicas;
    const char *image;
    // The end and its times are FOLD_NONE while the row is open. *_after are lower bounds: it
    // began, or ended, after that instant (R8).
    int64_t to_position;
    int64_t valid_from;
    int64_t valid_from_after;
    int64_t valid_to;
    int64_t valid_to_after;
    // Since when the version is in the workload under any component; renaming and traffic do not
    // move it (R10).
    int64_t deployed_position;
    int64_t deployed_at;
    int64_t deployed_after;
    const char *time_source;
    int64_t ready_at; // FOLD_NONE: not seen ready
    int64_t recorded_index;
    int64_t revised_index;
};

struct fold_route {
    const char *target_kind;
    const char *target;
    const char *role;
    int64_t from_position;
    int64_t percent; // a share
    int64_t valid_from;
    int64_t valid_to;
    int64_t recorded_index;
    int64_t revised_index;
};

struct fold_change {
    int64_t position;
    const char *component;
    char change_id[24];
    const char *change_type; // deployed, upgraded, rolled_back, reconfigured, removed
    const char *reason;      // deleted, inferred, initial or NULL
    int64_t happened_at;
    int64_t happened_after;
    const char *time_source;
    const char *from_model;
    const char *to_model;
    const char *from_version;
    const char *to_version;
    const char *from_artifact;
    const char *to_artifact;
    const char *role;
    int64_t from_traffic_percent; // shares
    int64_t to_traffic_percent;
    int64_t recorded_index;
    int64_t revised_index;
};

struct fold_attribution {
    int64_t position;
    int64_t request_index; // log index of the request
    const char *strength;  // fold_strength_name; views make the other words (R19)
};

// What to do to the workload's rows: (1) delete those whose from_position (placement, route) or
// position (change, attribution) is >= replace_from; (2) put the given rows, each in the place of a
// stored row with the same primary key, if there is one. All other rows stay. replace_from is
// INT64_MIN after fold_run (all rows are given) and INT64_MAX when nothing is to be deleted.
struct fold_output {
    int64_t replace_from;
    struct fold_placement *placements; // ascending by from_position, row_key
    size_t placement_count;
    struct fold_route *routes; // ascending by from_position, target_kind, target, role
    size_t route_count;
    struct fold_change *changes; // ascending by position, component
    size_t change_count;
    struct fold_attribution *attributions; // ascending by position, request_index
    size_t attribution_count;
    // The row of table `checkpoint`: replaces the stored one; NULL = delete it (no resuming).
    const char *checkpoint;
    int64_t checkpoint_position;
    bool is_removed; // the workload is gone: deleted, or inferred from a listing
    // Everything above lives here; free with fold_output_reset.
    struct fold_arena arena;
};

// Folds all facts of the workload. The input may be freed before the output.
void fold_run(const struct fold_input *in, struct fold_output *out);

// Goes on from a checkpoint (column `content`). `tail` holds: every reading, listing and request
// that is new; the older readings at positions >= the checkpoint's `position`; and the older
// requests that matter with position >= that, or which fold_checkpoint_tail asks for. Older
// listings need not be given. False with *needs_full: something reaches behind the checkpoint; load
// all facts and call fold_run. False without it: STOP, the checkpoint's text cannot be read.
bool fold_resume(const char *checkpoint, const struct fold_input *tail, struct fold_output *out,
                 bool *needs_full, struct error *err) WARN_UNUSED;

// Which workloads a new listing touches (all need fold_run): those it covers, lacks and that are
// not removed, or removed by inference only; and its members that are removed by inference. Live
// members need no fold.

// Frees all rows and the checkpoint; texts that they point to go with them.
void fold_output_reset(struct fold_output *out);

static inline void fold_output_scoped_cleanup(struct fold_output *out)
{
    fold_output_reset(out);
}
// SCOPED_FOLD_OUTPUT name = {0};
#define SCOPED_FOLD_OUTPUT __attribute__((cleanup(fold_output_scoped_cleanup))) struct fold_output
