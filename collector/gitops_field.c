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
