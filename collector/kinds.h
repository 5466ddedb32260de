#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

// The kinds that are watched, one table row each. Adding a kind that serves models takes one file
// kind_NAME.c with its extractor, and one row here. Kinds by which GitOps tools say what they
// applied are watched beside them, and are no workloads.

struct extraction; // collector/extraction.h: what an extractor fills

struct kind {
    const char *group;       // "serving.kserve.io"
    const char *resource;    // plural: "inferenceservices"
    const char *kind;        // "InferenceService"
    const char *versions[4]; // API versions in order of preference, ends with NULL
    int extractor;           // raised whenever the extractor's result for some object changes
    void (*extract)(const cJSON *object, struct extraction *out); // NULL: no workload
    const char *tool;                                             // "argocd", "flux"; else NULL
    // Adds repositories, syncs and operation to the data of gitops.observed (gitops_object.h).
    void (*read_gitops)(const cJSON *object, cJSON *data);
};

// ROW(extractor function, extractor version, group, plural, kind, API versions ...)
// clang-format off
#define KIND_TABLE(ROW)                                                                                    \
    ROW(extract_seldon_deployment, 1, "machinelearning.seldon.io", "seldondeployments", "SeldonDeployment", \
        "v1", "v1alpha3", "v1alpha2")                                                                      \
    ROW(extract_seldon_model, 1, "mlops.seldon.io", "models", "Model", "v1alpha1")                         \
    ROW(extract_seldon_experiment, 1, "mlops.seldon.io", "experiments", "Experiment", "v1alpha1")          \
    ROW(extract_seldon_pipeline, 1, "mlops.seldon.io", "pipelines", "Pipeline", "v1alpha1")                \
    ROW(extract_seldon_server, 1, "mlops.seldon.io", "servers", "Server", "v1alpha1")                      \
    ROW(extract_inference_service, 1, "serving.kserve.io", "inferenceservices", "InferenceService",        \
        "v1beta1")                                                                                         \
    ROW(extract_trained_model, 1, "serving.kserve.io", "trainedmodels", "TrainedModel", "v1alpha1")        \
    ROW(extract_inference_graph, 1, "serving.kserve.io", "inferencegraphs", "InferenceGraph", "v1alpha1")  \
    ROW(extract_llm_inference_service, 1, "serving.kserve.io", "llminferenceservices",                     \
        "LLMInferenceService", "v1alpha2", "v1alpha1")

// ROW(reader function, its version, tool, group, plural, kind, API versions ...)
#define GITOPS_TABLE(ROW)                                                                                  \
    ROW(read_argocd_application, 1, "argocd", "argoproj.io", "applications", "Application", "v1alpha1")    \
    ROW(read_flux_kustomization, 1, "flux", "kustomize.toolkit.fluxcd.io", "kustomizations",               \
        "Kustomization", "v1", "v1beta2")                                                                  \
    ROW(read_flux_helm_release, 1, "flux", "helm.toolkit.fluxcd.io", "helmreleases", "HelmRelease",        \
        "v2", "v2beta2")                                                                                   \
    ROW(read_flux_git_repository, 1, "flux", "source.toolkit.fluxcd.io", "gitrepositories",                \
        "GitRepository", "v1", "v1beta2")
// clang-format on

#define KIND_PROTOTYPE(function, ...) void function(const cJSON *object, struct extraction *out);
KIND_TABLE(KIND_PROTOTYPE)
#undef KIND_PROTOTYPE
#define GITOPS_PROTOTYPE(function, ...) void function(const cJSON *object, cJSON *data);
GITOPS_TABLE(GITOPS_PROTOTYPE)
#undef GITOPS_PROTOTYPE

// All kinds that serve models; *count receives their number.
const struct kind *kinds_all(size_t *count);

// The same, followed by the kinds of GitOps tools: what the Kubernetes source watches.
const struct kind *kinds_watched(size_t *count);

// The kind that serves models of an API group and plural; NULL when it is none of ours.
const struct kind *kinds_find(const char *group, const char *resource);
