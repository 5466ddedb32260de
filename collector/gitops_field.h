#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

// Members of gitops.observed, for the readers of single kinds (kinds.h).

// Adds a text that an event can carry: one that is longer, or no string, becomes null.
void gitops_add_text(cJSON *to, const char *key, const cJSON *value);

// Adds a Kubernetes time as the upper bound that it is, or null.
void gitops_add_time(cJSON *to, const char *key, const cJSON *value);

// Adds whether subfolders are taken too, and what makes other objects of the manifests; null where
// that is not told, and `shaping` also where nothing does.
void gitops_add_reading(cJSON *to, const bool *recurse, const char *shaping);

// Adds where the object applies to: whether that is the cluster that it is in (null: not told), and
// the namespace of manifests that write none.
void gitops_add_destination(cJSON *data, const bool *local, const cJSON *namespace);

// One member of a spec, borrowed, and what is said of it.
struct gitops_shape {
    const cJSON *member;
    const char *name;
};

// The name of the first member that says something: tools and people leave {} and [] behind, which
// ask for nothing. NULL when none does.
const char *gitops_shaping(const struct gitops_shape *shapes, size_t count);

// The newest of an object's own list of syncs; more are not sent.
#define GITOPS_MAX_SYNCS 100
#define GITOPS_MAX_SOURCES 50
