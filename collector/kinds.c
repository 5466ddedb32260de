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

static const struct kind kinds[] = {KIND_TABLE(KIND_ROW)};

const struct kind *kinds_all(size_t *count)
{
    *count = sizeof(kinds) / sizeof(kinds[0]);
    return kinds;
}

const struct kind *kinds_find(const char *group, const char *resource)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].group, group) == 0 && strcmp(kinds[i].resource, resource) == 0)
            return &kinds[i];
    }
    return NULL;
}
