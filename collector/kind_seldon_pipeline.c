// Core 2 Pipeline and Server (mlops.seldon.io): workloads that place nothing. A Pipeline's steps
// are routes to Models; a Server's image says what runs the models, not which they are.

#include "collector/extraction.h"
#include "collector/kinds.h"
#include "collector/readiness.h"
#include "common/json.h"

void extract_seldon_pipeline(const cJSON *object, struct extraction *out)
{
    static const char *const conditions[] = {"Ready", "PipelineReady", NULL};
    readiness_from_conditions(object, conditions, out);
    const cJSON *step;
    cJSON_ArrayForEach(step, json_at(object, "spec", "steps", NULL))
    {
        const char *model = filled_text(step, "name");
        if (model != NULL)
            extraction_route(out, "Model", model, "step", PERCENT_NONE);
        if (out->problem.react != REACT_NONE)
            return;
    }
}

void extract_seldon_server(const cJSON *object, struct extraction *out)
{
    static const char *const conditions[] = {"Ready", "StatefulSetReady", NULL};
    readiness_from_conditions(object, conditions, out);
}
