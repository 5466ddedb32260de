// Adds what a GitOps tool's object says to an event, in the shapes of docs/events.md.

#include "collector/gitops_field.h"

#include <string.h>

#include "collector/object_times.h"
#include "common/json.h"
#include "common/timestamp.h"

#define TEXT_MAX_BYTES 2000

// Too long is unknown rather than cut: half a URL would name another repository.
void gitops_add_text(cJSON *to, const char *key, const cJSON *value)
{
    bool usable = cJSON_IsString(value) && value->valuestring[0] != '\0' &&
                  strlen(value->valuestring) <= TEXT_MAX_BYTES;
    json_add_text(to, key, usable ? value->valuestring : NULL);
}

// The end of a time that is told in whole seconds: an upper bound must not lie before what it
// bounds.
void gitops_add_time(cJSON *to, const char *key, const cJSON *value)
{
    struct time_range range;
    char text[TIMESTAMP_TEXT];
    bool known = cJSON_IsString(value) && time_range_read(value->valuestring, &range);
    if (known)
        timestamp_format(range.to, text);
    json_add_text(to, key, known ? text : NULL);
}

static void add_told_bool(cJSON *to, const char *key, const bool *told)
{
    if (told != NULL)
        cJSON_AddBoolToObject(to, key, *told);
    else
        cJSON_AddNullToObject(to, key);
}

void gitops_add_reading(cJSON *to, const bool *recurse, const char *shaping)
{
    add_told_bool(to, "recurse", recurse);
    json_add_text(to, "shaping", shaping);
}

void gitops_add_destination(cJSON *data, const bool *local, const cJSON *namespace)
{
    cJSON *destination = cJSON_AddObjectToObject(data, "destination");
    add_told_bool(destination, "local", local);
    gitops_add_text(destination, "namespace", namespace);
}

static bool is_empty(const cJSON *value)
{
    if (cJSON_IsString(value))
        return value->valuestring[0] == '\0';
    return value == NULL || cJSON_IsNull(value) ||
           ((cJSON_IsObject(value) || cJSON_IsArray(value)) && value->child == NULL);
}

// One level deep: what lies deeper was written by somebody who meant it.
static bool says_something(const cJSON *value)
{
    if (!cJSON_IsObject(value) && !cJSON_IsArray(value))
        return !is_empty(value);
    for (const cJSON *item = value->child; item != NULL; item = item->next) {
        if (!is_empty(item))
            return true;
    }
    return false;
}

const char *gitops_shaping(const struct gitops_shape *shapes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (says_something(shapes[i].member))
            return shapes[i].name;
    }
    return NULL;
}
