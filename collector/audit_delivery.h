#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/span.h"
#include "common/error.h"

// How audit events come: as the API server writes them, or in a managed cluster's vendor's wrapping
// (docs/attribution.md, managed clusters). A line of a delivery holds any number of events.

// One thing that a line held.
struct audit_delivered {
    struct span event;   // audit.k8s.io/v1 JSON, until the taker returns
    const char *cluster; // as the vendor calls it; NULL: not told
    bool hides_dry_run;  // it does not say whether the request was a dry run
    size_t index;        // in its line, from 0
    const char *problem; // not NULL: it cannot be used, and `event` is the bytes as they came
};

// Who gets the events. False ends the decoding, which returns false with the same error.
struct audit_taker {
    bool (*take)(void *context, const struct audit_delivered *delivered, struct error *err);
    void *context;
};

struct audit_delivery {
    const char *name; // of `format` in the configuration
    // Gives the line's audit events; what is no audit event of an API server is skipped. REJECT
    // when the line is no such delivery; events before the break were given then.
    bool (*decode)(struct span line, const struct audit_taker *taker, struct error *err);
    // The time of the line's first event; false when it has none.
    bool (*line_time)(const char *bytes, size_t length, int64_t *at);
    // Events of several API servers come mixed, this much out of order at most.
    int64_t disorder_us;
};

// The delivery of a format's name; NULL when there is none.
const struct audit_delivery *audit_delivery_find(const char *name);

// The vendors' decoders.
bool audit_delivery_eks(struct span line, const struct audit_taker *taker, struct error *err);
bool audit_delivery_gke(struct span line, const struct audit_taker *taker, struct error *err);
bool audit_delivery_aks(struct span line, const struct audit_taker *taker, struct error *err);
bool audit_delivery_openshift(struct span line, const struct audit_taker *taker, struct error *err);

// For decoders: calls `take_object` for each JSON object of a line that holds one, several behind
// one another, or arrays of them; counts them from 0. REJECT when the line is no such text.
typedef bool audit_object_taker(struct span object, size_t index, void *context, struct error *err);
bool audit_delivery_objects(struct span text, audit_object_taker *take_object, void *context,
                            struct error *err) WARN_UNUSED;
