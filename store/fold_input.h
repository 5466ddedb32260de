#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/error.h"
#include "store/fold_arena.h"

// What the fold reads: the facts of one workload, as structs. They come from event data (first
// sight) or from the rows of table `state`; both give the same struct.

#define FOLD_NONE INT64_MIN // a position, generation, instant, share or number that is not known

// Where an instant comes from, best first (R8).
// The order is the ranking, and the numbers stand in checkpoints.
enum time_source {
    TIME_AUDIT,
    TIME_ADMISSION,
    TIME_OBJECT,
    TIME_MANAGED_FIELDS,
    TIME_COLLECTOR_CLOCK,
    TIME_LISTING,
    TIME_INFERRED, // never in facts: the fold's word for a removal that a listing shows
};

// The source's name in events and tables, such as "managed_fields".
const char *time_source_name(enum time_source source);
// False when the text (may be NULL) is no source that a fact can have.
bool time_source_parse(const char *text, enum time_source *source);

// Shares are whole millionths of a percent, so that equality is exact: 12.5 % is 12500000.
// Appends the share as a decimal number, such as 12.5.
void fold_share_print(int64_t share, struct buffer *out);
// The nearest share of a number of percent (halves up); FOLD_NONE below 0 or above 10^6 percent.
int64_t fold_share_from(double percent);

struct raw_label {
    const char *key;
    const char *value;
};

// A placement as the extractor reports it (docs/events.md); text members are NULL when absent.
struct raw_placement {
    const char *component;
    const char *role;
    const char *node;
    const char *uri;
    const char *artifact_version; // decimal text when it came as a number
    const char *image;
    const char *digest;
    const struct raw_label *labels; // ascending by key
    size_t label_count;
    int64_t traffic;  // share or FOLD_NONE
    int64_t replicas; // or FOLD_NONE
    bool stopped;
    bool revisioned; // a KServe revision stands for its artifact
};

struct raw_route {
    const char *target;
    const char *target_kind;
    const char *role;
    int64_t percent; // share or FOLD_NONE
};

// One observation of a workload at one position: one row of table `state`.
// What the fold does not need (the raw object, times of reporting) stays in the log: a reading is
// copied by the thousand in a full fold.
struct reading {
    int64_t position;
    int64_t log_index;
    // Upper bound of when the position began (R8, D3), cut to the recording time (D26).
    int64_t at;
    enum time_source at_source;
    int64_t not_before; // or FOLD_NONE
    int64_t extractor;  // version of the collector's reader; the newest one's content counts (R2)
    int64_t generation; // or FOLD_NONE
    bool ready_known;
    bool ready;
    bool removed;
    bool is_deleting; // a deletion has begun; finalizers hold the object. In column `detail`
    // Older readings of this position say all that this one says, so it decides nothing
    // (docs/fold.md 8). fold_resume alone asks.
    bool is_repeat;
    // Column `detail`:
    int64_t observed_generation; // or FOLD_NONE
    int64_t spec_at;             // or FOLD_NONE; then spec_source means nothing
    enum time_source spec_source;
    int64_t ready_since; // or FOLD_NONE
    bool failed;
    const struct raw_placement *placements;
    size_t placement_count;
    const char *latest_created; // NULL when unknown
    // The revision that a canary leaves the rest of the traffic to (docs/events.md, D6).
    const char *kept;           // NULL when unknown
    const char *const *traffic; // revisions that status names, in order
    size_t traffic_count;
    const struct raw_route *routes;
    size_t route_count;
};

// Reads the data of a workload.observed event. Strings are copied into the arena. REJECT names the
// member that is missing or wrong.
bool reading_from_event(const cJSON *data, int64_t log_index, struct fold_arena *arena,
                        struct reading *out, struct error *err) WARN_UNUSED;

// Appends the JSON for column `detail`: what has no column of its own.
void reading_detail_print(const struct reading *reading, struct buffer *out);

// Appends the reading's placements as a JSON array: equal placements give equal text.
void fold_placements_print(const struct reading *reading, struct buffer *out);

// Fills the members of column `detail` from its JSON text; the caller has filled, or fills, those
// that are columns. STOP when the text is not what reading_detail_print writes.
bool reading_detail_parse(const char *text, struct fold_arena *arena, struct reading *out,
                          struct error *err) WARN_UNUSED;

// A listing that covers the workload (same cluster and resource, its namespace or the whole
// cluster, its uid within uid_from..uid_to) or names it as a member.
struct fold_listing {
    int64_t position;
    int64_t log_index;
    int64_t listed_at;
    bool has_member;
    bool has_selector; // then it closes nothing
};

// What a request has to do with the workload (docs/fold.md 1).
enum request_role {
    ROLE_OBJECT,     // it names the workload's uid
    ROLE_NAME,       // it names the object and no uid
    ROLE_COLLECTION, // deletecollection of its resource in its namespace
    ROLE_NAMESPACE,  // delete of its namespace
    ROLE_OWNER,      // delete of the object that owns it
};

// A row of table `request` that may concern the workload.
struct fold_request {
    enum request_role role;
    bool is_admission; // a review: it tells what was asked for, not what became of it
    int64_t log_index;
    int64_t at;
    const char *verb;
    const char *subresource; // NULL: none
    int64_t code;            // or FOLD_NONE
    bool dry_run;
    bool removes;
    int64_t position;     // resulting, or FOLD_NONE
    int64_t generation;   // resulting, or FOLD_NONE
    const char *audit_id; // one request, however often it was read; NULL: not asked for
    // In whose name it ran, and who logged in. Known of reviews and of what deletes; else NULL.
    const char *principal;
    const char *impersonated_by;
    // An older request says the same, so it decides nothing (docs/fold.md 8). fold_resume alone
    // asks.
    bool is_repeat;
};

// Reads the data of a request.audited event, or of a request.reviewed one. Its role is that of an
// object when there is a uid, else that which verb and resource say. REJECT names what is missing
// or wrong.
bool fold_request_from_event(const cJSON *data, bool is_admission, int64_t log_index,
                             struct fold_arena *arena, struct fold_request *out,
                             struct error *err) WARN_UNUSED;

// Forgets what a request of its role does not tell of this workload: one by name may speak of
// another object of that name, so its position, generation and removal are not this one's.
void fold_request_settle(struct fold_request *request);

// True when the request succeeded and may have made a position: it may be credited with it.
bool fold_request_is_candidate(const struct fold_request *request);

// True when the fold could ever use the request (it succeeded and may change or remove the
// workload); others need not be loaded or passed.
bool fold_request_matters(const struct fold_request *request);

// True when it made an object that was not there, whatever its verb: an apply of what is not there
// is a patch or an update, answered with 201.
bool fold_request_creates(const struct fold_request *request);

// True when it proves that the workload is gone.
bool fold_request_has_removed(const struct fold_request *request);

// True when only its time and the object tell what it made: no position, no generation.
bool fold_request_is_windowed(const struct fold_request *request);

// How far the clocks of a cluster's API servers and collectors may differ (docs/fold.md 5).
#define FOLD_CLOCK_SLACK INT64_C(2000000)
