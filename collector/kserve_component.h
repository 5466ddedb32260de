#pragma once

#include <cjson/cJSON.h>

#include "collector/extraction.h"

// The part of a KServe object that runs one component: a predictor, transformer or explainer, in
// any of the forms that KServe has had.

// Where a component's artifact is.
struct kserve_artifact {
    const char *uri;   // storageUri, storage, STORAGE_URI, the first of storageUris, or --model_id
    const char *image; // an image that the object itself names
    const cJSON *more; // storageUris behind the first, or NULL: walk with ->next
};

// Reads `model`, a framework's name, or containers. Members are NULL when the component names no
// artifact, as the host of TrainedModels does.
struct kserve_artifact kserve_artifact_read(const cJSON *component, struct extraction *out);

// One entry of storageUris: an object with `uri`, or the URI itself; NULL otherwise.
const char *kserve_storage_uri(const cJSON *entry);

// The container of that name; with `or_first` the first one when there is none. NULL-safe.
const cJSON *kserve_container(const cJSON *containers, const char *name, bool or_first);
