#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/copy.h"
#include "store/fold_arena.h"
#include "store/fold_input.h"

// The workloads whose beliefs a batch may change, each once, with the batch's own facts about them
// in the log's order.

struct touched_reading {
    struct reading reading;
    const char *namespace; // that the event claims
    struct touched_reading *next;
};

// Lists and not arrays: workloads are many and mostly have one fact each, and nothing is moved when
// one has more.
struct touched_request {
    struct fold_request request;
    const char *namespace; // that the event claims; NULL: it names none
    struct touched_request *next;
};

// What the first observation in this batch says of the object itself.
struct touched_object {
    const char *kind;
    const char *namespace;
    const char *name;
    const uint8_t *owner_uid; // NULL: none
    int64_t log_index;
};

struct touched_workload {
    const char *cluster;
    const char *resource;
    char uid[37];
    uint8_t uuid[UUID_BYTES]; // the same
    bool needs_full;          // fold from all facts, whatever the checkpoint says
    // What the database knew of it before this batch; filled by belief_load_heads.
    // Name and namespace of a workload that is new are filled by facts_send, when its row is sent.
    const char *name;       // NULL: no workload was ever observed
    const char *namespace;  // '' for the whole cluster; NULL together with name
    const char *checkpoint; // NULL: none
    int64_t position;       // of the checkpoint
    int64_t generation;     // of the checkpoint (struct fold_tail), or FOLD_NONE
    int64_t since;          // likewise
    // What this batch says.
    const struct touched_object *object; // NULL: not observed in this batch
    struct touched_reading *readings;
    struct touched_reading **readings_end;
    size_t reading_count;
    struct touched_request *requests;
    struct touched_request **requests_end;
    size_t request_count;
};

struct touched {
    struct touched_workload **items; // in the order of first touch
    size_t count;
    size_t capacity;
    uint32_t *slots; // open addressing; index + 1, 0 is free
    size_t slot_count;
    // Freed at once with the batch; nothing of it is freed alone.
    struct fold_arena arena; // everything that items point to
};

// The workload's entry, made when it is new. Strings are copied; uid must be a lower-case UUID.
struct touched_workload *touched_get(struct touched *touched, const char *cluster,
                                     const char *resource, const char *uid);

// Notes a fact of this batch; the struct is copied, what it points to must live in touched->arena.
// So must a namespace, unless it is NULL.
void touched_add_reading(struct touched *touched, struct touched_workload *workload,
                         const struct reading *reading, const char *namespace);
void touched_add_request(struct touched *touched, struct touched_workload *workload,
                         const struct fold_request *request, const char *namespace);

// True when a request for `claimed` (NULL: it names no namespace, which only a collector of the
// whole cluster may do) can be about a workload of `namespace`.
bool touched_request_fits(const char *claimed, const char *namespace);

// Frees all workloads and what they point to.
void touched_reset(struct touched *touched);
