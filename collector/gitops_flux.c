// Reads Flux's Kustomization, HelmRelease and GitRepository. The first two name the source object
// that they take from; its URL stands in the GitRepository, and views join them. All that Flux
// does is automated.

#include <string.h>

#include "collector/gitops_field.h"
#include "collector/kinds.h"
#include "common/json.h"
#include "common/memory.h"

// "GitRepository/flux-system/models": what a source reference names.
static void add_reference(cJSON *to, const cJSON *reference, const cJSON *object)
{
    const char *kind = json_text(reference, "kind");
    const char *name = json_text(reference, "name");
    const char *namespace = json_text(reference, "namespace");
    if (namespace == NULL)
    namespace = json_text(json_get(object, "metadata"), "namespace");
    if (kind == NULL || name == NULL || strlen(kind) + strlen(name) > 1000) {
        cJSON_AddNullToObject(to, "source");
        return;
    }
    SCOPED(xfree_char)
    char *text = xasprintf("%s/%.253s/%s", kind, namespace ? namespace : "", name);
    json_add_text(to, "source", text);
}

// Without a kubeconfig of another cluster it applies to its own.
static void add_destination(const cJSON *spec, cJSON *data)
{
    const cJSON *elsewhere = json_get(spec, "kubeConfig");
    bool local = elsewhere == NULL || cJSON_IsNull(elsewhere);
    gitops_add_destination(data, &local, json_get(spec, "targetNamespace"));
}

// The tool always takes subfolders too.
static void add_reading(cJSON *to, const char *shaping)
{
    const bool recurse = true;
    gitops_add_reading(to, &recurse, shaping);
}

// A Kustomization's own changes to what its folder says.
static const char *shaping_of(const cJSON *spec)
{
    const struct gitops_shape shapes[] = {
        {json_get(spec, "patches"), "patches"},
        {json_get(spec, "patchesStrategicMerge"), "patches"},
        {json_get(spec, "patchesJson6902"), "patches"},
        {json_get(spec, "postBuild"), "substitute"},
        {json_get(spec, "images"), "images"},
        {json_get(spec, "components"), "components"},
        {json_get(spec, "namePrefix"), "rename"},
        {json_get(spec, "nameSuffix"), "rename"},
    };
    return gitops_shaping(shapes, sizeof(shapes) / sizeof(*shapes));
}

static cJSON *add_repository(cJSON *data, const cJSON *reference, const cJSON *object,
                             const cJSON *path, const cJSON *chart, const cJSON *target)
{
    cJSON *repositories = cJSON_AddArrayToObject(data, "repositories");
    cJSON *repository = cJSON_CreateObject();
    cJSON_AddNullToObject(repository, "url");
    add_reference(repository, reference, object);
    gitops_add_text(repository, "path", path);
    gitops_add_text(repository, "chart", chart);
    gitops_add_text(repository, "target", target);
    cJSON_AddItemToArray(repositories, repository);
    return repository;
}

// The history tells neither source nor shaping: those of the object at the time hold.
static cJSON *new_sync(cJSON *syncs)
{
    cJSON *sync = cJSON_CreateObject();
    cJSON_AddItemToArray(syncs, sync);
    cJSON_AddNullToObject(sync, "initiated_by");
    cJSON_AddTrueToObject(sync, "automated");
    add_reading(sync, NULL);
    return sync;
}

static const cJSON *ready_condition(const cJSON *object)
{
    const cJSON *condition;
    cJSON_ArrayForEach(condition, json_at(object, "status", "conditions", NULL))
    {
        const char *type = json_text(condition, "type");
        if (type != NULL && strcmp(type, "Ready") == 0)
            return condition;
    }
    return NULL;
}

// What is being applied, and whether that went well: "True", "False", "Unknown" are Succeeded,
// the reason told, and Running.
static void add_operation(const cJSON *object, cJSON *data)
{
    const cJSON *revision = json_at(object, "status", "lastAttemptedRevision", NULL);
    const cJSON *ready = ready_condition(object);
    const char *status = json_text(ready, "status");
    if (revision == NULL) {
        cJSON_AddNullToObject(data, "operation");
        return;
    }
    cJSON *operation = cJSON_AddObjectToObject(data, "operation");
    if (status != NULL && strcmp(status, "False") == 0)
        gitops_add_text(operation, "phase", json_get(ready, "reason"));
    else
        json_add_text(operation, "phase",
                      status != NULL && strcmp(status, "True") == 0 ? "Succeeded" : "Running");
    cJSON_AddNullToObject(operation, "started_at");
    cJSON_AddNullToObject(operation, "finished_at");
    gitops_add_text(operation, "revision", revision);
    cJSON_AddNullToObject(operation, "initiated_by");
    cJSON_AddTrueToObject(operation, "automated");
}

// Newer releases keep a history, newest first, of what was reconciled well; older ones only the
// last revision, whose time nobody tells: then the observation's own is the upper bound.
static void add_kustomization_syncs(const cJSON *status, cJSON *data)
{
    cJSON *syncs = cJSON_AddArrayToObject(data, "syncs");
    const cJSON *entry;
    cJSON_ArrayForEach(entry, json_get(status, "history"))
    {
        const char *result = json_text(entry, "lastReconciledStatus");
        const cJSON *revision = json_at(entry, "metadata", "revision", NULL);
        if (revision == NULL || result == NULL || strcmp(result, "ReconciliationSucceeded") != 0 ||
            cJSON_GetArraySize(syncs) >= GITOPS_MAX_SYNCS)
            continue;
        cJSON *sync = new_sync(syncs);
        cJSON_AddNullToObject(sync, "id");
        gitops_add_text(sync, "revision", revision);
        gitops_add_time(sync, "at", json_get(entry, "firstReconciled"));
    }
    const cJSON *applied = json_get(status, "lastAppliedRevision");
    if (cJSON_GetArraySize(syncs) > 0 || applied == NULL)
        return;
    cJSON *sync = new_sync(syncs);
    cJSON_AddNullToObject(sync, "id");
    gitops_add_text(sync, "revision", applied);
    cJSON_AddNullToObject(sync, "at");
}

void read_flux_kustomization(const cJSON *object, cJSON *data)
{
    const cJSON *spec = json_get(object, "spec");
    add_destination(spec, data);
    cJSON *repository = add_repository(data, json_get(spec, "sourceRef"), object,
                                       json_get(spec, "path"), NULL, NULL);
    add_reading(repository, shaping_of(spec));
    add_kustomization_syncs(json_get(object, "status"), data);
    add_operation(object, data);
}

// The history is newest first, and its `version` is the number of Helm's release. What was released
// is a version of the chart, which is no commit: the chain stops there.
void read_flux_helm_release(const cJSON *object, cJSON *data)
{
    const cJSON *spec = json_get(object, "spec");
    const cJSON *chart = json_at(spec, "chart", "spec", NULL);
    const cJSON *reference = json_get(chart, "sourceRef");
    add_destination(spec, data);
    cJSON *repository =
        add_repository(data, reference != NULL ? reference : json_get(spec, "chartRef"), object,
                       NULL, json_get(chart, "chart"), json_get(chart, "version"));
    add_reading(repository, "helm");
    cJSON *syncs = cJSON_AddArrayToObject(data, "syncs");
    const cJSON *entry;
    cJSON_ArrayForEach(entry, json_at(object, "status", "history", NULL))
    {
        int64_t version;
        if (cJSON_GetArraySize(syncs) >= GITOPS_MAX_SYNCS)
            break;
        cJSON *sync = new_sync(syncs);
        if (json_int64(entry, "version", &version))
            json_add_int64(sync, "id", version);
        else
            cJSON_AddNullToObject(sync, "id");
        gitops_add_text(sync, "revision", json_get(entry, "chartVersion"));
        gitops_add_time(sync, "at", json_get(entry, "lastDeployed"));
    }
    add_operation(object, data);
}

// A branch wins over nothing else: Flux itself takes the most exact reference first.
static const cJSON *reference_target(const cJSON *reference)
{
    static const char *const keys[] = {"commit", "name", "semver", "tag", "branch"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        const cJSON *target = json_get(reference, keys[i]);
        if (target != NULL)
            return target;
    }
    return NULL;
}

void read_flux_git_repository(const cJSON *object, cJSON *data)
{
    const cJSON *spec = json_get(object, "spec");
    const cJSON *artifact = json_at(object, "status", "artifact", NULL);
    cJSON_AddNullToObject(data, "destination"); // it applies nothing itself
    cJSON *repositories = cJSON_AddArrayToObject(data, "repositories");
    cJSON *repository = cJSON_CreateObject();
    gitops_add_text(repository, "url", json_get(spec, "url"));
    cJSON_AddNullToObject(repository, "path");
    gitops_add_text(repository, "target", reference_target(json_get(spec, "ref")));
    add_reading(repository, NULL);
    cJSON_AddItemToArray(repositories, repository);
    cJSON *syncs = cJSON_AddArrayToObject(data, "syncs");
    if (artifact != NULL) {
        cJSON *sync = new_sync(syncs);
        cJSON_AddNullToObject(sync, "id");
        gitops_add_text(sync, "revision", json_get(artifact, "revision"));
        gitops_add_time(sync, "at", json_get(artifact, "lastUpdateTime"));
    }
    cJSON_AddNullToObject(data, "operation");
}
