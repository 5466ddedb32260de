// Prints scope.listed, scope.watched, scope.gap and namespace.observed into an outbox.

#include "collector/scope_event.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/observation.h"
#include "collector/redact.h"
#include "collector/redact_message.h"
#include "common/buffer.h"
#include "common/event.h"
#include "common/json.h"
#include "common/timestamp.h"

#define OBJECT_DEPTH 64
#define REPOSITORY_MAX 2000 // as of what GitOps objects say

// Adds a member; NULL and "" are null, for both mean that nothing is known.
static void add_text(struct buffer *out, const char *key, const char *text)
{
    buffer_printf(out, "%s\"%s\":", out->length > 1 ? "," : "", key);
    if (text == NULL || text[0] == '\0')
        buffer_append_text(out, "null");
    else
        buffer_append_json_string(out, text, strlen(text));
}

static void add_time(struct buffer *out, const char *key, int64_t at)
{
    char text[TIMESTAMP_TEXT];
    timestamp_format(at, text);
    add_text(out, key, text);
}

// The members that all scope events share.
static void begin_scope(struct buffer *out, struct outbox *outbox, const struct scope *scope)
{
    buffer_append_char(out, '{');
    add_text(out, "cluster", outbox_cluster(outbox));
    add_text(out, "namespace", scope->namespace);
    add_text(out, "resource", scope->resource);
    add_text(out, "kind", scope->kind);
}

static bool send(struct outbox *outbox, const char *type, int64_t time, struct buffer *data,
                 struct error *err)
{
    buffer_append_char(data, '}');
    return outbox_event(outbox, type, NULL, time, data->data, data->length, err);
}

bool scope_listed_emit(struct outbox *outbox, const struct scope *scope,
                       const struct listed_range *range, struct error *err)
{
    SCOPED_BUFFER data = {0};
    char uid[UID_TEXT];
    begin_scope(&data, outbox, scope);
    buffer_printf(&data, ",\"position\":\"%" PRId64 "\"", range->position);
    add_time(&data, "listed_at", range->listed_at);
    add_time(&data, "watched_since", range->watched_since);
    add_text(&data, "selector", NULL);
    buffer_append_text(&data, ",\"members\":[");
    for (size_t i = 0; i < range->count; i++) {
        uid_format(range->members + i * UID_BYTES, uid);
        buffer_printf(&data, "%s\"%s\"", i > 0 ? "," : "", uid);
    }
    buffer_append_char(&data, ']');
    add_text(&data, "uid_from", range->uid_from);
    add_text(&data, "uid_to", range->uid_to);
    return send(outbox, TYPE_SCOPE_LISTED, range->listed_at, &data, err);
}

bool scope_watched_emit(struct outbox *outbox, const struct scope *scope, int64_t since,
                        int64_t through, bool installed, struct error *err)
{
    SCOPED_BUFFER data = {0};
    begin_scope(&data, outbox, scope);
    add_text(&data, "aspect", "state");
    add_text(&data, "source", "kubernetes");
    add_time(&data, "watched_since", since);
    add_time(&data, "through", through);
    buffer_printf(&data, ",\"installed\":%s", installed ? "true" : "false");
    return send(outbox, TYPE_SCOPE_WATCHED, through, &data, err);
}

bool scope_gap_emit(struct outbox *outbox, const struct scope *scope, int64_t from, int64_t to,
                    const char *reason, struct error *err)
{
    SCOPED_BUFFER data = {0};
    begin_scope(&data, outbox, scope);
    add_text(&data, "aspect", "state");
    add_time(&data, "from", from);
    add_time(&data, "to", to);
    SCOPED_BUFFER clean = {0}; // an API server's own words may be part of it
    bool redacted = redact_message(reason, strlen(reason), &clean);
    add_text(&data, "reason", redacted ? clean.data : reason);
    return send(outbox, TYPE_SCOPE_GAP, from, &data, err);
}

// All labels, but for secrets: which of them names an environment is the store's business.
static void add_labels(struct buffer *out, const cJSON *object)
{
    buffer_append_text(out, ",\"labels\":{");
    const cJSON *labels = json_at(object, "metadata", "labels", NULL);
    bool first = true;
    const cJSON *label;
    cJSON_ArrayForEach(label, labels)
    {
        if (!cJSON_IsString(label) || label->string == NULL)
            continue;
        if (!first)
            buffer_append_char(out, ',');
        first = false;
        buffer_append_json_string(out, label->string, strlen(label->string));
        buffer_append_char(out, ':');
        buffer_append_json_string(out, label->valuestring, strlen(label->valuestring));
    }
    buffer_append_char(out, '}');
}

// Seldon's platform writes to Git where the namespace has this label, to the repository of the
// annotation. Any other value of the label means that it writes to the cluster.
static void add_gitops(struct buffer *out, const cJSON *object)
{
    const char *label = json_text(json_at(object, "metadata", "labels", NULL), "seldon.gitops");
    if (label == NULL || strcmp(label, "enabled") != 0) {
        buffer_append_text(out, ",\"gitops\":null");
        return;
    }
    const char *repository =
        json_text(json_at(object, "metadata", "annotations", NULL), "git-repo");
    bool usable = repository != NULL && strlen(repository) <= REPOSITORY_MAX;
    buffer_append_text(out, ",\"gitops\":{\"tool\":\"seldon\"");
    add_text(out, "repository", usable ? repository : NULL);
    buffer_append_char(out, '}');
}

bool namespace_observed_emit(struct outbox *outbox, const char *bytes, size_t length, int64_t at,
                             bool removed, struct error *err)
{
    struct object_head head;
    if (!object_head_read(bytes, length, &head, err))
        return false;
    if (head.position == 0 || head.name[0] == '\0')
        return fail(err, REACT_REJECT, "namespace without name or resourceVersion");
    SCOPED_BUFFER clean = {0};
    struct redactions redactions = {0};
    bool redacted = redact_object(bytes, length, &clean, &redactions, err);
    redactions_reset(&redactions);
    if (!redacted)
        return false;
    SCOPED(cJSON_Delete) cJSON *object = json_parse(clean.data, clean.length, OBJECT_DEPTH, err);
    if (object == NULL)
        return false;
    SCOPED_BUFFER data = {0};
    buffer_append_char(&data, '{');
    add_text(&data, "cluster", outbox_cluster(outbox));
    add_text(&data, "namespace", head.name);
    add_text(&data, "uid", head.uid);
    buffer_printf(&data, ",\"position\":\"%" PRId64 "\"", head.position);
    add_time(&data, "at", at);
    add_labels(&data, object);
    add_gitops(&data, object);
    buffer_printf(&data, ",\"removed\":%s}", removed ? "true" : "false");
    return outbox_event(outbox, TYPE_NAMESPACE_OBSERVED, NULL, at, data.data, data.length, err);
}

// Value of a hex digit, or -1.
static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool uid_parse(const char *text, uint8_t uid[UID_BYTES])
{
    if (strlen(text) != UID_TEXT - 1)
        return false;
    size_t digits = 0;
    for (size_t i = 0; i < UID_TEXT - 1; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        int value = hex_value(text[i]);
        if (dash ? text[i] != '-' : value < 0)
            return false;
        if (dash)
            continue;
        uint8_t high = digits % 2 == 0 ? 0 : uid[digits / 2];
        uid[digits / 2] = (uint8_t)(high << 4 | value);
        digits++;
    }
    return true;
}

void uid_format(const uint8_t uid[UID_BYTES], char text[UID_TEXT])
{
    static const char hex[] = "0123456789abcdef";
    char *out = text;
    for (size_t i = 0; i < UID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = hex[uid[i] >> 4];
        *out++ = hex[uid[i] & 15];
    }
    *out = '\0';
}
