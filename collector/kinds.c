// The table of kinds as data. What a kind's objects mean is its extractor's business.

#include "collector/kinds.h"

#include <string.h>

#define KIND_ROW(function, version, group_name, plural, kind_name, ...)                            \
    {.group = (group_name),                                                                        \
     .resource = (plural),                                                                         \
     .kind = (kind_name),                                                                          \
     .versions = {__VA_ARGS__},                                                                    \
     .extractor = (version),                                                                       \
     .extract = (function)},

#define GITOPS_ROW(function, version, tool_name, group_name, plural, kind_name, ...)               \
    {.group = (group_name),                                                                        \
     .resource = (plural),                                                                         \
     .kind = (kind_name),                                                                          \
     .versions = {__VA_ARGS__},                                                                    \
     .extractor = (version),                                                                       \
     .tool = (tool_name),                                                                          \
     .read_gitops = (function)},

// One array, the kinds that serve models first: their index is what audit sources remember.
static const struct kind kinds[] = {KIND_TABLE(KIND_ROW) GITOPS_TABLE(GITOPS_ROW)};

#define COUNT_ROW(...) +1
#define MODEL_KINDS ((size_t)(0 KIND_TABLE(COUNT_ROW)))

const struct kind *kinds_all(size_t *count)
{
    *count = MODEL_KINDS;
    return kinds;
}

const struct kind *kinds_watched(size_t *count)
{
    *count = sizeof(kinds) / sizeof(kinds[0]);
    return kinds;
}

const struct kind *kinds_find(const char *group, const char *resource)
{
    for (size_t i = 0; i < MODEL_KINDS; i++) {
        if (strcmp(kinds[i].group, group) == 0 && strcmp(kinds[i].resource, resource) == 0)
            return &kinds[i];
    }
    return NULL;
}
