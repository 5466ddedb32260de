// From an object of a GitOps tool to a `gitops.observed` event: redacted like all objects, read by
// its kind's reader, and compared with what was sent of it before.

#include "collector/gitops_object.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collector/object_times.h"
#include "collector/redact.h"
#include "collector/scope_event.h"
#include "common/digest.h"
#include "common/event.h"
#include "common/json.h"
#include "common/timestamp.h"

#define OBJECT_MAX ((size_t)8 * 1024 * 1024)

static bool check_head(const struct object_head *head, struct error *err)
{
    uint8_t uid[UID_BYTES];
    if (!uid_parse(head->uid, uid))
        return fail(err, REACT_REJECT, "object has no metadata.uid that is a UUID");
    if (head->position == 0)
        return fail(err, REACT_REJECT, "resourceVersion is not a positive integer");
    if (head->name[0] == '\0')
        return fail(err, REACT_REJECT, "object has no metadata.name");
    return true;
}

// The object without its secrets, as a tree; NULL with REJECT.
static cJSON *read_tree(const char *bytes, size_t length, struct error *err)
{
    SCOPED_BUFFER clean = {0};
    struct redactions redactions = {0};
    if (length > OBJECT_MAX) {
        fail(err, REACT_REJECT, "object of %zu bytes is too large", length);
        return NULL;
    }
    bool redacted = redact_object(bytes, length, &clean, &redactions, err);
    redactions_reset(&redactions);
    return redacted ? json_parse(clean.data, clean.length, REDACT_MAX_DEPTH, err) : NULL;
}

// The beginning of a digest as a positive number, in the shape in which positions are remembered.
// Never 0, which stands for "nothing was sent".
static int64_t content_number(const cJSON *content)
{
    uint8_t digest[DIGEST_BYTES];
    SCOPED(xfree_char) char *text = json_print(content);
    digest_sha256(text, strlen(text), digest);
    uint64_t number = 0;
    for (size_t i = 0; i < sizeof(number); i++)
        number = number << 8 | digest[i];
    return (int64_t)(number >> 1 | 1);
}

static int64_t sync_time(const cJSON *sync)
{
    const char *text = json_text(sync, "at");
    int64_t at;
    return text != NULL && timestamp_parse(text, &at) ? at : TIMESTAMP_NONE;
}

// What the syncs of one instant say, as a number.
static int64_t number_at(const cJSON *syncs, int64_t at)
{
    SCOPED(cJSON_Delete) cJSON *same = cJSON_CreateArray();
    cJSON *sync;
    cJSON_ArrayForEach(sync, syncs)
    {
        if (sync_time(sync) == at)
            cJSON_AddItemReferenceToArray(same, sync);
    }
    return content_number(same);
}

static int64_t newest_time(const cJSON *syncs, int64_t least)
{
    const cJSON *sync;
    cJSON_ArrayForEach(sync, syncs)
    {
        int64_t at = sync_time(sync);
        least = at > least ? at : least;
    }
    return least;
}

// Takes out the syncs before that instant, and those of it: a history only grows at its end.
static void drop_until(cJSON *syncs, int64_t until, bool with_it)
{
    for (cJSON *sync = syncs != NULL ? syncs->child : NULL; sync != NULL;) {
        cJSON *next = sync->next;
        int64_t at = sync_time(sync);
        if (at != TIMESTAMP_NONE && (at < until || (with_it && at == until)))
            cJSON_Delete(cJSON_DetachItemViaPointer(syncs, sync));
        sync = next;
    }
}

// What was sent of an object: its content, when its newest syncs were, and what those said (two of
// them can share a second). In the shape in which positions of objects are remembered.
enum memory { MEMORY_CONTENT, MEMORY_SYNCED, MEMORY_NEWEST, MEMORIES };

struct sent_memory {
    char *scopes[MEMORIES];
    int64_t values[MEMORIES]; // 0 when nothing was sent
};

static void sent_memory_reset(struct sent_memory *memory)
{
    for (size_t i = 0; i < MEMORIES; i++)
        free(memory->scopes[i]);
}

static bool recall(struct outbox *outbox, const char *known_scope, const char *uid,
                   struct sent_memory *memory, struct error *err)
{
    static const char *const names[MEMORIES] = {"content", "synced", "newest"};
    for (size_t i = 0; i < MEMORIES; i++) {
        memory->scopes[i] = xasprintf("%s#%s", known_scope, names[i]);
        if (!outbox_get_known(outbox, memory->scopes[i], uid, &memory->values[i], err))
            return false;
    }
    return true;
}

static bool remember(struct outbox *outbox, const struct sent_memory *memory, const char *uid,
                     bool removed, struct error *err)
{
    for (size_t i = 0; i < MEMORIES; i++) {
        bool kept = removed
                        ? outbox_forget_known(outbox, memory->scopes[i], uid, err)
                        : outbox_set_known(outbox, memory->scopes[i], uid, memory->values[i], err);
        if (!kept)
            return false;
    }
    return true;
}

static void add_identity(const struct sighting *sighting, const struct object_head *head,
                         const char *cluster, cJSON *data)
{
    const struct kind *kind = sighting->kind;
    SCOPED(xfree_char) char *resource = xasprintf("%s.%s", kind->resource, kind->group);
    json_add_text(data, "cluster", cluster);
    json_add_text(data, "tool", kind->tool);
    json_add_text(data, "resource", resource);
    json_add_text(data, "kind", kind->kind);
    json_add_text(data, "namespace", head->namespace);
    json_add_text(data, "name", head->name);
    json_add_text(data, "uid", head->uid);
    json_add_int64(data, "position", head->position);
}

static void read_times(const struct sighting *sighting, const cJSON *object,
                       struct object_times *times)
{
    struct object_seen seen = {.at = sighting->seen_at,
                               .source = sighting->source,
                               .not_before = sighting->not_before,
                               .removed = sighting->removed};
    object_times_read(object, &seen, times);
}

static bool send(struct outbox *outbox, const struct sighting *sighting,
                 const struct object_head *head, const cJSON *object, cJSON *content,
                 struct error *err)
{
    SCOPED(cJSON_Delete) cJSON *data = cJSON_CreateObject();
    struct object_times times;
    char at[TIMESTAMP_TEXT];
    read_times(sighting, object, &times);
    timestamp_format(times.at, at);
    add_identity(sighting, head, outbox_cluster(outbox), data);
    json_add_text(data, "at", at);
    json_add_text(data, "at_source", times.at_source);
    cJSON_AddBoolToObject(data, "removed", sighting->removed);
    while (content->child != NULL) {
        cJSON *item = cJSON_DetachItemViaPointer(content, content->child);
        cJSON_AddItemToObject(data, item->string, item);
    }
    SCOPED(xfree_char) char *text = json_print(data);
    SCOPED(xfree_char)
    char *subject = xasprintf("%s/%s/%s", head->namespace, sighting->kind->kind, head->name);
    return outbox_event(outbox, TYPE_GITOPS_OBSERVED, subject, times.at, text, strlen(text), err);
}

// Leaves of the content what was not sent, and notes what will have been.
static void take_new(cJSON *content, struct sent_memory *memory)
{
    cJSON *syncs = cJSON_GetObjectItemCaseSensitive(content, "syncs");
    int64_t synced = memory->values[MEMORY_SYNCED];
    bool same = number_at(syncs, synced) == memory->values[MEMORY_NEWEST];
    memory->values[MEMORY_SYNCED] = newest_time(syncs, synced);
    memory->values[MEMORY_NEWEST] = number_at(syncs, memory->values[MEMORY_SYNCED]);
    drop_until(syncs, synced, same);
}

// A removal is told though the object says what it said before.
static bool emit_new(struct outbox *outbox, const struct sighting *sighting,
                     struct sent_memory *memory, const struct object_head *head,
                     const cJSON *object, struct error *err)
{
    SCOPED(cJSON_Delete) cJSON *content = cJSON_CreateObject();
    sighting->kind->read_gitops(object, content);
    int64_t number = content_number(content);
    if (number == memory->values[MEMORY_CONTENT] && !sighting->removed)
        return true;
    memory->values[MEMORY_CONTENT] = number;
    take_new(content, memory);
    return send(outbox, sighting, head, object, content, err) &&
           remember(outbox, memory, head->uid, sighting->removed, err);
}

bool gitops_observed_emit(struct outbox *outbox, const struct sighting *sighting,
                          const char *known_scope, const char *bytes, size_t length,
                          struct object_head *head, struct error *err)
{
    __attribute__((cleanup(sent_memory_reset))) struct sent_memory memory = {0};
    if (!object_head_read(bytes, length, head, err) || !check_head(head, err))
        return false;
    SCOPED(cJSON_Delete) cJSON *object = read_tree(bytes, length, err);
    return object != NULL && recall(outbox, known_scope, head->uid, &memory, err) &&
           emit_new(outbox, sighting, &memory, head, object, err);
}
