// InferenceService (serving.kserve.io): predictor, its canaries, transformer and explainer. With
// canaryTrafficPercent the spec holds the new artifact only; what the older revision serves is told
// by revision names, which the fold resolves from earlier positions (docs/events.md).

#include <string.h>
#include <strings.h>

#include "collector/extraction.h"
#include "collector/kinds.h"
#include "collector/kserve_component.h"
#include "collector/readiness.h"
#include "common/json.h"
#include "common/text.h"

#define MAX_REVISIONS 100

// How one component of the service is placed.
struct part {
    const char *component;
    const char *node;
    enum role role;
    double percent;
    bool stopped;
    bool revisioned;
};

static struct placement *place(const struct part *part, struct extraction *out)
{
    struct placement *placement = extraction_place(out, part->component);
    placement->role = part->role;
    placement->node = part->node;
    placement->percent = part->percent;
    placement->stopped = part->stopped;
    return placement;
}

// storageUris behind the first: other artifacts that the same server loads.
static void place_more(const struct part *part, const cJSON *entry, struct extraction *out)
{
    size_t number = 2;
    for (; entry != NULL && out->problem.react == REACT_NONE; entry = entry->next) {
        const char *uri = kserve_storage_uri(entry);
        if (uri == NULL)
            continue;
        struct placement *placement = place(part, out);
        placement->uri = uri;
        placement->node = extraction_text(out, "storage-%zu", number++);
    }
}

static void place_artifact(const struct part *part, const cJSON *spec, struct extraction *out)
{
    struct kserve_artifact artifact = kserve_artifact_read(spec, out);
    if (artifact.uri == NULL && artifact.image == NULL)
        return;
    struct placement *placement = place(part, out);
    placement->uri = artifact.uri;
    placement->image = artifact.image;
    placement->revisioned = part->revisioned;
    place_more(part, artifact.more, out);
}

// A transformer that runs in the predictor's pod, beside the model.
static void place_collocated(const cJSON *predictor, bool stopped, struct extraction *out)
{
    const cJSON *containers = json_get(predictor, "containers");
    const cJSON *container = kserve_container(containers, "transformer-container", false);
    const char *image = filled_text(container, "image");
    bool is_model = container != NULL && container == containers->child &&
                    !cJSON_IsObject(json_get(predictor, "model")) && container->next == NULL;
    if (image == NULL || is_model)
        return;
    struct part part = {"transformer", "transformer", ROLE_TRANSFORMER,
                        PERCENT_NONE,  stopped,       false};
    place(&part, out)->image = image;
}

static void add_traffic(struct revisions *revisions, const char *revision, double percent)
{
    for (size_t i = 0; i < revisions->count; i++) {
        struct traffic *known = &revisions->traffic[i];
        if (strcmp(known->revision, revision) == 0) { // listed again under a tag
            if (percent >= 0)
                known->percent = known->percent >= 0 ? known->percent + percent : percent;
            return;
        }
    }
    revisions->traffic = xgrow(revisions->traffic, &revisions->capacity, revisions->count + 1,
                               sizeof(*revisions->traffic));
    revisions->traffic[revisions->count++] = (struct traffic){revision, percent};
}

// The revision with the largest share but `except`; NULL when none has any.
static const char *largest_share(const struct revisions *revisions, const char *except)
{
    const struct traffic *largest = NULL;
    for (size_t i = 0; i < revisions->count; i++) {
        const struct traffic *share = &revisions->traffic[i];
        bool excepted = except != NULL && strcmp(share->revision, except) == 0;
        if (!excepted && share->percent > 0 &&
            (largest == NULL || share->percent > largest->percent))
            largest = share;
    }
    return largest != NULL ? largest->revision : NULL;
}

static bool is_observed(const cJSON *object)
{
    int64_t observed;
    int64_t generation;
    return json_int64(json_get(object, "status"), "observedGeneration", &observed) &&
           json_int64(json_get(object, "metadata"), "generation", &generation) &&
           observed == generation;
}

// The last fully rolled out revision is the one a canary leaves in place. After a rollback by
// "canaryTrafficPercent: 0" that is still the newest one, while traffic goes to the one before.
static const char *kept_revision(const cJSON *object, const char *rolled_out,
                                 const struct revisions *revisions)
{
    if (revisions->count == 0) // raw deployment mode: the spec alone counts
        return NULL;
    const char *older = largest_share(revisions, revisions->latest_created);
    if (rolled_out != NULL) {
        bool newest = text_equal(rolled_out, revisions->latest_created);
        return newest && older != NULL ? older : rolled_out;
    }
    if (is_observed(object) && older != NULL)
        return older;
    return largest_share(revisions, NULL);
}

static void read_revisions(const cJSON *object, struct extraction *out)
{
    const cJSON *status = json_at(object, "status", "components", "predictor", NULL);
    struct revisions *revisions = &out->revisions;
    revisions->latest_created = filled_text(status, "latestCreatedRevision");
    const cJSON *share;
    cJSON_ArrayForEach(share, json_get(status, "traffic"))
    {
        const char *revision = filled_text(share, "revisionName");
        if (revision != NULL)
            add_traffic(revisions, revision, percent_read(share, "percent"));
        if (revisions->count > MAX_REVISIONS) {
            extraction_problem(out, "status names more than %d revisions", MAX_REVISIONS);
            return;
        }
    }
    revisions->known = revisions->latest_created != NULL || revisions->count > 0;
    const char *kept =
        kept_revision(object, filled_text(status, "latestRolledoutRevision"), revisions);
    // A percentage that was there from the first deployment: the spec's own revision has all
    // traffic.
    bool is_own =
        kept != NULL && text_equal(kept, revisions->latest_created) && is_observed(object);
    revisions->kept = is_own ? NULL : kept;
}

static bool is_stopped(const cJSON *object)
{
    const cJSON *annotations = json_at(object, "metadata", "annotations", NULL);
    const char *stop = json_text(annotations, "serving.kserve.io/stop");
    return stop != NULL && strcasecmp(stop, "true") == 0;
}

// spec.canary[]: what the canaries take from the main predictor's traffic.
static double canary_share(const cJSON *canaries)
{
    double taken = 0;
    const cJSON *canary;
    cJSON_ArrayForEach(canary, canaries)
    {
        double percent = percent_read(canary, "trafficPercent");
        taken += percent > 0 ? percent : 0;
    }
    return taken;
}

// spec.canary[]: predictors of their own beside the main one, each named by itself or its place.
static void place_canaries(const cJSON *canaries, bool stopped, struct extraction *out)
{
    size_t number = 0;
    const cJSON *canary;
    cJSON_ArrayForEach(canary, canaries)
    {
        const cJSON *predictor = json_get(canary, "predictor");
        const char *name = filled_text(canary, "name");
        if (name == NULL)
            name = filled_text(predictor, "name");
        number++;
        const char *component = name != NULL ? extraction_text(out, "canary/%s", name)
                                             : extraction_text(out, "canary/%zu", number);
        struct part part = {.component = component, .role = ROLE_CANARY, .stopped = stopped};
        part.percent = percent_read(canary, "trafficPercent");
        place_artifact(&part, predictor, out);
        if (out->problem.react != REACT_NONE)
            return;
    }
}

static void place_predictor(const cJSON *predictor, double taken, bool stopped,
                            struct extraction *out)
{
    struct part part = {.component = "predictor",
                        .role = ROLE_LIVE,
                        .percent = taken <= 100 ? 100 - taken : PERCENT_NONE,
                        .stopped = stopped,
                        .revisioned = true};
    double percent = percent_read(predictor, "canaryTrafficPercent");
    if (percent >= 0 && percent < 100 && out->revisions.kept != NULL) {
        part.component = "canary";
        part.role = ROLE_CANARY;
        part.percent = percent;
    }
    place_artifact(&part, predictor, out);
}

static void read_status(const cJSON *object, struct extraction *out)
{
    static const char *const conditions[] = {"Ready", NULL};
    readiness_from_conditions(object, conditions, out);
    const char *transition =
        json_text(json_at(object, "status", "modelStatus", NULL), "transitionStatus");
    if (text_equal(transition, "BlockedByFailedLoad") || text_equal(transition, "InvalidSpec"))
        out->failed = true;
}

void extract_inference_service(const cJSON *object, struct extraction *out)
{
    const cJSON *spec = json_get(object, "spec");
    const cJSON *predictor = json_get(spec, "predictor");
    bool stopped = is_stopped(object);
    read_status(object, out);
    read_revisions(object, out);
    place_predictor(predictor, canary_share(json_get(spec, "canary")), stopped, out);
    place_canaries(json_get(spec, "canary"), stopped, out);
    place_collocated(predictor, stopped, out);
    struct part transformer = {"transformer", "transformer", ROLE_TRANSFORMER,
                               PERCENT_NONE,  stopped,       false};
    place_artifact(&transformer, json_get(spec, "transformer"), out);
    struct part explainer = {"explainer",  "explainer", ROLE_EXPLAINER,
                             PERCENT_NONE, stopped,     false};
    place_artifact(&explainer, json_get(spec, "explainer"), out);
}
