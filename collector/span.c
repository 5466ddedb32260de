// JSON members as byte ranges, over the pull scanner.

#include "collector/span.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "common/json.h"
#include "common/json_scan.h"
#include "common/text.h"

#define MAX_DEPTH 200

static bool key_is(const char *bytes, const struct json_token *token, const char *key)
{
    size_t length = strlen(key);
    return token->to - token->from == length + 2 &&
           memcmp(bytes + token->from + 1, key, length) == 0;
}

static struct span *find_wanted(const char *bytes, const struct json_token *token,
                                const char *const keys[], struct span values[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (values[i].bytes == NULL && key_is(bytes, token, keys[i]))
            return &values[i];
    }
    return NULL;
}

bool span_members(struct span object, const char *const keys[], struct span values[], size_t count,
                  struct error *err)
{
    struct json_scan scan;
    struct json_token token;
    for (size_t i = 0; i < count; i++)
        values[i] = (struct span){0};
    json_scan_init(&scan, object.bytes, object.length, MAX_DEPTH);
    if (!json_scan_next(&scan, &token, err))
        return false;
    if (token.kind != JSON_OBJECT_BEGIN)
        return fail(err, REACT_REJECT, "not a JSON object");
    for (;;) {
        if (!json_scan_next(&scan, &token, err))
            return false;
        if (token.kind != JSON_KEY)
            break;
        struct span *wanted = find_wanted(object.bytes, &token, keys, values, count);
        size_t end;
        if (!json_scan_next(&scan, &token, err) || !json_scan_skip(&scan, &token, &end, err))
            return false;
        if (wanted != NULL)
            *wanted = (struct span){object.bytes + token.from, end - token.from};
    }
    return json_scan_next(&scan, &token, err); // nothing may follow
}

char *span_text(struct span value)
{
    if (value.bytes == NULL || value.length < 2 || value.bytes[0] != '"')
        return NULL;
    if (memchr(value.bytes, '\\', value.length) == NULL)
        return xstrndup(value.bytes + 1, value.length - 2);
    SCOPED(cJSON_Delete) cJSON *string = cJSON_ParseWithLength(value.bytes, value.length);
    const char *text = cJSON_GetStringValue(string);
    return text ? xstrdup(text) : NULL;
}

bool span_is(struct span value, const char *text)
{
    size_t length = strlen(text);
    return value.bytes != NULL && value.length == length + 2 && value.bytes[0] == '"' &&
           memcmp(value.bytes + 1, text, length) == 0;
}

int64_t span_integer(struct span value)
{
    char digits[24];
    int64_t number;
    bool quoted = value.length >= 2 && value.bytes != NULL && value.bytes[0] == '"';
    size_t length = quoted ? value.length - 2 : value.length;
    if (value.bytes == NULL || length >= sizeof(digits))
        return 0;
    memcpy(digits, value.bytes + quoted, length);
    digits[length] = '\0';
    return text_to_int64(digits, &number) && number > 0 ? number : 0;
}

bool span_is_true(struct span value)
{
    return value.bytes != NULL && value.length == 4 && memcmp(value.bytes, "true", 4) == 0;
}

bool span_has_content(struct span value)
{
    if (value.bytes == NULL || (value.bytes[0] != '{' && value.bytes[0] != '['))
        return false;
    for (size_t i = 1; i + 1 < value.length; i++) {
        if (strchr(" \t\r\n", value.bytes[i]) == NULL || value.bytes[i] == '\0')
            return true;
    }
    return false;
}
