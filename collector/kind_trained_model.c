// TrainedModel (serving.kserve.io): one artifact loaded into an InferenceService that it names. Its
// traffic is what callers ask for by name, so it has no share.

#include "collector/extraction.h"
#include "collector/kinds.h"
#include "collector/readiness.h"
#include "common/json.h"

void extract_trained_model(const cJSON *object, struct extraction *out)
{
    static const char *const conditions[] = {"Ready", NULL};
    readiness_from_conditions(object, conditions, out);
    const char *uri = filled_text(json_at(object, "spec", "model", NULL), "storageUri");
    if (uri != NULL)
        extraction_place(out, "model")->uri = uri;
}
