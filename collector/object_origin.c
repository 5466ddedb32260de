// Reads labels, annotations and managedFields for object_origin.h. An annotation that was copied
// along, as controllers do with those of their owners, must not make a GitOps application of its
// object's: a tracking id counts when it names this very object.

#include "collector/object_origin.h"

#include <string.h>

#include "collector/object_times.h"
#include "common/json.h"
#include "common/memory.h"
#include "common/timestamp.h"

#define NAME_MAX_LENGTH 600
#define CLAIM_MAX_LENGTH 512

static const char *short_text(const cJSON *map, const char *key, size_t most)
{
    const char *text = json_text(map, key);
    return text != NULL && text[0] != '\0' && strlen(text) <= most ? text : NULL;
}

static void add_gitops(cJSON *data, const char *tool, const char *kind, const char *application,
                       const char *evidence)
{
    cJSON *gitops = cJSON_AddObjectToObject(data, "gitops");
    json_add_text(gitops, "tool", tool);
    json_add_text(gitops, "kind", kind);
    json_add_text(gitops, "application", application);
    json_add_text(gitops, "evidence", evidence);
}

// True when "GROUP/KIND:NS/NAME" names the object.
static bool names_object(const char *text, const struct kind *kind, const cJSON *metadata)
{
    const char *namespace = json_text(metadata, "namespace");
    const char *name = json_text(metadata, "name");
    if (name == NULL)
        return false;
    SCOPED(xfree_char)
    char *wanted =
        xasprintf("%s/%s:%s/%s", kind->group, kind->kind, namespace ? namespace : "", name);
    return strcmp(text, wanted) == 0;
}

// Argo CD: APP:GROUP/KIND:NS/NAME, where APP of another namespace than Argo's own is NS_APP.
static bool add_tracking_id(const struct kind *kind, const cJSON *metadata, cJSON *data)
{
    const char *id = short_text(json_get(metadata, "annotations"), "argocd.argoproj.io/tracking-id",
                                NAME_MAX_LENGTH * 2);
    const char *colon = id != NULL ? strchr(id, ':') : NULL;
    if (colon == NULL || colon == id || !names_object(colon + 1, kind, metadata))
        return false;
    SCOPED(xfree_char) char *application = xstrndup(id, (size_t)(colon - id));
    char *underscore = strchr(application, '_');
    if (underscore != NULL)
        *underscore = '/';
    add_gitops(data, "argocd", "Application", application, "tracking_id");
    return true;
}

static bool add_flux(const cJSON *labels, const char *group, const char *kind, cJSON *data)
{
    SCOPED(xfree_char) char *name_key = xasprintf("%s/name", group);
    SCOPED(xfree_char) char *namespace_key = xasprintf("%s/namespace", group);
    const char *name = short_text(labels, name_key, NAME_MAX_LENGTH);
    const char *namespace = short_text(labels, namespace_key, NAME_MAX_LENGTH);
    if (name == NULL || namespace == NULL)
        return false;
    SCOPED(xfree_char) char *application = xasprintf("%s/%s", namespace, name);
    add_gitops(data, "flux", kind, application, "labels");
    return true;
}

// The weakest mark: Helm sets the same label, and then says so in an annotation.
static bool add_instance(const cJSON *metadata, cJSON *data)
{
    const char *instance =
        short_text(json_get(metadata, "labels"), "app.kubernetes.io/instance", NAME_MAX_LENGTH);
    if (instance == NULL ||
        json_get(json_get(metadata, "annotations"), "meta.helm.sh/release-name") != NULL)
        return false;
    add_gitops(data, "argocd", "Application", instance, "instance_label");
    return true;
}

static void add_application(const struct kind *kind, const cJSON *metadata, cJSON *data)
{
    const cJSON *labels = json_get(metadata, "labels");
    if (!add_tracking_id(kind, metadata, data) &&
        !add_flux(labels, "kustomize.toolkit.fluxcd.io", "Kustomization", data) &&
        !add_flux(labels, "helm.toolkit.fluxcd.io", "HelmRelease", data) &&
        !add_instance(metadata, data))
        cJSON_AddNullToObject(data, "gitops");
}

static void add_claims(const cJSON *annotations, cJSON *data)
{
    const char *ticket = short_text(annotations, "modeltrail.io/ticket", CLAIM_MAX_LENGTH);
    const char *requested_by =
        short_text(annotations, "modeltrail.io/requested-by", CLAIM_MAX_LENGTH);
    const char *approved_by =
        short_text(annotations, "modeltrail.io/approved-by", CLAIM_MAX_LENGTH);
    if (ticket == NULL && requested_by == NULL && approved_by == NULL) {
        cJSON_AddNullToObject(data, "claims");
        return;
    }
    cJSON *claims = cJSON_AddObjectToObject(data, "claims");
    json_add_text(claims, "ticket", ticket);
    json_add_text(claims, "requested_by", requested_by);
    json_add_text(claims, "approved_by", approved_by);
}

// Who wrote anything but status last; of two in one second the later entry.
static const cJSON *newest_writer(const cJSON *metadata, struct time_range *newest)
{
    const cJSON *found = NULL;
    const cJSON *entry;
    cJSON_ArrayForEach(entry, json_get(metadata, "managedFields"))
    {
        const char *subresource = json_text(entry, "subresource");
        struct time_range range;
        if ((subresource != NULL && strcmp(subresource, "status") == 0) ||
            short_text(entry, "manager", NAME_MAX_LENGTH) == NULL ||
            !time_range_read(json_text(entry, "time"), &range) ||
            (found != NULL && range.to < newest->to))
            continue;
        found = entry;
        *newest = range;
    }
    return found;
}

static void add_manager(const cJSON *metadata, cJSON *data)
{
    struct time_range range;
    char at[TIMESTAMP_TEXT];
    const cJSON *writer = newest_writer(metadata, &range);
    if (writer == NULL) {
        cJSON_AddNullToObject(data, "manager");
        return;
    }
    timestamp_format(range.to, at);
    cJSON *manager = cJSON_AddObjectToObject(data, "manager");
    json_add_text(manager, "name", json_text(writer, "manager"));
    json_add_text(manager, "operation", short_text(writer, "operation", 64));
    json_add_text(manager, "at", at);
}

void object_origin_add(const struct kind *kind, const cJSON *object, cJSON *data)
{
    const cJSON *metadata = json_get(object, "metadata");
    add_application(kind, metadata, data);
    add_claims(json_get(metadata, "annotations"), data);
    add_manager(metadata, data);
}
