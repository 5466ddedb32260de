// Reads an object's identity off its tokens. It sees all bytes, so it also tells whether they are
// acceptable JSON.

#include <string.h>

#include "collector/json_string.h"
#include "collector/observation.h"
#include "collector/redact.h"
#include "common/json_scan.h"
#include "common/text.h"

static bool token_is(const char *bytes, const struct json_token *token, const char *quoted)
{
    size_t length = strlen(quoted);
    return token->to - token->from == length && memcmp(bytes + token->from, quoted, length) == 0;
}

// Copies the string of a member once: the first of doubles counts, as in the tree.
static bool take(const char *bytes, const struct json_token *value, char *field, size_t size,
                 const char *name, struct error *err)
{
    if (value->kind != JSON_STRING || field[0] != '\0')
        return true;
    SCOPED_BUFFER text = {0};
    json_string_decode(bytes + value->from, value->to - value->from, &text);
    if (text.length >= size)
        return fail(err, REACT_REJECT, "metadata.%s of %zu bytes is too long", name, text.length);
    if (text.length > 0)
        memcpy(field, text.data, text.length);
    field[text.length] = '\0';
    return true;
}

static bool take_member(const char *bytes, const struct json_token *key,
                        const struct json_token *value, struct object_head *head, struct error *err)
{
    if (token_is(bytes, key, "\"uid\""))
        return take(bytes, value, head->uid, sizeof(head->uid), "uid", err);
    if (token_is(bytes, key, "\"resourceVersion\""))
        return take(bytes, value, head->resource_version, sizeof(head->resource_version),
                    "resourceVersion", err);
    if (token_is(bytes, key, "\"name\""))
        return take(bytes, value, head->name, sizeof(head->name), "name", err);
    if (token_is(bytes, key, "\"namespace\""))
        return take(bytes, value, head->namespace, sizeof(head->namespace), "namespace", err);
    return true;
}

// A position above 0 and below 2^63-1, which stands for removals without one (docs/rules.md 5).
static int64_t position_of(const char *resource_version)
{
    int64_t position;
    bool decimal = text_to_int64(resource_version, &position) && position > 0;
    return decimal && position < INT64_MAX ? position : 0;
}

bool object_head_read(const char *bytes, size_t length, struct object_head *head, struct error *err)
{
    struct json_scan scan;
    struct json_token token;
    struct json_token key = {.kind = JSON_DONE};
    struct object_head read = {.position = 0};
    bool in_metadata = false;
    json_scan_init(&scan, bytes, length, REDACT_MAX_DEPTH);
    for (;;) {
        if (!json_scan_next(&scan, &token, err))
            return false;
        if (token.kind == JSON_DONE)
            break;
        if (token.kind == JSON_OBJECT_BEGIN && token.depth == 1)
            in_metadata = key.kind == JSON_KEY && token_is(bytes, &key, "\"metadata\"");
        else if (in_metadata && token.kind == JSON_OBJECT_END && token.depth == 1)
            in_metadata = false;
        if (in_metadata && token.depth == 2 && key.kind == JSON_KEY && key.depth == 2 &&
            !take_member(bytes, &key, &token, &read, err))
            return false;
        key = token;
    }
    read.position = position_of(read.resource_version);
    *head = read;
    return true;
}
