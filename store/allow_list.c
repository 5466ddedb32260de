// The list of collectors in the store's configuration and its folder, by key and by name.
// A mistake in it gives somebody a voice, so nothing is guessed: what is not understood ends the
// start.

#include "store/allow_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/event.h"
#include "common/text.h"

static void free_texts(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(texts[i]);
    free(texts);
}

static void free_item(struct allowed *item)
{
    free_texts(item->namespaces, item->namespace_count);
    free_texts(item->repositories, item->repository_count);
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

// Counts as it goes, so that a half read list is freed with its item.
static bool read_texts(const struct yaml_node *list, const char *what, char ***texts, size_t *count,
                       struct error *err)
{
    *texts = xcalloc(list->count + 1, sizeof(**texts));
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].kind != YAML_SCALAR || list->items[i].scalar[0] == '\0')
            return fail(err, REACT_STOP, "collectors (line %zu): a %s must be a name",
                        list->items[i].line, what);
        (*texts)[(*count)++] = xstrdup(list->items[i].scalar);
    }
    return true;
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
    return read_texts(list, "namespace", &item->namespaces, &item->namespace_count, err);
}

// Here an empty list is what it looks like: absent and empty both mean "none".
static bool read_repositories(const struct yaml_node *node, struct allowed *item, struct error *err)
{
    const struct yaml_node *list = yaml_get(node, "repositories");
    if (list == NULL)
        return true;
    if (list->kind != YAML_LIST)
        return fail(err, REACT_STOP,
                    "collectors (line %zu): repositories must be a list; hint: [\"*\"] for all of "
                    "them, left out for none",
                    list->line);
    return read_texts(list, "repository", &item->repositories, &item->repository_count, err);
}

// The name becomes part of event ids (COLLECTOR:EPOCH:SEQ) and sources, so ':' and '/' must not
// occur in it, and a leading '_' is the store's own (R24).
bool allowed_check_name(const char *name, struct error *err)
{
    if (name == NULL || *name == '\0' || strlen(name) > NAME_MAX_BYTES)
        return fail(err, REACT_STOP, "name must have 1 to %d bytes", NAME_MAX_BYTES);
    for (const char *c = name; *c; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || *c == '-' || *c == '.' || (*c == '_' && c != name);
        if (!plain)
            return fail(err, REACT_STOP,
                        "name '%.64s' has a character other than letters, digits, '-', '.', '_' "
                        "('_' not first: such names are the store's own)",
                        name);
    }
    return true;
}

static bool add_key(const struct yaml_node *node, struct allowed *item, struct error *err)
{
    uint8_t key[CURVE_KEY_BYTES];
    if (node->kind != YAML_SCALAR)
        return fail(err, REACT_STOP, "a key must be 64 hex digits");
    if (!curve_public_from_hex(node->scalar, key, err))
        return false;
    if (allowed_has_key(item, key))
        return fail(err, REACT_STOP, "the same key stands there twice");
    memcpy(item->keys[item->key_count++], key, CURVE_KEY_BYTES);
    return true;
}

// One key, or a list of the old one and the next.
static bool read_keys(const struct yaml_node *map, struct allowed *item, struct error *err)
{
    const struct yaml_node *node = yaml_get(map, "key");
    if (node->kind != YAML_LIST)
        return add_key(node, item, err);
    if (node->count == 0 || node->count > ALLOWED_KEYS)
        return fail(err, REACT_STOP, "key must be one key, or a list of the old and the next one");
    for (size_t i = 0; i < node->count; i++) {
        if (!add_key(&node->items[i], item, err))
            return false;
    }
    return true;
}

// What was read so far belongs to the item, whose list is freed as a whole when something is wrong.
static bool read_item(const struct yaml_node *node, struct allowed *item, struct error *err)
{
    static const char *const known[] = {"name",       "key",          "cluster",
                                        "namespaces", "repositories", NULL};
    if (!yaml_check_keys(node, "collectors", known, err))
        return false;
    const char *name = yaml_text(node, "name");
    const char *cluster = yaml_text(node, "cluster");
    if (!allowed_check_name(name, err))
        return fail_in(err, "collectors (line %zu)", node->line);
    if (yaml_get(node, "key") == NULL || cluster == NULL || *cluster == '\0')
        return fail(err, REACT_STOP, "collector '%s' (line %zu) lacks its key or its cluster", name,
                    node->line);
    if (!read_keys(node, item, err))
        return fail_in(err, "collector '%s' (line %zu)", name, node->line);
    item->name = xstrdup(name);
    item->cluster = xstrdup(cluster);
    return read_namespaces(node, item, err) && read_repositories(node, item, err);
}

static bool share_key(const struct allowed *left, const struct allowed *right)
{
    for (size_t i = 0; i < left->key_count; i++) {
        if (allowed_has_key(right, left->keys[i]))
            return true;
    }
    return false;
}

// One key under two names would let the order of the list decide who it is. Called as each one is
// added, so comparing with the last is enough.
static bool check_unique(const struct allow_list *list, struct error *err)
{
    const struct allowed *last = &list->items[list->count - 1];
    for (size_t i = 0; i + 1 < list->count; i++) {
        if (strcmp(list->items[i].name, last->name) == 0)
            return fail(err, REACT_STOP, "collector '%s' is listed twice", last->name);
        if (share_key(&list->items[i], last))
            return fail(err, REACT_STOP, "collectors '%s' and '%s' have the same key",
                        list->items[i].name, last->name);
    }
    return true;
}

// The count goes ahead of the item, so that a half read one is freed too.
static bool add_item(struct allow_list *list, const struct yaml_node *node, struct error *err)
{
    list->items = xrealloc(list->items, (list->count + 1) * sizeof(*list->items));
    struct allowed *item = &list->items[list->count++];
    *item = (struct allowed){0};
    return read_item(node, item, err) && check_unique(list, err);
}

// What is left of "collectors:" when the last one was taken out by hand, which must take its voice.
static bool is_nothing(const struct yaml_node *node)
{
    return node->kind == YAML_SCALAR &&
           (node->scalar[0] == '\0' || strcmp(node->scalar, "~") == 0 ||
            strcmp(node->scalar, "null") == 0);
}

// An empty list is allowed: a store may run before its first collector has a key. One that is not
// there at all is not, for a file that was cut looks like that.
bool allow_list_read(const struct yaml_node *list, struct allow_list **out, struct error *err)
{
    if (list == NULL || (list->kind != YAML_LIST && !is_nothing(list)))
        return fail(err, REACT_STOP,
                    "the configuration lacks the list 'collectors'; hint: "
                    "collectors: [{name: ..., key: ..., cluster: ...}]");
    struct allow_list *read = xcalloc(1, sizeof(*read));
    for (size_t i = 0; i < list->count; i++) {
        if (!add_item(read, &list->items[i], err)) {
            allow_list_free(read);
            return false;
        }
    }
    *out = read;
    return true;
}

// The file's name says whose it is, so that a look at the folder tells who is allowed.
static bool add_file(struct allow_list *list, const char *path, const char *file, struct error *err)
{
    SCOPED(yaml_tree_free) struct yaml_node *root = NULL;
    if (!yaml_load_file(path, NAMED_FILE_REGULAR, &root, err))
        return false;
    if (!add_item(list, root, err))
        return fail_in(err, "%s", path);
    struct allowed *added = &list->items[list->count - 1];
    added->enrolled = true;
    SCOPED(xfree_char) char *expected = xasprintf("%s.yaml", added->name);
    if (strcmp(file, expected) != 0)
        return fail(err, REACT_STOP, "%s holds collector '%s'; hint: name it %s", path, added->name,
                    expected);
    return true;
}

static int only_yaml(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 5 && strcmp(entry->d_name + length - 5, ".yaml") == 0;
}

// In the order of the names: the log of allow-lists shall not differ when nothing did.
bool allow_list_add_folder(struct allow_list *list, const char *folder, struct error *err)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, only_yaml, alphasort);
    if (count < 0)
        return fail(err, REACT_STOP, "cannot read collectors_folder %s: %s", folder,
                    strerror(errno));
    bool good = true;
    for (int i = 0; i < count; i++) {
        SCOPED(xfree_char) char *path = xasprintf("%s/%s", folder, entries[i]->d_name);
        good = good && add_file(list, path, entries[i]->d_name, err);
        free(entries[i]);
    }
    free(entries);
    return good;
}

bool allowed_has_key(const struct allowed *allowed, const uint8_t key[CURVE_KEY_BYTES])
{
    for (size_t i = 0; i < allowed->key_count; i++) {
        if (memcmp(allowed->keys[i], key, CURVE_KEY_BYTES) == 0)
            return true;
    }
    return false;
}

const struct allowed *allow_list_by_key(const struct allow_list *list,
                                        const uint8_t key[CURVE_KEY_BYTES])
{
    for (size_t i = 0; i < list->count; i++) {
        if (allowed_has_key(&list->items[i], key))
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

// No patterns but the one for all: a beginning that is meant to name a server would let whoever can
// make a repository there speak in everybody's name.
bool allowed_repository(const struct allowed *allowed, const char *repository)
{
    for (size_t i = 0; i < allowed->repository_count; i++) {
        if (strcmp(allowed->repositories[i], "*") == 0 ||
            text_equal(allowed->repositories[i], repository))
            return true;
    }
    return false;
}
