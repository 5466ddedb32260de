#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

// The kinds that serve models, one table row each (kinds.c). Adding a kind takes one file
// kind_NAME.c with its extractor, and one row.

struct extraction; // collector/extraction.h: what an extractor fills

struct kind {
    const char *group;       // "serving.kserve.io"
    const char *resource;    // plural: "inferenceservices"
    const char *kind;        // "InferenceService"
    const char *versions[4]; // API versions in order of preference, ends with NULL
    int extractor;           // raised whenever the extractor's result for some object changes
    void (*extract)(const cJSON *object, struct extraction *out);
};

// All kinds; *count receives their number.
const struct kind *kinds_all(size_t *count);

// The kind of an API group and plural; NULL when it is none of ours.
const struct kind *kinds_find(const char *group, const char *resource);
