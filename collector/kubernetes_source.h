#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/source.h"

// Lists and watches the kinds of kinds.h on one API server, for a set of namespaces or the whole
// cluster. All strings are copied. Numbers that are 0 mean the default.
struct kubernetes_options {
    const char *kubeconfig;        // NULL: the service account inside a cluster
    const char *context;           // NULL: current-context
    const char *const *namespaces; // with a namespaced Role only
    size_t namespace_count;        // 0: the whole cluster
    const char *cluster;           // the name that events give it
    bool allow_insecure;           // insecure-skip-tls-verify may be obeyed
    int64_t relist_min_ms;         // full reconcile, default 30 to 60 minutes
    int64_t relist_max_ms;
    int64_t watched_ms;    // between scope.watched events, default 5 minutes
    int64_t look_again_ms; // for kinds not installed or not allowed, default 1 minute
    int64_t watch_min_s;   // timeoutSeconds of a watch, default 300 to 600
    int64_t watch_max_s;
    int64_t watch_grace_ms; // a watch may outlive its own timeout, default 30 s
    int64_t page_size;      // objects a list page, default 500
    int64_t listing_uids;   // uids a scope.listed event, default 20000
};

// Opens the source; it connects in its first steps. STOP when the configuration cannot be used.
bool kubernetes_source_open(const struct kubernetes_options *options, struct source **out,
                            struct error *err) WARN_UNUSED;
