// The state gaps that single objects cause, so that each can end when its object is seen again.
// They are few, and the list is bounded: one gap more that stays open is honest, a list that grows
// with its input is not.

#include "collector/audit_unknown.h"

#include <stdio.h>
#include <string.h>

#include "collector/audit_coverage.h"
#include "common/json.h"
#include "common/memory.h"
#include "common/text.h"
#include "common/timestamp.h"

static bool is_object(const struct unknown_object *entry, const struct audit_object *object)
{
    return entry->kind == object->kind && text_equal(entry->namespace, object->namespace) &&
           text_equal(entry->name, object->name);
}

static struct unknown_object *find(struct audit_unknown *unknown, const struct audit_object *object)
{
    for (size_t i = 0; i < unknown->count; i++) {
        if (is_object(&unknown->objects[i], object))
            return &unknown->objects[i];
    }
    return NULL;
}

// Events of one instant in one namespace are one gap to the store.
static bool is_shared(const struct audit_unknown *unknown, const struct unknown_object *entry)
{
    size_t same = 0;
    for (size_t i = 0; i < unknown->count; i++) {
        const struct unknown_object *other = &unknown->objects[i];
        same += other->kind == entry->kind && other->from == entry->from &&
                strcmp(other->namespace, entry->namespace) == 0;
    }
    return same > 1;
}

static void add(struct audit_unknown *unknown, const struct audit_object *object, int64_t from)
{
    struct unknown_object *entry = &unknown->objects[unknown->count];
    if (unknown->count == UNKNOWN_MAX || object->namespace == NULL || object->name == NULL ||
        strlen(object->namespace) >= sizeof(entry->namespace) ||
        strlen(object->name) >= sizeof(entry->name))
        return;
    unknown->count++;
    entry->kind = object->kind;
    entry->from = from;
    memcpy(entry->namespace, object->namespace, strlen(object->namespace) + 1);
    memcpy(entry->name, object->name, strlen(object->name) + 1);
}

bool audit_unknown_begin(struct audit_unknown *unknown, struct outbox *outbox,
                         const struct audit_object *object, int64_t at, const char *reason,
                         struct error *err)
{
    if (find(unknown, object) != NULL)
        return true;
    SCOPED(xfree_char)
    char *resource = xasprintf("%s.%s", object->kind->resource, object->kind->group);
    add(unknown, object, at);
    return audit_state_gap_emit(outbox, object->namespace, resource, at, TIMESTAMP_NONE, reason,
                                err);
}

bool audit_unknown_end(struct audit_unknown *unknown, struct outbox *outbox,
                       const struct audit_object *object, int64_t at, struct error *err)
{
    struct unknown_object *entry = find(unknown, object);
    if (entry == NULL || at <= entry->from)
        return true;
    SCOPED(xfree_char)
    char *resource = xasprintf("%s.%s", object->kind->resource, object->kind->group);
    int64_t from = entry->from;
    bool shared = is_shared(unknown, entry);
    *entry = unknown->objects[--unknown->count];
    return shared || audit_state_gap_emit(outbox, object->namespace, resource, from, at,
                                          "the audit log hid an object until its next write", err);
}

void audit_unknown_print(const struct audit_unknown *unknown, cJSON *cursor)
{
    cJSON *list = cJSON_AddArrayToObject(cursor, "unknown");
    for (size_t i = 0; i < unknown->count; i++) {
        const struct unknown_object *entry = &unknown->objects[i];
        cJSON *item = cJSON_CreateObject();
        json_add_text(item, "group", entry->kind->group);
        json_add_text(item, "resource", entry->kind->resource);
        json_add_text(item, "namespace", entry->namespace);
        json_add_text(item, "name", entry->name);
        json_add_int64(item, "from", entry->from);
        cJSON_AddItemToArray(list, item);
    }
}

void audit_unknown_parse(const cJSON *cursor, struct audit_unknown *unknown)
{
    const cJSON *item;
    unknown->count = 0;
    cJSON_ArrayForEach(item, json_get(cursor, "unknown"))
    {
        const char *group = json_text(item, "group");
        const char *resource = json_text(item, "resource");
        int64_t from;
        if (group == NULL || resource == NULL || !json_int64(item, "from", &from))
            continue;
        struct audit_object object = {.kind = kinds_find(group, resource),
                                      .namespace = json_text(item, "namespace"),
                                      .name = json_text(item, "name")};
        if (object.kind != NULL)
            add(unknown, &object, from);
    }
}
