#pragma once

#include <cjson/cJSON.h>

#include "collector/kinds.h"

// What an object itself says of where it comes from: which GitOps application manages it, what was
// claimed with it, and which tool wrote it last. Claims of the object, no evidence of a request.

// Adds `gitops`, `claims` and `manager` (docs/events.md, workload.observed) to the data of the
// event; null where the object says nothing.
void object_origin_add(const struct kind *kind, const cJSON *object, cJSON *data);
