#pragma once

#include <cjson/cJSON.h>

#include "collector/extraction.h"

// What status says about readiness, for all kinds whose status has Kubernetes conditions.

// Reads the first of the named conditions (ends with NULL) that status has: ready, ready_since, and
// failed when it is False for a reason that says so. Leaves `out` alone when there is none.
void readiness_from_conditions(const cJSON *object, const char *const types[],
                               struct extraction *out);
