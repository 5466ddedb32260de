// From the bytes of one event line to its parts. Checks grammar, size and envelope; what `data`
// must hold for its type is the business of facts.

#include "store/batch_event.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_scan.h"
#include "common/text.h"
#include "common/timestamp.h"
#include "store/facts_field.h"

// Below what cJSON recurses to and above what any object has with our envelope around it.
#define LINE_DEPTH 200
// Bounds check_members, which compares all with all; no type of ours has a third of it.
#define MAX_MEMBERS 100 // of the envelope and of data

// The first reason is the cause; what is found later may come from it.
void batch_event_quarantine(struct batch_event *event, const char *reason)
{
    if (event->quarantined[0] != '\0')
        return;
    // Cut between characters: the column takes valid UTF-8 only.
    size_t length = strnlen(reason, sizeof(event->quarantined) - 1);
    while (length > 0 && !text_is_utf8(reason, length))
        length--;
    memcpy(event->quarantined, reason, length);
    event->quarantined[length] = '\0';
    if (length == 0)
        strcpy(event->quarantined, "not usable");
}

struct range {
    size_t from;
    size_t to;
};

// Compares bytes: a key that is spelt with escapes is not found here, which only makes the tree
// larger (read_envelope removes the object by its name).
static bool key_is(const char *line, const struct json_token *token, const char *quoted)
{
    size_t length = token->to - token->from;
    return length == strlen(quoted) && memcmp(line + token->from, quoted, length) == 0;
}

// What cJSON and malloc make of a token, with its share of strings, and of the printed text.
#define TOKEN_BYTES 128

// Checks the whole line and finds the value of data.object, which the tree must not hold: it is the
// bulk of the line and nobody here reads it.
static bool scan_line(const char *line, size_t length, struct range *object, size_t *tokens,
                      struct error *err)
{
    struct json_scan scan;
    struct json_token token;
    bool in_data = false;
    json_scan_init(&scan, line, length, LINE_DEPTH);
    do {
        if (!json_scan_next(&scan, &token, err))
            return false;
        ++*tokens;
        if (token.kind != JSON_KEY)
            continue;
        if (token.depth == 1)
            in_data = key_is(line, &token, "\"data\"");
        if (token.depth != 2 || !in_data || !key_is(line, &token, "\"object\""))
            continue;
        if (object->to != 0)
            return fail(err, REACT_REJECT, "data.object occurs twice");
        if (!json_scan_next(&scan, &token, err))
            return false;
        object->from = token.from;
        if (!json_scan_skip(&scan, &token, &object->to, err))
            return false;
    } while (token.kind != JSON_DONE);
    return true;
}

// The bytes in the log stay as they came: only the copy that becomes a tree loses the object.
static cJSON *parse_without(const char *line, size_t length, const struct range *object)
{
    if (object->to == 0)
        return cJSON_ParseWithLength(line, length);
    SCOPED_BUFFER rest = {0};
    buffer_append(&rest, line, object->from);
    buffer_append_text(&rest, "null");
    buffer_append(&rest, line + object->to, length - object->to);
    return cJSON_ParseWithLength(rest.data, rest.length);
}

// Two members of one name would let us and a later reader of the same bytes see different facts.
static bool check_members(const cJSON *object, struct error *err)
{
    if (cJSON_GetArraySize(object) > MAX_MEMBERS)
        return fail(err, REACT_REJECT, "more than %d members", MAX_MEMBERS);
    for (const cJSON *left = object->child; left != NULL; left = left->next) {
        for (const cJSON *right = left->next; right != NULL; right = right->next) {
            if (left->string[0] == right->string[0] && strcmp(left->string, right->string) == 0)
                return fail(err, REACT_REJECT, "member '%.64s' occurs twice", left->string);
        }
    }
    return true;
}

static bool read_type(struct batch_event *event, const cJSON *envelope, struct error *err)
{
    const char *type = json_text(envelope, "type");
    if (type == NULL || *type == '\0' || strlen(type) >= sizeof(event->type))
        return fail(err, REACT_REJECT, "type is missing or too long");
    strcpy(event->type, type);
    return true;
}

// A time that cannot be told is no fault, since some events have none; one that makes no sense is,
// since it would go into the leaf hash as if it were one.
static bool read_time(struct batch_event *event, const cJSON *envelope, struct error *err)
{
    const cJSON *member = json_get(envelope, "time");
    int64_t at;
    if (member == NULL || cJSON_IsNull(member))
        return true;
    if (!cJSON_IsString(member) || !timestamp_parse(member->valuestring, &at) || !time_is_sane(at))
        return fail(err, REACT_REJECT, "time is no instant between 1970 and 9999");
    event->occurred_at = at;
    return true;
}

// The type first: a line that is quarantined for anything else is still listed under what it claims
// to be. The id must be that of the frame's place, or one event could pass under two numbers.
static bool read_envelope(struct batch_event *event, cJSON *envelope, struct error *err)
{
    if (!cJSON_IsObject(envelope))
        return fail(err, REACT_REJECT, "line is no JSON object");
    if (!read_type(event, envelope, err) || !read_time(event, envelope, err) ||
        !check_members(envelope, err))
        return false;
    if (!text_equal(json_text(envelope, "specversion"), "1.0"))
        return fail(err, REACT_REJECT, "specversion is not 1.0");
    if (!text_equal(json_text(envelope, "id"), event->id))
        return fail(err, REACT_REJECT, "id is not %s", event->id);
    const cJSON *data = json_get(envelope, "data");
    if (!cJSON_IsObject(data))
        return fail(err, REACT_REJECT, "data is no object");
    if (!check_members(data, err))
        return fail_in(err, "data");
    event->data = cJSON_DetachItemFromObjectCaseSensitive(envelope, "data");
    cJSON_DeleteItemFromObjectCaseSensitive(event->data, "object");
    return true;
}

// The scanner sees the whole line, the tree what is left without the object: so the bulk is
// checked, and never allocated.
static bool read_line(struct batch_event *event, struct error *err)
{
    struct range object = {0};
    if (event->length > EVENT_MAX_BYTES)
        return fail(err, REACT_REJECT, "line of %zu bytes is larger than %d", event->length,
                    EVENT_MAX_BYTES);
    size_t tokens = 0;
    if (!scan_line(event->line, event->length, &object, &tokens, err))
        return false;
    event->memory_bytes = tokens * TOKEN_BYTES + 2 * (event->length - (object.to - object.from));
    SCOPED(cJSON_Delete) cJSON *envelope = parse_without(event->line, event->length, &object);
    if (envelope == NULL)
        return fail(err, REACT_REJECT, "JSON parser refused what the scanner took");
    return read_envelope(event, envelope, err);
}

// The data is printed again by us, because PostgreSQL parses nothing else (docs/architecture.md,
// invariant 4); done here, it is done ahead.
void batch_event_read(struct batch_event *event)
{
    struct error err = {0};
    snprintf(event->id, sizeof(event->id), "%s:%" PRId64 ":%" PRId64, event->collector,
             event->epoch, event->seq);
    strcpy(event->type, "unknown");
    event->occurred_at = TIMESTAMP_NONE;
    event->data = NULL;
    event->text = NULL;
    event->memory_bytes = 0;
    event->quarantined[0] = '\0';
    if (read_line(event, &err))
        event->text = json_print(event->data);
    else
        batch_event_quarantine(event, err.text);
    // Also for what is quarantined: it has a leaf like any other (docs/architecture.md, Leaf hash).
    randombytes_buf(event->salt, sizeof(event->salt));
    envelope_body_digest(event->salt, event->line, event->length, event->body_digest);
}

void batch_event_reset(struct batch_event *event)
{
    cJSON_Delete(event->data);
    xfree_char(event->text);
    event->data = NULL;
    event->text = NULL;
}

void batch_events_free(struct batch_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        batch_event_reset(&events[i]);
    free(events);
}
