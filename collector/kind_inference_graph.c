// InferenceGraph (serving.kserve.io): routes from its root to the services that its nodes call. A
// Splitter shares its traffic by weight; other routers call every step, or choose by the request.

#include <string.h>

#include "collector/extraction.h"
#include "collector/kinds.h"
#include "collector/readiness.h"
#include "common/json.h"
#include "common/text.h"

#define MAX_DEPTH 16   // nodes within nodes; also ends the walk of a graph that has a cycle
#define MAX_STEPS 8192 // over the whole walk, each looked at twice

// A router on the way from the root, the step to take next, and the share of the traffic that
// reaches it (PERCENT_NONE when the request decides).
struct visit {
    const cJSON *step;
    bool splitter;
    bool chooses;
    double share;
    double weights;
};

struct walk {
    const cJSON *nodes;
    struct visit stack[MAX_DEPTH];
    size_t depth;
    size_t steps;
};

static double weight_of(const cJSON *step)
{
    const cJSON *weight = json_get(step, "weight");
    return cJSON_IsNumber(weight) && weight->valuedouble > 0 ? weight->valuedouble : 0;
}

static void enter(struct walk *walk, const char *name, double share)
{
    const cJSON *node = json_get(walk->nodes, name);
    const cJSON *steps = json_get(node, "steps");
    if (!cJSON_IsArray(steps) || walk->depth == MAX_DEPTH)
        return;
    const char *type = json_text(node, "routerType");
    struct visit *visit = &walk->stack[walk->depth++];
    *visit = (struct visit){.step = steps->child, .share = share};
    visit->splitter = text_equal(type, "Splitter");
    visit->chooses = text_equal(type, "Switch");
    const cJSON *step;
    cJSON_ArrayForEach(step, steps)
    {
        visit->weights += weight_of(step);
        if (++walk->steps > MAX_STEPS) // summing up is work too
            return;
    }
}

// The share of the graph's traffic that a step gets.
static double step_share(const struct visit *visit, const cJSON *step)
{
    if (visit->chooses || visit->share < 0)
        return PERCENT_NONE;
    if (!visit->splitter)
        return visit->share;
    double percent = percent_of(weight_of(step), visit->weights);
    return percent < 0 ? PERCENT_NONE : percent_round(percent * visit->share / 100);
}

static void take_step(struct walk *walk, const struct visit *visit, const cJSON *step,
                      struct extraction *out)
{
    const char *service = filled_text(step, "serviceName");
    const char *url = filled_text(step, "serviceUrl");
    const char *node = filled_text(step, "nodeName");
    double share = step_share(visit, step);
    const char *role = visit->splitter ? "candidate" : "step";
    double percent = visit->splitter ? share : PERCENT_NONE;
    if (service != NULL)
        extraction_route(out, "InferenceService", service, role, percent);
    else if (url != NULL)
        extraction_route(out, "URL", url, role, percent);
    else if (node != NULL)
        enter(walk, node, share);
}

void extract_inference_graph(const cJSON *object, struct extraction *out)
{
    static const char *const conditions[] = {"Ready", NULL};
    readiness_from_conditions(object, conditions, out);
    struct walk walk = {.nodes = json_at(object, "spec", "nodes", NULL)};
    enter(&walk, "root", 100);
    while (walk.depth > 0 && out->problem.react == REACT_NONE) {
        struct visit *visit = &walk.stack[walk.depth - 1];
        const cJSON *step = visit->step;
        if (step == NULL) {
            walk.depth--;
            continue;
        }
        visit->step = step->next;
        if (++walk.steps > MAX_STEPS)
            extraction_problem(out, "inference graph takes more than %d steps", MAX_STEPS / 2);
        else
            take_step(&walk, visit, step, out);
    }
}
