// cJSON behind a check and case-sensitive lookups.
// cJSON alone cuts strings at an escaped NUL and finds members whatever their case; nothing else
// in the tree calls its parser on bytes that json_check did not see.

#include "common/json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/json_scan.h"
#include "common/text.h"

// cJSON gives NULL for a short memory as for bad input, and drops members that it cannot add: an
// event would be refused, or stored without them. With our allocation it cannot (D2). By a
// constructor, because a program that forgot to ask for it would look well.
__attribute__((constructor)) static void use_checked_memory(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = xmalloc, .free_fn = free});
}

cJSON *json_parse(const char *bytes, size_t length, unsigned max_depth, struct error *err)
{
    if (!json_check(bytes, length, max_depth, err))
        return NULL;
    cJSON *tree = cJSON_ParseWithLength(bytes, length);
    if (tree == NULL)
        fail(err, REACT_REJECT, "JSON parser refused what the scanner took");
    return tree;
}

const cJSON *json_get(const cJSON *object, const char *key)
{
    return cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, key) : NULL;
}

const cJSON *json_at(const cJSON *object, ...)
{
    va_list keys;
    va_start(keys, object);
    for (const char *key = va_arg(keys, const char *); key && object;
         key = va_arg(keys, const char *))
        object = json_get(object, key);
    va_end(keys);
    return object;
}

const char *json_text(const cJSON *object, const char *key)
{
    return cJSON_GetStringValue(json_get(object, key));
}

// Our own events send strings; numbers are taken as well since Kubernetes objects hold them. A
// number that a double may have changed (2^53 and up) is no number to us.
bool json_int64(const cJSON *object, const char *key, int64_t *value)
{
    const cJSON *member = json_get(object, key);
    if (cJSON_IsString(member))
        return text_to_int64(member->valuestring, value);
    const double exact = 9007199254740992.0; // 2^53: beyond it a double skips integers
    if (!cJSON_IsNumber(member) || !(member->valuedouble > -exact && member->valuedouble < exact))
        return false;
    int64_t whole = (int64_t)member->valuedouble;
    if ((double)whole < member->valuedouble || (double)whole > member->valuedouble)
        return false;
    *value = whole;
    return true;
}

bool json_bool(const cJSON *object, const char *key, bool otherwise)
{
    const cJSON *member = json_get(object, key);
    return cJSON_IsBool(member) ? cJSON_IsTrue(member) : otherwise;
}

void json_add_text(cJSON *object, const char *key, const char *text)
{
    if (text != NULL)
        cJSON_AddStringToObject(object, key, text);
    else
        cJSON_AddNullToObject(object, key);
}

void json_add_int64(cJSON *object, const char *key, int64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, value);
    cJSON_AddStringToObject(object, key, text);
}

char *json_print(const cJSON *value)
{
    char *text = cJSON_PrintUnformatted(value);
    if (text == NULL)
        memory_exhausted(); // or longer than INT_MAX
    return text;
}
