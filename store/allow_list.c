// The list of collectors in the store's configuration, by key and by name.
// A mistake in it gives somebody a voice, so nothing is guessed: what is not understood ends the
// start.

#include "store/allow_list.h"

#include <stdlib.h>
#include <string.h>

#include "common/event.h"
#include "common/text.h"

static void free_item(struct allowed *item)
{
    for (size_t i = 0; i < item->namespace_count; i++)
        free(item->namespaces[i]);
    free(item->namespaces);
    free(item->name);
    free(item->cluster);
}

void allow_list_free(struct allow_list *list)
{
    if (list == NULL)
        return;
    for (size_t i = 0; i < list->count; i++)
        free_item(&list->items[i]);
    free(list->items);
    free(list);
}

// An empty list is refused: it could mean "none", but would count as the whole cluster.
static bool read_namespaces(const struct yaml_node *node, struct allowed *item, struct error *err)
{
    const struct yaml_node *list = yaml_get(node, "namespaces");
    if (list == NULL)
        return true;
    if (list->kind != YAML_LIST || list->count == 0)
        return fail(
            err, REACT_STOP,
            "collectors (line %zu): namespaces must be a list with at least one name; hint: "
            "leave it out to allow the whole cluster",
            list->line);
    item->namespaces = xcalloc(list->count, sizeof(*item->namespaces));
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].kind != YAML_SCALAR || list->items[i].scalar[0] == '\0')
            return fail(err, REACT_STOP, "collectors (line %zu): a namespace must be a name",
                        list->items[i].line);
        item->namespaces[item->namespace_count++] = xstrdup(list->items[i].scalar);
    }
    return true;
}

// The name becomes part of event ids (COLLECTOR:EPOCH:SEQ) and sources, so ':' and '/' must not
// occur in it, and a leading '_' is the store's own (R24).
static bool check_name(const char *name, size_t line, struct error *err)
{
    if (name == NULL || *name == '\0' || strlen(name) > NAME_MAX_BYTES)
        return fail(err, REACT_STOP, "collectors (line %zu): name must have 1 to %d bytes", line,
                    NAME_MAX_BYTES);
    for (const char *c = name; *c; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || *c == '-' || *c == '.' || (*c == '_' && c != name);
        if (!plain)
            return fail(err, REACT_STOP,
                        "collectors (line %zu): name '%.64s' has a character other than letters, "
                        "digits, '-', '.', '_' ('_' not first: such names are the store's own)",
                        line, name);
    }
    return true;
}

// What was read so far belongs to the item, whose list is freed as a whole when something is wrong.
static bool read_item(const struct yaml_node *node, struct allowed *item, struct error *err)
{
    static const char *const known[] = {"name", "key", "cluster", "namespaces", NULL};
    if (!yaml_check_keys(node, "collectors", known, err))
        return false;
    const char *name = yaml_text(node, "name");
    const char *key = yaml_text(node, "key");
    const char *cluster = yaml_text(node, "cluster");
    if (!check_name(name, node->line, err))
        return false;
    if (key == NULL || cluster == NULL || *cluster == '\0')
        return fail(err, REACT_STOP, "collector '%s' (line %zu) lacks its key or its cluster", name,
                    node->line);
    if (!curve_public_from_hex(key, item->key, err))
        return fail_in(err, "collector '%s' (line %zu)", name, node->line);
    item->name = xstrdup(name);
    item->cluster = xstrdup(cluster);
    return read_namespaces(node, item, err);
}

// One key under two names would let the order of the list decide who it is. Called as each one is
// added, so comparing with the last is enough.
static bool check_unique(const struct allow_list *list, struct error *err)
{
    const struct allowed *last = &list->items[list->count - 1];
    for (size_t i = 0; i + 1 < list->count; i++) {
        if (strcmp(list->items[i].name, last->name) == 0)
            return fail(err, REACT_STOP, "collector '%s' is listed twice", last->name);
        if (memcmp(list->items[i].key, last->key, CURVE_KEY_BYTES) == 0)
            return fail(err, REACT_STOP, "collectors '%s' and '%s' have the same key",
                        list->items[i].name, last->name);
    }
    return true;
}

// An empty list is allowed: a store may run before its first collector has a key. The count goes
// ahead of the item, so that a half read one is freed too.
bool allow_list_read(const struct yaml_node *list, struct allow_list **out, struct error *err)
{
    if (list == NULL || list->kind != YAML_LIST)
        return fail(err, REACT_STOP,
                    "the configuration lacks the list 'collectors'; hint: "
                    "collectors: [{name: ..., key: ..., cluster: ...}]");
    struct allow_list *read = xcalloc(1, sizeof(*read));
    read->items = xcalloc(list->count, sizeof(*read->items));
    for (size_t i = 0; i < list->count; i++) {
        read->count++;
        if (!read_item(&list->items[i], &read->items[i], err) || !check_unique(read, err)) {
            allow_list_free(read);
            return false;
        }
    }
    *out = read;
    return true;
}

const struct allowed *allow_list_by_key(const struct allow_list *list,
                                        const uint8_t key[CURVE_KEY_BYTES])
{
    for (size_t i = 0; i < list->count; i++) {
        if (memcmp(list->items[i].key, key, CURVE_KEY_BYTES) == 0)
            return &list->items[i];
    }
    return NULL;
}

const struct allowed *allow_list_by_name(const struct allow_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].name, name) == 0)
            return &list->items[i];
    }
    return NULL;
}

bool allowed_namespace(const struct allowed *allowed, const char *cluster, const char *namespace)
{
    if (!text_equal(allowed->cluster, cluster))
        return false;
    if (allowed->namespace_count == 0)
        return true;
    for (size_t i = 0; namespace != NULL && i < allowed->namespace_count; i++) {
        if (strcmp(allowed->namespaces[i], namespace) == 0)
            return true;
    }
    return false;
}
