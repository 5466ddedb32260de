// Core 2 Model (mlops.seldon.io): one placement, identified by storageUri and artifactVersion.
// Which traffic it gets is an Experiment's matter, so its own share is not known.

#include <inttypes.h>

#include "collector/extraction.h"
#include "collector/kinds.h"
#include "collector/readiness.h"
#include "common/json.h"

void extract_seldon_model(const cJSON *object, struct extraction *out)
{
    static const char *const conditions[] = {"Ready", "ModelReady", NULL};
    readiness_from_conditions(object, conditions, out);
    const cJSON *spec = json_get(object, "spec");
    const char *uri = filled_text(spec, "storageUri");
    if (uri == NULL)
        return;
    struct placement *placement = extraction_place(out, "model");
    int64_t version;
    placement->uri = uri;
    if (json_int64(spec, "artifactVersion", &version))
        placement->artifact_version = extraction_text(out, "%" PRId64, version);
    if (cJSON_IsObject(json_get(spec, "explainer")))
        placement->role = ROLE_EXPLAINER;
    placement->replicas = replicas_read(spec, "replicas", REPLICAS_NONE);
    placement->stopped = placement->replicas == 0;
}
