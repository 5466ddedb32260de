// From an object's bytes to a `workload.observed` event: redacted first, so that nothing behind
// ever holds a secret, then parsed and read. The raw object is inserted as bytes, never printed
// from a tree.

#include "collector/observation.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "collector/clock.h"
#include "collector/extraction.h"
#include "collector/object_origin.h"
#include "collector/object_times.h"
#include "collector/redact.h"
#include "collector/redact_message.h"
#include "common/digest.h"
#include "common/event.h"
#include "common/json.h"
#include "common/text.h"
#include "common/timestamp.h"

#define TREE_MAX_BYTES (16 * 1024 * 1024) // what a tree is made of, whatever the source
#define ENVELOPE_BYTES 4096               // room for what event_write adds around the data

// All that is known while one event is made.
struct observation {
    const struct sighting *sighting;
    const char *cluster;
    struct object_head head;
    struct buffer raw; // redacted
    struct redactions redactions;
    cJSON *object; // the tree of `raw`
    struct extraction extraction;
    struct object_times times;
};

static void observation_reset(struct observation *observation)
{
    extraction_reset(&observation->extraction);
    cJSON_Delete(observation->object);
    redactions_reset(&observation->redactions);
    buffer_reset(&observation->raw);
}

static void observation_scoped_cleanup(struct observation *observation)
{
    observation_reset(observation);
}

static bool is_uuid(const char *text)
{
    if (strlen(text) != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
            return false;
    }
    return true;
}

static bool check_head(struct object_head *head, struct error *err)
{
    if (!is_uuid(head->uid))
        return fail(err, REACT_REJECT, "object has no metadata.uid that is a UUID");
    if (head->position == 0)
        return fail(err, REACT_REJECT, "resourceVersion is not a positive integer");
    if (head->name[0] == '\0')
        return fail(err, REACT_REJECT, "object has no metadata.name");
    for (char *c = head->uid; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    return true;
}

static bool read_object(struct observation *observation, const char *bytes, size_t length,
                        struct object_head *head, struct error *err)
{
    if (length > TREE_MAX_BYTES)
        return fail(err, REACT_REJECT, "object of %zu bytes is too large", length);
    if (!object_head_read(bytes, length, &observation->head, err))
        return false;
    *head = observation->head; // a refused object is still a member of its scope
    if (!check_head(&observation->head, err) ||
        !redact_object(bytes, length, &observation->raw, &observation->redactions, err))
        return false;
    observation->object =
        json_parse(observation->raw.data, observation->raw.length, REDACT_MAX_DEPTH, err);
    return observation->object != NULL &&
           extraction_read(observation->sighting->kind, observation->object,
                           &observation->extraction, err);
}

static void read_times(struct observation *observation)
{
    const struct sighting *sighting = observation->sighting;
    struct object_seen seen = {.at = sighting->seen_at,
                               .source = sighting->source,
                               .not_before = sighting->not_before,
                               .removed = sighting->removed};
    object_times_read(observation->object, &seen, &observation->times);
}

static void add_instant(cJSON *data, const char *key, int64_t at)
{
    char text[TIMESTAMP_TEXT];
    timestamp_format(at, text);
    json_add_text(data, key, text[0] != '\0' ? text : NULL);
}

static void add_int64_member(cJSON *data, const char *key, const cJSON *object, const char *member)
{
    int64_t value;
    if (json_int64(object, member, &value))
        json_add_int64(data, key, value);
    else
        cJSON_AddNullToObject(data, key);
}

static const char *owner_uid(const cJSON *metadata)
{
    const cJSON *owner;
    cJSON_ArrayForEach(owner, json_get(metadata, "ownerReferences"))
    {
        const char *uid = json_text(owner, "uid");
        if (json_bool(owner, "controller", false) && uid != NULL && is_uuid(uid))
            return uid;
    }
    return NULL;
}

static void add_identity(const struct observation *observation, cJSON *data)
{
    const struct kind *kind = observation->sighting->kind;
    const cJSON *metadata = json_get(observation->object, "metadata");
    SCOPED(xfree_char) char *resource = xasprintf("%s.%s", kind->resource, kind->group);
    json_add_text(data, "cluster", observation->cluster);
    json_add_text(data, "namespace", observation->head.namespace);
    json_add_text(data, "name", observation->head.name);
    json_add_text(data, "uid", observation->head.uid);
    json_add_text(data, "resource", resource);
    json_add_text(data, "kind", kind->kind);
    json_add_int64(data, "position", observation->head.position);
    add_int64_member(data, "generation", metadata, "generation");
    add_int64_member(data, "observed_generation", json_get(observation->object, "status"),
                     "observedGeneration");
    json_add_text(data, "owner_uid", owner_uid(metadata));
    cJSON_AddNumberToObject(data, "extractor", kind->extractor);
}

static void add_times(const struct object_times *times, cJSON *data)
{
    add_instant(data, "at", times->at);
    json_add_text(data, "at_source", times->at_source);
    add_instant(data, "not_before", times->not_before);
    add_instant(data, "spec_at", times->spec_at);
    json_add_text(data, "spec_source", times->spec_source);
}

// The data without the members that are inserted as bytes: `redacted` and `object`.
static char *print_facts(const struct observation *observation)
{
    SCOPED(cJSON_Delete) cJSON *data = cJSON_CreateObject();
    add_identity(observation, data);
    add_times(&observation->times, data);
    cJSON_AddBoolToObject(data, "removed", observation->sighting->removed);
    // What finalizers hold; told only of it, so that the many others stay as short as they were.
    if (json_text(json_get(observation->object, "metadata"), "deletionTimestamp") != NULL)
        cJSON_AddBoolToObject(data, "deleting", true);
    extraction_add_to(&observation->extraction, observation->object, data);
    object_origin_add(observation->sighting->kind, observation->object, data);
    return json_print(data);
}

static void append_redacted(const struct redactions *redactions, struct buffer *out)
{
    buffer_append_text(out, ",\"redacted\":[");
    buffer_append(out, redactions->paths.data, redactions->paths.length);
    buffer_append_char(out, ']');
    if (redactions->unnamed > 0)
        buffer_printf(out, ",\"redacted_unnamed\":%zu", redactions->unnamed);
}

static void append_object(const struct buffer *raw, struct buffer *out)
{
    if (out->length + raw->length + ENVELOPE_BYTES <= EVENT_MAX_BYTES) {
        buffer_append_text(out, ",\"object\":");
        buffer_append(out, raw->data, raw->length);
        return;
    }
    uint8_t digest[DIGEST_BYTES];
    char hex[DIGEST_HEX];
    digest_sha256(raw->data, raw->length, digest);
    hex_encode(digest, sizeof(digest), hex);
    buffer_printf(out, ",\"object_digest\":\"%s\",\"object_bytes\":%zu", hex, raw->length);
}

static bool print_data(const struct observation *observation, struct buffer *out, struct error *err)
{
    SCOPED(xfree_char) char *facts = print_facts(observation);
    buffer_append(out, facts, strlen(facts) - 1); // its closing brace comes last
    append_redacted(&observation->redactions, out);
    if (out->length + ENVELOPE_BYTES > EVENT_MAX_BYTES)
        return fail(err, REACT_REJECT, "placements of %zu bytes do not fit into an event",
                    out->length);
    append_object(&observation->raw, out);
    buffer_append_char(out, '}');
    return true;
}

bool observation_emit(struct outbox *outbox, const struct sighting *sighting, const char *bytes,
                      size_t length, struct object_head *head, struct error *err)
{
    __attribute__((cleanup(observation_scoped_cleanup))) struct observation observation = {
        .sighting = sighting};
    SCOPED_BUFFER data = {0};
    observation.cluster = sighting->cluster != NULL ? sighting->cluster : outbox_cluster(outbox);
    if (!read_object(&observation, bytes, length, head, err))
        return false;
    read_times(&observation);
    if (!print_data(&observation, &data, err))
        return false;
    SCOPED(xfree_char)
    char *subject = xasprintf("%s/%s/%s", observation.head.namespace, sighting->kind->kind,
                              observation.head.name);
    return outbox_event(outbox, TYPE_WORKLOAD_OBSERVED, subject, observation.times.at, data.data,
                        data.length, err);
}

bool input_rejected_emit(struct outbox *outbox, const char *where, const char *reason,
                         const char *bytes, size_t length, struct error *err)
{
    uint8_t digest[DIGEST_BYTES];
    char hex[DIGEST_HEX];
    digest_sha256(bytes, length, digest);
    hex_encode(digest, sizeof(digest), hex);
    // Both texts may quote bytes from outside, valid UTF-8 or not.
    SCOPED_BUFFER where_text = {0};
    SCOPED_BUFFER reason_text = {0};
    text_append_visible(&where_text, where, strlen(where));
    SCOPED_BUFFER clean = {0};
    if (redact_message(reason, strlen(reason), &clean))
        text_append_visible(&reason_text, clean.data, clean.length);
    else
        text_append_visible(&reason_text, reason, strlen(reason));
    SCOPED(cJSON_Delete) cJSON *data = cJSON_CreateObject();
    json_add_text(data, "cluster", outbox_cluster(outbox));
    json_add_text(data, "where", where_text.data);
    json_add_text(data, "reason", reason_text.data);
    json_add_text(data, "digest", hex);
    cJSON_AddNumberToObject(data, "bytes", (double)length);
    SCOPED(xfree_char) char *text = json_print(data);
    return outbox_event(outbox, TYPE_INPUT_REJECTED, NULL, clock_now(), text, strlen(text), err);
}
