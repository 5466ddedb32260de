#pragma once

#include <cjson/cJSON.h>

// Members of gitops.observed, for the readers of single kinds (kinds.h).

// Adds a text that an event can carry: one that is longer, or no string, becomes null.
void gitops_add_text(cJSON *to, const char *key, const cJSON *value);

// Adds a Kubernetes time as the upper bound that it is, or null.
void gitops_add_time(cJSON *to, const char *key, const cJSON *value);

// The newest of an object's own list of syncs; more are not sent.
#define GITOPS_MAX_SYNCS 100
#define GITOPS_MAX_SOURCES 50
