// Reads an Argo CD Application (argoproj.io/v1alpha1): its sources, the history of its syncs, and
// the operation that ran last. A self-heal of single resources stands in the latter only, and is
// automated at a revision that was synced before.

#include <string.h>

#include "collector/gitops_field.h"
#include "collector/kinds.h"
#include "common/json.h"
#include "common/memory.h"

// The server that every cluster calls itself by, and the name that Argo CD has for it.
#define OWN_SERVER "https://kubernetes.default.svc"
#define OWN_NAME "in-cluster"

static void add_destination(const cJSON *destination, cJSON *data)
{
    const char *server = json_text(destination, "server");
    const char *name = json_text(destination, "name");
    bool told = (server != NULL && *server != '\0') || (name != NULL && *name != '\0');
    bool local = (server != NULL && strcmp(server, OWN_SERVER) == 0) ||
                 (name != NULL && strcmp(name, OWN_NAME) == 0);
    gitops_add_destination(data, told ? &local : NULL, json_get(destination, "namespace"));
}

// A folder's own files are applied as they stand, unless the source says one of these. What the
// tool finds in the folder (Chart.yaml, kustomization.yaml) is told by the commits.
static const char *shaping_of(const cJSON *source)
{
    const cJSON *directory = json_get(source, "directory");
    // Of these the tool ignores an empty one, but not of a plugin: that is one to be discovered.
    if (cJSON_IsObject(json_get(source, "plugin")))
        return "plugin";
    const struct gitops_shape shapes[] = {
        {json_get(source, "helm"), "helm"},
        {json_get(source, "chart"), "helm"},
        {json_get(source, "kustomize"), "kustomize"},
        {json_get(directory, "include"), "include"},
        {json_get(directory, "exclude"), "exclude"},
        {json_get(directory, "jsonnet"), "jsonnet"},
        {json_get(source, "ref"), "ref"},
    };
    return gitops_shaping(shapes, sizeof(shapes) / sizeof(*shapes));
}

// A sync of which the history keeps no source tells nothing of how it was read.
static void add_source(cJSON *to, const cJSON *source)
{
    bool recurse = json_bool(json_get(source, "directory"), "recurse", false);
    gitops_add_text(to, "url", json_get(source, "repoURL"));
    gitops_add_text(to, "path", json_get(source, "path"));
    gitops_add_text(to, "target", json_get(source, "targetRevision"));
    gitops_add_text(to, "chart", json_get(source, "chart"));
    gitops_add_reading(to, cJSON_IsObject(source) ? &recurse : NULL, shaping_of(source));
}

// Where an application has both, Argo CD itself takes `sources` and ignores `source`.
static void add_repositories(const cJSON *spec, cJSON *data)
{
    cJSON *repositories = cJSON_AddArrayToObject(data, "repositories");
    const cJSON *sources = json_get(spec, "sources");
    const cJSON *source = sources != NULL ? sources->child : json_get(spec, "source");
    for (size_t i = 0; source != NULL && i < GITOPS_MAX_SOURCES; i++) {
        cJSON *repository = cJSON_CreateObject();
        add_source(repository, source);
        cJSON_AddItemToArray(repositories, repository);
        source = sources != NULL ? source->next : NULL;
    }
}

// The name is one of Argo CD's own accounts or of its single sign-on, and no Kubernetes user.
static void add_initiator(cJSON *to, const cJSON *initiated_by)
{
    gitops_add_text(to, "initiated_by", json_get(initiated_by, "username"));
    // The tool leaves the member out when it is false.
    cJSON_AddBoolToObject(to, "automated", json_bool(initiated_by, "automated", false));
}

// One sync of one source: an application of several has as many revisions.
static void add_sync(cJSON *syncs, const cJSON *entry, const cJSON *revision, const cJSON *source)
{
    cJSON *sync = cJSON_CreateObject();
    int64_t id;
    if (json_int64(entry, "id", &id))
        json_add_int64(sync, "id", id);
    else
        cJSON_AddNullToObject(sync, "id");
    gitops_add_text(sync, "revision", revision);
    gitops_add_time(sync, "started_at", json_get(entry, "deployStartedAt"));
    gitops_add_time(sync, "at", json_get(entry, "deployedAt"));
    add_initiator(sync, json_get(entry, "initiatedBy"));
    add_source(sync, source);
    cJSON_AddItemToArray(syncs, sync);
}

// How many rows an entry of the history makes: one for each source.
static int count_rows(const cJSON *entry)
{
    int revisions = cJSON_GetArraySize(json_get(entry, "revisions"));
    return revisions == 0 ? 1 : revisions < GITOPS_MAX_SOURCES ? revisions : GITOPS_MAX_SOURCES;
}

// How many of the oldest entries to leave out: the store takes a bounded number of rows, and
// whoever may write an Application could make its event too large for all that it says. The tool
// appends, so the oldest are at the beginning.
static int count_left_out(const cJSON *history)
{
    int left = cJSON_GetArraySize(history);
    int rows = 0;
    for (; left > 0; left--) {
        rows += count_rows(cJSON_GetArrayItem(history, left - 1));
        if (rows > GITOPS_MAX_SYNCS)
            break;
    }
    return left;
}

static void add_syncs(const cJSON *history, cJSON *data)
{
    cJSON *syncs = cJSON_AddArrayToObject(data, "syncs");
    int skip = count_left_out(history);
    const cJSON *entry;
    cJSON_ArrayForEach(entry, history)
    {
        if (skip-- > 0)
            continue;
        const cJSON *revisions = json_get(entry, "revisions");
        const cJSON *revision = revisions != NULL ? revisions->child : NULL;
        const cJSON *sources = json_get(entry, "sources");
        const cJSON *source = sources != NULL ? sources->child : NULL;
        if (revision == NULL)
            add_sync(syncs, entry, json_get(entry, "revision"), json_get(entry, "source"));
        for (size_t i = 0; revision != NULL && i < GITOPS_MAX_SOURCES; i++) {
            add_sync(syncs, entry, revision, source);
            revision = revision->next;
            source = source != NULL ? source->next : NULL;
        }
    }
}

// What was synced, else what was asked for; of several sources the first. The tool merges an
// operation's state into that of the one before, so that while one runs the result may still be the
// other's.
static const cJSON *operation_revision(const cJSON *state)
{
    const char *phase = json_text(state, "phase");
    bool ended =
        phase != NULL && strcmp(phase, "Running") != 0 && strcmp(phase, "Terminating") != 0;
    const cJSON *result = ended ? json_get(state, "syncResult") : NULL;
    const cJSON *revisions = json_get(result, "revisions");
    const cJSON *revision = json_get(result, "revision");
    if (revisions != NULL && revisions->child != NULL)
        return revisions->child;
    return revision != NULL ? revision : json_at(state, "operation", "sync", "revision", NULL);
}

// It stays in the status until the next one begins, so the same operation may be told again.
static void add_operation(const cJSON *state, cJSON *data)
{
    if (!cJSON_IsObject(state)) {
        cJSON_AddNullToObject(data, "operation");
        return;
    }
    cJSON *operation = cJSON_AddObjectToObject(data, "operation");
    gitops_add_text(operation, "phase", json_get(state, "phase"));
    gitops_add_time(operation, "started_at", json_get(state, "startedAt"));
    gitops_add_time(operation, "finished_at", json_get(state, "finishedAt"));
    gitops_add_text(operation, "revision", operation_revision(state));
    add_initiator(operation, json_at(state, "operation", "initiatedBy", NULL));
}

void read_argocd_application(const cJSON *object, cJSON *data)
{
    const cJSON *status = json_get(object, "status");
    add_destination(json_at(object, "spec", "destination", NULL), data);
    add_repositories(json_get(object, "spec"), data);
    add_syncs(json_get(status, "history"), data);
    add_operation(json_get(status, "operationState"), data);
}
