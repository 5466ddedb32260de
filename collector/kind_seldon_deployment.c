// SeldonDeployment (machinelearning.seldon.io, all API versions): one placement for each predictor
// and graph node that serves a model, named PREDICTOR/NODE, and one for the predictor's explainer.
//
// Routers and combiners without a modelUri place nothing: they pass requests on. The annotation
// deployment_version and the labels called version are no identity here; they stay in the raw
// object.

#include <string.h>

#include "collector/extraction.h"
#include "collector/kinds.h"
#include "collector/object_times.h"
#include "collector/readiness.h"
#include "common/json.h"
#include "common/text.h"
#include "common/timestamp.h"

#define GRAPH_MAX_DEPTH 128
#define MAX_NODE_VISITS 8192 // over all predictors, two walks each
#define MAX_CONTAINERS 512   // looked through for each node

struct predictor {
    const cJSON *spec;
    const char *name;
    enum role role;
    double percent;
    int64_t replicas;
    size_t serving_nodes; // nodes that serve a model of this predictor
    size_t *visits;       // shared by all predictors of the object: bounds the work
};

// A node's container and the componentSpec (one pod) that it is in.
struct node_pod {
    const cJSON *component_spec;
    const cJSON *container;
};

// Walks a graph in document order without recursion: stack[i] is the next sibling on level i.
struct graph_walk {
    const cJSON *stack[GRAPH_MAX_DEPTH];
    size_t depth;
    size_t *visits;
};

static void graph_begin(struct graph_walk *walk, const struct predictor *predictor)
{
    const cJSON *graph = json_get(predictor->spec, "graph");
    walk->depth = 0;
    walk->visits = predictor->visits;
    if (cJSON_IsObject(graph))
        walk->stack[walk->depth++] = graph;
}

static const cJSON *graph_next(struct graph_walk *walk, struct extraction *out)
{
    while (walk->depth > 0 && walk->stack[walk->depth - 1] == NULL)
        walk->depth--;
    if (walk->depth == 0)
        return NULL;
    const cJSON *node = walk->stack[walk->depth - 1];
    // The root's `next` is another member of the predictor, no sibling.
    walk->stack[walk->depth - 1] = walk->depth == 1 ? NULL : node->next;
    const cJSON *children = json_get(node, "children");
    bool too_large = ++*walk->visits > MAX_NODE_VISITS;
    if (!too_large && cJSON_IsArray(children) && children->child != NULL) {
        too_large = walk->depth == GRAPH_MAX_DEPTH;
        if (!too_large)
            walk->stack[walk->depth++] = children->child;
    }
    if (!too_large)
        return node;
    extraction_problem(out, "inference graphs have more than %d nodes or %d levels",
                       MAX_NODE_VISITS / 2, GRAPH_MAX_DEPTH);
    return NULL;
}

static struct node_pod find_pod(const struct predictor *predictor, const char *node,
                                struct extraction *out)
{
    size_t seen = 0;
    const cJSON *component_spec;
    const cJSON *container;
    cJSON_ArrayForEach(component_spec, json_get(predictor->spec, "componentSpecs"))
    {
        cJSON_ArrayForEach(container, json_at(component_spec, "spec", "containers", NULL))
        {
            if (text_equal(json_text(container, "name"), node))
                return (struct node_pod){component_spec, container};
            if (++seen == MAX_CONTAINERS) {
                extraction_problem(out, "a predictor has more than %d containers", MAX_CONTAINERS);
                return (struct node_pod){NULL, NULL};
            }
        }
    }
    return (struct node_pod){NULL, NULL};
}

static bool is_type(const cJSON *node, const char *one, const char *other)
{
    const char *type = json_text(node, "type");
    return type != NULL && (strcmp(type, one) == 0 || strcmp(type, other) == 0);
}

static bool is_transformer(const cJSON *node)
{
    return is_type(node, "TRANSFORMER", "OUTPUT_TRANSFORMER");
}

#define MAX_PARAMETERS 1000

// modelUri, or the parameter model_uri, by which a server of one's own gets to know it.
static const char *node_uri(const cJSON *node)
{
    const char *uri = filled_text(node, "modelUri");
    const cJSON *parameters = json_get(node, "parameters");
    const cJSON *parameter = cJSON_IsArray(parameters) ? parameters->child : NULL;
    for (size_t seen = 0; uri == NULL && parameter != NULL && seen < MAX_PARAMETERS; seen++) {
        if (text_equal(json_text(parameter, "name"), "model_uri"))
            uri = filled_text(parameter, "value");
        parameter = parameter->next;
    }
    return uri;
}

// True when the node has an artifact of its own: a URI, or an image by its name.
static bool has_artifact(const cJSON *node, const struct node_pod *pod)
{
    if (node_uri(node) != NULL)
        return true;
    return !is_type(node, "ROUTER", "COMBINER") && filled_text(pod->container, "image") != NULL;
}

static bool is_alone(const cJSON *container)
{
    return container != NULL && container->next == NULL && container->prev == container;
}

// Labels of the pod mean the node when it has the pod to itself, those of the predictor when no
// other node serves: else they would name two models alike.
static void take_labels(const struct predictor *predictor, const struct node_pod *pod,
                        struct placement *placement)
{
    if (placement->node == NULL || is_alone(pod->container)) {
        const cJSON *metadata = json_get(pod->component_spec, "metadata");
        placement->labels[0] = json_get(metadata, "labels");
        placement->labels[1] = json_get(metadata, "annotations");
    }
    if (placement->node == NULL) {
        placement->labels[2] = json_get(predictor->spec, "labels");
        placement->labels[3] = json_get(predictor->spec, "annotations");
    }
}

static void place_node(const cJSON *node, const struct predictor *predictor, struct extraction *out)
{
    const char *name = json_text(node, "name");
    name = name != NULL ? name : "";
    struct node_pod pod = find_pod(predictor, name, out);
    if (!has_artifact(node, &pod))
        return;
    bool transformer = is_transformer(node);
    struct placement *placement =
        extraction_place(out, extraction_text(out, "%s/%s", predictor->name, name));
    placement->role = transformer ? ROLE_TRANSFORMER : predictor->role;
    placement->percent = predictor->percent;
    placement->replicas = replicas_read(pod.component_spec, "replicas", predictor->replicas);
    placement->stopped = placement->replicas == 0;
    placement->node = transformer || predictor->serving_nodes > 1 ? name : NULL;
    placement->uri = node_uri(node);
    placement->image = filled_text(pod.container, "image");
    take_labels(predictor, &pod, placement);
}

// An explainer without artifact and image has no version of its own and is left out.
static void place_explainer(const struct predictor *predictor, struct extraction *out)
{
    const cJSON *explainer = json_get(predictor->spec, "explainer");
    const char *uri = filled_text(explainer, "modelUri");
    const char *image = filled_text(json_get(explainer, "containerSpec"), "image");
    if (uri == NULL && image == NULL)
        return;
    struct placement *placement =
        extraction_place(out, extraction_text(out, "%s/explainer", predictor->name));
    placement->role = ROLE_EXPLAINER;
    placement->node = "explainer";
    placement->uri = uri;
    placement->image = image;
    placement->replicas = replicas_read(explainer, "replicas", predictor->replicas);
    placement->stopped = placement->replicas == 0;
}

static size_t count_serving_nodes(const struct predictor *predictor, struct extraction *out)
{
    struct graph_walk walk;
    size_t count = 0;
    graph_begin(&walk, predictor);
    for (const cJSON *node = graph_next(&walk, out); node; node = graph_next(&walk, out)) {
        const char *name = json_text(node, "name");
        struct node_pod pod = find_pod(predictor, name != NULL ? name : "", out);
        count += !is_transformer(node) && has_artifact(node, &pod);
    }
    return count;
}

static void read_predictor(struct predictor *predictor, struct extraction *out)
{
    predictor->serving_nodes = count_serving_nodes(predictor, out);
    struct graph_walk walk;
    graph_begin(&walk, predictor);
    const cJSON *node = graph_next(&walk, out);
    while (node != NULL && out->problem.react == REACT_NONE) {
        place_node(node, predictor, out);
        node = graph_next(&walk, out);
    }
    place_explainer(predictor, out);
}

// How the predictors that answer requests (all but shadows) share the traffic.
struct shares {
    size_t answering;
    bool told;            // some predictor says its traffic
    const cJSON *largest; // the predictor with most of it, the first of equals: it is the live one
};

static double traffic_of(const cJSON *predictor)
{
    double percent = percent_read(predictor, "traffic");
    return percent > 0 ? percent : 0;
}

static struct shares read_shares(const cJSON *predictors)
{
    struct shares shares = {0};
    const cJSON *predictor;
    cJSON_ArrayForEach(predictor, predictors)
    {
        if (json_bool(predictor, "shadow", false))
            continue;
        shares.answering++;
        double traffic = traffic_of(predictor);
        shares.told = shares.told || traffic > 0;
        if (shares.largest == NULL || traffic > traffic_of(shares.largest))
            shares.largest = predictor;
    }
    return shares;
}

static void share_out(struct predictor *predictor, const struct shares *shares)
{
    double traffic = traffic_of(predictor->spec);
    if (json_bool(predictor->spec, "shadow", false)) {
        predictor->role = ROLE_SHADOW;
        predictor->percent = traffic > 0 ? traffic : PERCENT_NONE;
        return;
    }
    predictor->role = predictor->spec == shares->largest ? ROLE_LIVE : ROLE_CANARY;
    if (shares->told)
        predictor->percent = traffic;
    else // The operator gives a lone predictor 100; what several get without a word is not known.
        predictor->percent = shares->answering == 1 ? 100 : PERCENT_NONE;
}

static void read_status(const cJSON *object, struct extraction *out)
{
    static const char *const conditions[] = {"Ready", NULL};
    readiness_from_conditions(object, conditions, out);
    const char *state = json_text(json_get(object, "status"), "state");
    if (state == NULL || state[0] == '\0')
        return;
    out->ready = strcmp(state, "Available") == 0 ? READY_YES : READY_NO;
    out->failed = strcmp(state, "Failed") == 0;
    if (out->ready == READY_NO)
        out->ready_since = TIMESTAMP_NONE;
}

void extract_seldon_deployment(const cJSON *object, struct extraction *out)
{
    const cJSON *spec = json_get(object, "spec");
    const cJSON *predictors = json_get(spec, "predictors");
    struct shares shares = read_shares(predictors);
    int64_t replicas = replicas_read(spec, "replicas", REPLICAS_NONE);
    size_t visits = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, predictors)
    {
        const char *name = filled_text(item, "name");
        struct predictor predictor = {.spec = item, .name = name != NULL ? name : "predictor"};
        predictor.visits = &visits;
        predictor.replicas = replicas_read(item, "replicas", replicas);
        share_out(&predictor, &shares);
        read_predictor(&predictor, out);
        if (out->problem.react != REACT_NONE)
            return;
    }
    read_status(object, out);
}
