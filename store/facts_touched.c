// A hash table of workloads that keeps the order in which they were first touched.
// The order is that of the log, so a batch folds and writes in the same order however often it is
// tried.

#include "store/facts_touched.h"

#include <stdlib.h>
#include <string.h>

static uint32_t hash_text(uint32_t hash, const char *text)
{
    // FNV-1a; the closing zero keeps ("ab", "c") and ("a", "bc") apart.
    do {
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    } while (*text++ != '\0');
    return hash;
}

static uint32_t hash_key(const char *cluster, const char *resource, const char *uid)
{
    return hash_text(hash_text(hash_text(2166136261u, uid), resource), cluster);
}

// Slots hold numbers of items, not pointers: half the size, and 0 can mean free.
static void insert_slot(struct touched *touched, size_t index)
{
    const struct touched_workload *item = touched->items[index];
    size_t mask = touched->slot_count - 1;
    size_t slot = hash_key(item->cluster, item->resource, item->uid) & mask;
    while (touched->slots[slot] != 0)
        slot = (slot + 1) & mask;
    touched->slots[slot] = (uint32_t)index + 1;
}

// At most half full, so that runs of linear probing stay short.
static void grow_slots(struct touched *touched)
{
    if (touched->slot_count > 2 * (touched->count + 1))
        return;
    touched->slot_count = touched->slot_count ? 2 * touched->slot_count : 64;
    free(touched->slots);
    touched->slots = xcalloc(touched->slot_count, sizeof(*touched->slots));
    for (size_t i = 0; i < touched->count; i++)
        insert_slot(touched, i);
}

static struct touched_workload *find(const struct touched *touched, const char *cluster,
                                     const char *resource, const char *uid)
{
    if (touched->slot_count == 0)
        return NULL;
    size_t mask = touched->slot_count - 1;
    size_t slot = hash_key(cluster, resource, uid) & mask;
    for (; touched->slots[slot] != 0; slot = (slot + 1) & mask) {
        struct touched_workload *item = touched->items[touched->slots[slot] - 1];
        if (strcmp(item->uid, uid) == 0 && strcmp(item->resource, resource) == 0 &&
            strcmp(item->cluster, cluster) == 0)
            return item;
    }
    return NULL;
}

// Items lie in the arena and never move, so callers may keep what they got while others are added.
struct touched_workload *touched_get(struct touched *touched, const char *cluster,
                                     const char *resource, const char *uid)
{
    struct touched_workload *item = find(touched, cluster, resource, uid);
    if (item != NULL)
        return item;
    grow_slots(touched);
    item = fold_arena_alloc(&touched->arena, sizeof(*item));
    item->cluster = fold_arena_text(&touched->arena, cluster);
    item->resource = fold_arena_text(&touched->arena, resource);
    if (!uuid_parse(uid, item->uuid))
        abort(); // whoever calls has checked it
    uuid_format(item->uuid, item->uid);
    item->readings_end = &item->readings;
    item->requests_end = &item->requests;
    touched->items = xgrow(touched->items, &touched->capacity, touched->count + 1,
                           sizeof(struct touched_workload *));
    touched->items[touched->count] = item;
    insert_slot(touched, touched->count++);
    return item;
}

void touched_add_reading(struct touched *touched, struct touched_workload *workload,
                         const struct reading *reading, const char *namespace)
{
    struct touched_reading *link = fold_arena_alloc(&touched->arena, sizeof(*link));
    link->reading = *reading;
    link->namespace = namespace;
    *workload->readings_end = link;
    workload->readings_end = &link->next;
    workload->reading_count++;
}

void touched_add_request(struct touched *touched, struct touched_workload *workload,
                         const struct fold_request *request, const char *namespace)
{
    struct touched_request *link = fold_arena_alloc(&touched->arena, sizeof(*link));
    link->request = *request;
    link->namespace = namespace;
    *workload->requests_end = link;
    workload->requests_end = &link->next;
    workload->request_count++;
}

bool touched_request_fits(const char *claimed, const char *namespace)
{
    return claimed == NULL || *claimed == '\0' || strcmp(claimed, namespace) == 0;
}

void touched_reset(struct touched *touched)
{
    free(touched->items);
    free(touched->slots);
    fold_arena_reset(&touched->arena);
    *touched = (struct touched){0};
}
