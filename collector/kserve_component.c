// Finds the artifact in a KServe component. KServe's webhook rewrites the older forms to `model`,
// so one object shows several over its life, and all must give the same artifact.

#include "collector/kserve_component.h"

#include <string.h>

#include "common/json.h"
#include "common/text.h"

#define MAX_ARGUMENTS 1000

const cJSON *kserve_container(const cJSON *containers, const char *name, bool or_first)
{
    const cJSON *container;
    cJSON_ArrayForEach(container, containers)
    {
        if (text_equal(json_text(container, "name"), name))
            return container;
    }
    return or_first && containers != NULL ? containers->child : NULL;
}

const char *kserve_storage_uri(const cJSON *entry)
{
    if (cJSON_IsString(entry))
        return entry->valuestring[0] != '\0' ? entry->valuestring : NULL;
    return filled_text(entry, "uri");
}

static const char *environment_uri(const cJSON *container)
{
    const cJSON *variable;
    cJSON_ArrayForEach(variable, json_get(container, "env"))
    {
        if (text_equal(json_text(variable, "name"), "STORAGE_URI"))
            return filled_text(variable, "value");
    }
    return NULL;
}

// True for --NAME and --NAME=VALUE, with NAME's underscores written as '-' or '_'.
static bool is_flag(const char *text, const char *name, size_t length)
{
    if (text == NULL || strncmp(text, "--", 2) != 0)
        return false;
    text += 2;
    for (size_t i = 0; i < length; i++) {
        if (text[i] != name[i] && (name[i] != '_' || text[i] != '-'))
            return false;
    }
    return text[length] == '=' || text[length] == '\0';
}

// The value of --NAME=VALUE or --NAME VALUE in a list of arguments.
static const char *listed_value(const cJSON *arguments, const char *name)
{
    size_t length = strlen(name);
    size_t seen = 0;
    const cJSON *argument;
    cJSON_ArrayForEach(argument, arguments)
    {
        const char *text = cJSON_GetStringValue(argument);
        if (++seen > MAX_ARGUMENTS)
            return NULL;
        if (!is_flag(text, name, length))
            continue;
        if (text[2 + length] == '\0')
            return cJSON_GetStringValue(argument->next);
        return text[3 + length] != '\0' ? text + 3 + length : NULL;
    }
    return NULL;
}

// Kubernetes puts `args` behind `command`, so what they say comes last and counts.
static const char *argument_value(const cJSON *container, const char *name)
{
    const char *value = listed_value(json_get(container, "args"), name);
    return value != NULL ? value : listed_value(json_get(container, "command"), name);
}

// The Hugging Face server loads what --model_id names, without any storage URI.
static const char *model_id_uri(const cJSON *container, struct extraction *out)
{
    const char *id = argument_value(container, "model_id");
    if (id == NULL || id[0] == '\0' || id[0] == '/' || strstr(id, "://") != NULL)
        return id != NULL && id[0] != '\0' ? id : NULL;
    const char *revision = argument_value(container, "model_revision");
    if (revision == NULL || revision[0] == '\0')
        return extraction_text(out, "hf://%s", id);
    return extraction_text(out, "hf://%s@%s", id, revision);
}

// storage{key, path, parameters{bucket}}: a secret's entry and a path in it, spelled as a URI.
static const char *storage_uri(const cJSON *storage, struct extraction *out)
{
    const char *path = filled_text(storage, "path");
    if (path == NULL)
        return NULL;
    const char *key = filled_text(storage, "key");
    const char *bucket = filled_text(json_get(storage, "parameters"), "bucket");
    while (*path == '/')
        path++;
    return extraction_text(out, "storage://%s/%s%s%s", key != NULL ? key : "default",
                           bucket != NULL ? bucket : "", bucket != NULL ? "/" : "", path);
}

static bool is_framework_name(const char *name)
{
    static const char *const names[] = {
        "model",    "sklearn",     "xgboost", "tensorflow", "pytorch", "triton",
        "onnx",     "huggingface", "pmml",    "paddle",     "mlflow",  "lightgbm",
        "mlserver", "alibi",       "aix",     "art",        NULL};
    for (size_t i = 0; names[i] != NULL; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

// True for a member that is a framework in no list. Only storageUri makes it one: the request
// logger's `storage` says where logs go, and helpers and workers run no model of their own.
static bool is_unlisted_framework(const cJSON *member)
{
    static const char *const helpers[] = {"logger", "batcher", "workerSpec", NULL};
    for (size_t i = 0; helpers[i] != NULL; i++) {
        if (strcmp(member->string, helpers[i]) == 0)
            return false;
    }
    return filled_text(member, "storageUri") != NULL;
}

// `model`, else the first member that is called like a framework, else one that names an artifact.
static const cJSON *find_form(const cJSON *component)
{
    const cJSON *model = json_get(component, "model");
    if (cJSON_IsObject(model))
        return model;
    const cJSON *unlisted = NULL;
    const cJSON *member;
    cJSON_ArrayForEach(member, component)
    {
        if (!cJSON_IsObject(member) || member->string == NULL)
            continue;
        if (is_framework_name(member->string))
            return member;
        if (unlisted == NULL && is_unlisted_framework(member))
            unlisted = member;
    }
    return unlisted;
}

static void take_storage_uris(const cJSON *owner, struct kserve_artifact *artifact)
{
    const cJSON *list = json_get(owner, "storageUris");
    if (artifact->more != NULL || !cJSON_IsArray(list) || list->child == NULL)
        return;
    artifact->more = list->child;
    if (artifact->uri == NULL) {
        artifact->uri = kserve_storage_uri(list->child);
        artifact->more = list->child->next;
    }
}

// Reads what a framework's member or a container may say.
static void read_form(const cJSON *form, struct extraction *out, struct kserve_artifact *artifact)
{
    artifact->uri = filled_text(form, "storageUri");
    if (artifact->uri == NULL)
        artifact->uri = storage_uri(json_get(form, "storage"), out);
    if (artifact->uri == NULL)
        artifact->uri = environment_uri(form);
    take_storage_uris(form, artifact);
    artifact->image = filled_text(form, "image");
}

struct kserve_artifact kserve_artifact_read(const cJSON *component, struct extraction *out)
{
    struct kserve_artifact artifact = {0};
    const cJSON *form = cJSON_IsObject(component) ? find_form(component) : NULL;
    if (form == NULL)
        form = kserve_container(json_get(component, "containers"), "kserve-container", true);
    read_form(form, out, &artifact);
    take_storage_uris(component, &artifact);
    if (artifact.uri == NULL)
        artifact.uri = model_id_uri(form, out);
    return artifact;
}
