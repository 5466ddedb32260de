#pragma once

// Runs one kind's extractor over an object written as text. JSON may use ' instead of ".

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "collector/extraction.h"
#include "common/json.h"
#include "common/memory.h"

struct extracted {
    char *text;
    cJSON *object;
    struct extraction extraction;
    struct error err;
    bool usable;
};

static inline struct extracted extract(const char *group, const char *resource, const char *text)
{
    struct extracted extracted = {.text = xstrdup(text)};
    for (char *c = extracted.text; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    extracted.object = json_parse(extracted.text, strlen(text), 200, &extracted.err);
    if (extracted.object == NULL)
        fail_msg("test object is no JSON: %s", extracted.err.text);
    extracted.usable = extraction_read(kinds_find(group, resource), extracted.object,
                                       &extracted.extraction, &extracted.err);
    return extracted;
}

static inline void extracted_reset(struct extracted *extracted)
{
    extraction_reset(&extracted->extraction);
    cJSON_Delete(extracted->object);
    free(extracted->text);
}
#define EXTRACTED __attribute__((cleanup(extracted_reset))) struct extracted

// The placement of that component; fails the test when there is none.
static inline const struct placement *placed(const struct extracted *extracted,
                                             const char *component)
{
    for (size_t i = 0; i < extracted->extraction.placement_count; i++) {
        if (strcmp(extracted->extraction.placements[i].component, component) == 0)
            return &extracted->extraction.placements[i];
    }
    fail_msg("no placement %s", component);
    return NULL;
}

static inline void assert_percent(double have, double want)
{
    if (have > want || have < want)
        fail_msg("percent is %g, not %g", have, want);
}
