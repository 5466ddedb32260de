// One pass over the tokens of an object: what each value is follows from the keys around it. A
// value whose name may come behind it ({"value": ..., "name": ...}) is written first and cut out at
// the object's end.

#include "collector/redact.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "collector/json_string.h"
#include "collector/redact_text.h"
#include "collector/secret_name.h"
#include "common/json_scan.h"
#include "common/memory.h"

// What the members of an open object or array are.
enum region {
    REGION_PLAIN,
    REGION_ENV,       // the list or map of environment variables
    REGION_ENV_ENTRY, // an object in there: one variable, or a group of them
    REGION_ARGUMENTS, // args, command
    REGION_SECRET,    // a volume's reference to a secret, with all below it
};

struct level {
    enum region region;
    bool is_object;
    bool redact_next; // arguments: the one before names a secret
    size_t index;     // arrays: of the next element
    size_t key_from;  // objects: range of the current key, with quotes
    size_t key_to;
    size_t value_from;     // range in the output of the member `value`
    size_t value_to;       // 0 while it is open, or when there is none
    const char *value_key; // "value" or "values"
    bool has_value;
    bool value_again;   // a second member `value`: no reader agrees which one counts
    bool names_secret;  // the member `name` or `key` is a secret's name
    bool names_other;   // some member `name` is not STORAGE_URI
    bool names_storage; // some member `name` is
};

struct redactor {
    struct json_scan scan;
    struct buffer *out;
    struct redactions *redactions;
    struct buffer key;  // scratch
    struct buffer text; // scratch
    size_t copied;      // input up to here is in the output
    size_t depth;
    struct level levels[REDACT_MAX_DEPTH + 1]; // levels[1] is the object itself
};

void redactions_reset(struct redactions *redactions)
{
    buffer_reset(&redactions->paths);
    *redactions = (struct redactions){0};
}

static struct level *top(struct redactor *redactor)
{
    return &redactor->levels[redactor->depth];
}

// The key of the level's current member, without quotes and escapes; valid until the next call.
static const struct buffer *decode_key(struct redactor *redactor, const struct level *level)
{
    buffer_clear(&redactor->key);
    buffer_append(&redactor->key, "", 0);
    json_string_decode(redactor->scan.bytes + level->key_from, level->key_to - level->key_from,
                       &redactor->key);
    return &redactor->key;
}

static bool key_is(const struct buffer *key, const char *name)
{
    return key->length == strlen(name) && memcmp(key->data, name, key->length) == 0;
}

static void append_pointer_part(struct buffer *path, const char *part, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (part[i] == '~')
            buffer_append_text(path, "~0");
        else if (part[i] == '/')
            buffer_append_text(path, "~1");
        else
            buffer_append_char(path, part[i]);
    }
}

// Notes the path of the current member; `last` stands in for the innermost key when it is not NULL.
static void note_path(struct redactor *redactor, const char *last)
{
    struct redactions *redactions = redactor->redactions;
    SCOPED_BUFFER path = {0};
    bool full = redactions->paths.length > REDACT_MAX_PATHS_BYTES;
    for (size_t i = 1; !full && i <= redactor->depth; i++) {
        const struct level *level = &redactor->levels[i];
        buffer_append_char(&path, '/');
        if (i == redactor->depth && last != NULL) {
            buffer_append_text(&path, last);
        } else if (level->is_object) {
            const struct buffer *key = decode_key(redactor, level);
            append_pointer_part(&path, key->data, key->length);
        } else {
            buffer_printf(&path, "%zu", level->index);
        }
        full = path.length > REDACT_MAX_PATH_BYTES;
    }
    if (full) {
        redactions->unnamed++;
        return;
    }
    if (redactions->count++ > 0)
        buffer_append_char(&redactions->paths, ',');
    buffer_append_json_string(&redactions->paths, path.data, path.length);
}

// Copies the commas and colons between two tokens, and no white space.
static void copy_gap(struct redactor *redactor, size_t to)
{
    for (; redactor->copied < to; redactor->copied++) {
        char c = redactor->scan.bytes[redactor->copied];
        if (c == ',' || c == ':')
            buffer_append_char(redactor->out, c);
    }
}

static void copy_token(struct redactor *redactor, const struct json_token *token)
{
    buffer_append(redactor->out, redactor->scan.bytes + token->from, token->to - token->from);
    redactor->copied = token->to;
}

static const char redacted_json[] = "\"" REDACTED "\"";

static bool replace_value(struct redactor *redactor, const struct json_token *token,
                          struct error *err)
{
    size_t to;
    if (!json_scan_skip(&redactor->scan, token, &to, err))
        return false;
    buffer_append_text(redactor->out, redacted_json);
    redactor->copied = to;
    note_path(redactor, NULL);
    return true;
}

#define ENVIRONMENT_KEY_MAX 24

// Charts and platforms have names of their own for the same map: serverEnv, env_variables, ENV.
static bool is_environment_key(const struct buffer *key)
{
    static const char *const names[] = {"env",
                                        "envs",
                                        "envvar",
                                        "envvars",
                                        "envvariables",
                                        "environment",
                                        "environments",
                                        "environvars",
                                        "environmentvariables",
                                        "extraenv",
                                        "extraenvs",
                                        "extraenvvars",
                                        "serverenv",
                                        "serverenvs",
                                        "serverenvvars",
                                        "containerenv",
                                        NULL};
    char plain[ENVIRONMENT_KEY_MAX];
    size_t used = 0;
    for (size_t i = 0; i < key->length; i++) {
        char c = key->data[i];
        if (c == '_' || c == '-')
            continue;
        if (used + 1 == sizeof(plain))
            return false;
        plain[used++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    plain[used] = '\0';
    for (size_t i = 0; names[i] != NULL; i++) {
        if (strcmp(plain, names[i]) == 0)
            return true;
    }
    return false;
}

// What stays readable in a volume's reference to a secret.
static bool is_reference_key(const struct buffer *key)
{
    static const char *const names[] = {"secretName",
                                        "name",
                                        "namespace",
                                        "key",
                                        "path",
                                        "mode",
                                        "items",
                                        "defaultMode",
                                        "optional",
                                        "audience",
                                        "expirationSeconds",
                                        NULL};
    for (size_t i = 0; names[i] != NULL; i++) {
        if (key_is(key, names[i]))
            return true;
    }
    return false;
}

// The members that a `name` beside them tells the meaning of.
static bool is_value_key(const struct buffer *key)
{
    return key_is(key, "value") || key_is(key, "values");
}

// The members of one variable that are not its value; `value` waits for the name beside it.
static bool is_entry_key(const struct buffer *key)
{
    return key_is(key, "name") || key_is(key, "key") || is_value_key(key);
}

static bool is_container(const struct json_token *token)
{
    return token->kind == JSON_OBJECT_BEGIN || token->kind == JSON_ARRAY_BEGIN;
}

static bool is_scalar(const struct json_token *token)
{
    return token->kind == JSON_STRING || token->kind == JSON_NUMBER;
}

// An empty string holds no secret, and its absence may matter to a reader.
static bool is_empty(const struct json_token *token)
{
    return token->kind == JSON_STRING && token->to - token->from == 2;
}

static bool is_counted(const struct redactor *redactor, const struct buffer *key,
                       const struct json_token *token)
{
    if (!secret_is_count(key->data, key->length))
        return false;
    const char *text = redactor->scan.bytes + token->from;
    size_t length = token->to - token->from;
    size_t digits = 0;
    for (size_t i = 0; i < length; i++)
        digits += text[i] >= '0' && text[i] <= '9';
    return token->kind == JSON_NUMBER || (token->kind == JSON_STRING && digits + 2 == length);
}

// Objects by these names say where a secret is, in volumes.
static bool is_secret_volume(const struct buffer *key, const struct json_token *token)
{
    return token->kind == JSON_OBJECT_BEGIN &&
           (key_is(key, "secret") || key_is(key, "serviceAccountToken"));
}

// True when the member's key alone makes its value a secret.
static bool is_secret_member(struct redactor *redactor, const struct level *level,
                             const struct json_token *token)
{
    const struct buffer *key = decode_key(redactor, level);
    if (key_is(key, "kubectl.kubernetes.io/last-applied-configuration"))
        return true;
    if (key_is(key, "fieldsV1"))
        return is_container(token);
    if (level->region == REGION_ENV)
        return is_scalar(token);
    if (level->region == REGION_ENV_ENTRY && is_scalar(token) && !is_entry_key(key))
        return true;
    if (level->region == REGION_SECRET)
        return is_scalar(token) && !is_reference_key(key);
    if (level->value_again && is_value_key(key))
        return true;
    if (secret_classify(key->data, key->length) != SECRET_YES)
        return false;
    return !is_secret_volume(key, token) && !is_counted(redactor, key, token);
}

// The argument behind a secret's name that is no value but the next flag: --port, -v.
static bool is_flag(const struct redactor *redactor, const struct json_token *token)
{
    const char *text = redactor->scan.bytes + token->from + 1;
    size_t length = token->to - token->from - 2;
    return text[0] == '-' && (length < 3 || text[1] == '-');
}

static bool is_secret(struct redactor *redactor, const struct level *level,
                      const struct json_token *token)
{
    if (token->kind == JSON_LITERAL || is_empty(token) || redactor->depth == 0)
        return false;
    if (level->is_object)
        return is_secret_member(redactor, level, token);
    if (level->region == REGION_ENV || level->region == REGION_SECRET)
        return is_scalar(token);
    return level->redact_next && token->kind == JSON_STRING && !is_flag(redactor, token);
}

static enum region region_below(struct redactor *redactor, const struct level *level,
                                const struct json_token *token)
{
    if (level->region == REGION_SECRET)
        return REGION_SECRET;
    if (level->region == REGION_ENV)
        return token->kind == JSON_OBJECT_BEGIN ? REGION_ENV_ENTRY : REGION_ENV;
    if (!level->is_object || redactor->depth == 0)
        return level->region == REGION_ARGUMENTS ? REGION_ARGUMENTS : REGION_PLAIN;
    const struct buffer *key = decode_key(redactor, level);
    if (is_environment_key(key))
        return REGION_ENV;
    if (is_secret_volume(key, token))
        return REGION_SECRET;
    // valueFrom says where the value lies; what else is in there may be a group of variables.
    if (level->region == REGION_ENV_ENTRY && !key_is(key, "valueFrom"))
        return token->kind == JSON_OBJECT_BEGIN ? REGION_ENV_ENTRY : REGION_ENV;
    return key_is(key, "args") || key_is(key, "command") ? REGION_ARGUMENTS : REGION_PLAIN;
}

// Remembers what the members `name`, `key` and `value` of an object say about each other.
static void note_pair(struct redactor *redactor, struct level *level,
                      const struct json_token *token)
{
    if (redactor->depth == 0 || !level->is_object)
        return;
    const struct buffer *key = decode_key(redactor, level);
    if (is_value_key(key)) {
        level->value_again = level->has_value;
        if (level->has_value)
            return;
        level->value_key = key_is(key, "value") ? "value" : "values";
        level->value_from = redactor->out->length;
        level->value_to = 0;
        level->has_value = token->kind != JSON_LITERAL && !is_empty(token);
        return;
    }
    bool is_name = key_is(key, "name");
    if (token->kind != JSON_STRING || (!is_name && !key_is(key, "key")))
        return;
    buffer_clear(&redactor->text);
    buffer_append(&redactor->text, "", 0);
    json_string_decode(redactor->scan.bytes + token->from, token->to - token->from,
                       &redactor->text);
    const struct buffer *name = &redactor->text;
    level->names_secret =
        level->names_secret || secret_classify(name->data, name->length) == SECRET_YES;
    bool storage = is_name && key_is(name, "STORAGE_URI");
    level->names_storage = level->names_storage || storage;
    level->names_other = level->names_other || (is_name && !storage);
}

// Closes the range of a `value` once the next member or the object's end is reached.
static void close_value(struct redactor *redactor, struct level *level)
{
    if (level->has_value && level->value_to == 0)
        level->value_to = redactor->out->length;
}

static void splice(struct buffer *buffer, size_t from, size_t to, const char *text)
{
    SCOPED_BUFFER tail = {0};
    buffer_append(&tail, buffer->data + to, buffer->length - to);
    buffer->length = from;
    buffer_append_text(buffer, text);
    buffer_append(buffer, tail.data, tail.length);
}

// At the end of an object: cuts its `value` out when its name says that it is a secret. The name
// may stand behind the value, which is copied then already: its range in the output was remembered.
static void settle_pair(struct redactor *redactor, struct level *level)
{
    close_value(redactor, level);
    bool kept = level->names_storage && !level->names_other;
    bool secret = level->region == REGION_ENV_ENTRY ? !kept : level->names_secret;
    if (!level->has_value || !secret)
        return;
    size_t length = level->value_to - level->value_from;
    const char *value = redactor->out->data + level->value_from;
    if (length == strlen(redacted_json) && memcmp(value, redacted_json, length) == 0)
        return;
    splice(redactor->out, level->value_from, level->value_to, redacted_json);
    note_path(redactor, level->value_key);
}

// Texts are decoded only when something in them is escaped: most are copied as they are.
static void copy_string(struct redactor *redactor, struct level *level,
                        const struct json_token *token)
{
    const char *bytes = redactor->scan.bytes + token->from;
    size_t length = token->to - token->from;
    SCOPED_BUFFER decoded = {0};
    const char *text = bytes + 1;
    size_t text_length = length - 2;
    if (memchr(text, '\\', text_length) != NULL) {
        json_string_decode(bytes, length, &decoded);
        text = decoded.data;
        text_length = decoded.length;
    }
    level->redact_next = level->region == REGION_ARGUMENTS && redact_names_next(text, text_length);
    SCOPED_BUFFER clean = {0};
    if (!redact_text(text, text_length, &clean)) {
        copy_token(redactor, token);
        return;
    }
    buffer_append_json_string(redactor->out, clean.data != NULL ? clean.data : "", clean.length);
    redactor->copied = token->to;
    note_path(redactor, NULL);
}

// In an array the next value has the next index in its pointer.
static void value_done(struct redactor *redactor)
{
    if (redactor->depth > 0)
        top(redactor)->index++;
}

// A value of its own, or the beginning of a container, whose region follows from the key above it.
static bool take_value(struct redactor *redactor, const struct json_token *token, struct error *err)
{
    struct level *level = top(redactor);
    note_pair(redactor, level, token);
    if (is_secret(redactor, level, token)) {
        level->redact_next = false;
        bool replaced = replace_value(redactor, token, err);
        value_done(redactor);
        return replaced;
    }
    if (token->kind == JSON_STRING) {
        copy_string(redactor, level, token);
        value_done(redactor);
        return true;
    }
    level->redact_next = false;
    copy_token(redactor, token);
    if (!is_container(token)) {
        value_done(redactor);
        return true;
    }
    enum region region = region_below(redactor, level, token);
    redactor->levels[++redactor->depth] =
        (struct level){.region = region, .is_object = token->kind == JSON_OBJECT_BEGIN};
    return true;
}

static bool take_token(struct redactor *redactor, const struct json_token *token, struct error *err)
{
    struct level *level = top(redactor);
    if (token->kind == JSON_KEY || token->kind == JSON_OBJECT_END)
        close_value(redactor, level);
    copy_gap(redactor, token->from);
    switch (token->kind) {
    case JSON_KEY:
        level->key_from = token->from;
        level->key_to = token->to;
        copy_token(redactor, token);
        return true;
    case JSON_OBJECT_END:
    case JSON_ARRAY_END:
        copy_token(redactor, token);
        if (level->is_object)
            settle_pair(redactor, level);
        redactor->depth--;
        value_done(redactor);
        return true;
    case JSON_OBJECT_BEGIN:
    case JSON_ARRAY_BEGIN:
    case JSON_STRING:
    case JSON_NUMBER:
    case JSON_LITERAL:
        return take_value(redactor, token, err);
    case JSON_DONE:
        break;
    }
    return true;
}

static bool run(struct redactor *redactor, struct error *err)
{
    struct json_token token;
    if (!json_scan_next(&redactor->scan, &token, err))
        return false;
    if (token.kind != JSON_OBJECT_BEGIN)
        return fail(err, REACT_REJECT, "JSON is not an object");
    while (token.kind != JSON_DONE) {
        if (!take_token(redactor, &token, err) || !json_scan_next(&redactor->scan, &token, err))
            return false;
    }
    return true;
}

bool redact_object(const char *bytes, size_t length, struct buffer *out,
                   struct redactions *redactions, struct error *err)
{
    struct redactor *redactor = xcalloc(1, sizeof(*redactor));
    redactor->out = out;
    redactor->redactions = redactions;
    json_scan_init(&redactor->scan, bytes, length, REDACT_MAX_DEPTH);
    bool redacted = run(redactor, err);
    buffer_reset(&redactor->key);
    buffer_reset(&redactor->text);
    free(redactor);
    return redacted;
}
