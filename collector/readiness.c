// Conditions to ready, failed and since when.

#include "collector/readiness.h"

#include <string.h>

#include "collector/object_times.h"
#include "common/json.h"

static const cJSON *find_condition(const cJSON *object, const char *type)
{
    const cJSON *condition;
    cJSON_ArrayForEach(condition, json_at(object, "status", "conditions", NULL))
    {
        const char *name = json_text(condition, "type");
        if (name != NULL && strcmp(name, type) == 0)
            return condition;
    }
    return NULL;
}

static void read_condition(const cJSON *condition, struct extraction *out)
{
    const char *status = json_text(condition, "status");
    if (status == NULL)
        return;
    struct time_range since;
    if (strcmp(status, "True") == 0) {
        out->ready = READY_YES;
        if (time_range_read(json_text(condition, "lastTransitionTime"), &since))
            out->ready_since = since.to;
        return;
    }
    out->ready = READY_NO;
    // "ModelFailed", "ScheduleFailed", "RevisionFailed": the reasons of Core 2 and Knative.
    const char *reason = json_text(condition, "reason");
    if (strcmp(status, "False") == 0 && reason != NULL && strstr(reason, "Fail") != NULL)
        out->failed = true;
}

void readiness_from_conditions(const cJSON *object, const char *const types[],
                               struct extraction *out)
{
    for (size_t i = 0; types[i] != NULL; i++) {
        const cJSON *condition = find_condition(object, types[i]);
        if (condition != NULL) {
            read_condition(condition, out);
            return;
        }
    }
}
