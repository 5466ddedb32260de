// LLMInferenceService (serving.kserve.io): the base model and each LoRA adapter is a placement.
// What baseRefs (templates) add is not in the object, so it is not guessed.

#include <strings.h>

#include "collector/extraction.h"
#include "collector/kinds.h"
#include "collector/kserve_component.h"
#include "collector/readiness.h"
#include "common/json.h"

struct service {
    int64_t replicas;
    bool stopped;
};

static struct service read_service(const cJSON *object)
{
    const cJSON *annotations = json_at(object, "metadata", "annotations", NULL);
    const char *stop = json_text(annotations, "serving.kserve.io/stop");
    struct service service = {0};
    service.replicas = replicas_read(json_get(object, "spec"), "replicas", REPLICAS_NONE);
    service.stopped = service.replicas == 0 || (stop != NULL && strcasecmp(stop, "true") == 0);
    return service;
}

static void place_adapter(const cJSON *adapter, const struct service *service,
                          struct extraction *out)
{
    const char *uri = filled_text(adapter, "uri");
    const char *name = filled_text(adapter, "name");
    if (uri == NULL)
        return;
    name = name != NULL ? name : "adapter";
    struct placement *placement = extraction_place(out, extraction_text(out, "adapter/%s", name));
    placement->node = name;
    placement->uri = uri;
    placement->replicas = service->replicas;
    placement->stopped = service->stopped;
}

void extract_llm_inference_service(const cJSON *object, struct extraction *out)
{
    static const char *const conditions[] = {"Ready", NULL};
    readiness_from_conditions(object, conditions, out);
    const cJSON *spec = json_get(object, "spec");
    const cJSON *model = json_get(spec, "model");
    struct service service = read_service(object);
    const char *uri = filled_text(model, "uri");
    if (uri != NULL) {
        const cJSON *containers = json_at(spec, "template", "containers", NULL);
        struct placement *placement = extraction_place(out, "predictor");
        placement->percent = 100;
        placement->uri = uri;
        placement->image = filled_text(kserve_container(containers, "main", true), "image");
        placement->replicas = service.replicas;
        placement->stopped = service.stopped;
    }
    const cJSON *adapter;
    cJSON_ArrayForEach(adapter, json_at(model, "lora", "adapters", NULL))
    {
        place_adapter(adapter, &service, out);
        if (out->problem.react != REACT_NONE)
            return;
    }
}
