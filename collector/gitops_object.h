#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "collector/observation.h"
#include "common/error.h"

// Objects by which GitOps tools say what they applied (docs/events.md, gitops.observed): which
// repository, which revision, when, and whether somebody asked for it.

// Appends the event, when the object says something that it did not say before: tools write their
// status every few minutes, and repeat ten syncs each time. Syncs that were sent before are left
// out. What was sent is remembered beside `known_scope`. REJECT and RETRY as observation_emit.
bool gitops_observed_emit(struct outbox *outbox, const struct sighting *sighting,
                          const char *known_scope, const char *bytes, size_t length,
                          struct object_head *head, struct error *err) WARN_UNUSED;
