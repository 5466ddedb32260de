// Core 2 Experiment (mlops.seldon.io): routes to Models or Pipelines, whose own placements it does
// not touch. A candidate's share is its weight among all weights; a mirror gets copies.

#include <string.h>

#include "collector/extraction.h"
#include "collector/kinds.h"
#include "collector/readiness.h"
#include "common/json.h"

static double weight_of(const cJSON *candidate)
{
    const cJSON *weight = json_get(candidate, "weight");
    return cJSON_IsNumber(weight) && weight->valuedouble > 0 ? weight->valuedouble : 0;
}

void extract_seldon_experiment(const cJSON *object, struct extraction *out)
{
    static const char *const conditions[] = {"Ready", "ExperimentReady", NULL};
    readiness_from_conditions(object, conditions, out);
    const cJSON *spec = json_get(object, "spec");
    const char *type = json_text(spec, "resourceType");
    const char *target_kind = type != NULL && strcmp(type, "pipeline") == 0 ? "Pipeline" : "Model";
    const cJSON *candidates = json_get(spec, "candidates");
    const cJSON *candidate;
    double sum = 0;
    cJSON_ArrayForEach(candidate, candidates)
    {
        sum += weight_of(candidate);
    }
    cJSON_ArrayForEach(candidate, candidates)
    {
        const char *name = filled_text(candidate, "name");
        if (name != NULL)
            extraction_route(out, target_kind, name, "candidate",
                             percent_of(weight_of(candidate), sum));
        if (out->problem.react != REACT_NONE)
            return;
    }
    const cJSON *mirror = json_get(spec, "mirror");
    const char *name = filled_text(mirror, "name");
    if (name != NULL)
        extraction_route(out, target_kind, name, "mirror", percent_read(mirror, "percent"));
}
