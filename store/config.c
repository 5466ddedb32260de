// Reads the store's YAML file.
// Checks the keys here and the values where they are used: an endpoint by ZeroMQ, a key file by
// curve_key.c, a conninfo by libpq.

#include "store/config.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/text.h"
#include "common/yaml.h"
#include "store/window.h"

#define MEMORY_MAX_BYTES ((int64_t)512 * 1024 * 1024) // unless the collectors need more

void store_config_free(struct store_config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < config->listen_count; i++) {
        free(config->listen[i].endpoint);
        free(config->listen[i].key_file);
    }
    free(config->listen);
    free(config->database);
    free(config->collectors_folder);
    allow_list_free(config->allow_list);
    free(config);
}

static char *copy_or(const char *text, const char *otherwise)
{
    return xstrdup(text ? text : otherwise);
}

static bool add_listen(struct store_config *config, const char *endpoint, const char *key_file,
                       struct error *err)
{
    for (size_t i = 0; i < config->listen_count; i++) {
        if (strcmp(config->listen[i].endpoint, endpoint) == 0)
            return fail(err, REACT_STOP, "listen names %s twice", endpoint);
    }
    config->listen = xrealloc(config->listen, (config->listen_count + 1) * sizeof(*config->listen));
    config->listen[config->listen_count++] =
        (struct listen_config){xstrdup(endpoint), copy_or(key_file, "")};
    return true;
}

// One of the list: an endpoint with a key of its own, or with that of `key_file`.
static bool read_listen_item(const struct yaml_node *item, const char *key_file,
                             struct store_config *config, struct error *err)
{
    static const char *const known[] = {"endpoint", "key_file", NULL};
    if (item->kind == YAML_SCALAR)
        return add_listen(config, item->scalar, key_file, err);
    if (!yaml_check_keys(item, "listen", known, err))
        return false;
    const char *endpoint = yaml_text(item, "endpoint");
    const char *own = yaml_text(item, "key_file");
    if (endpoint == NULL)
        return fail(err, REACT_STOP, "listen (line %zu) lacks its endpoint", item->line);
    return add_listen(config, endpoint, own ? own : key_file, err);
}

// On the loopback unless told otherwise.
static bool read_listen(const struct yaml_node *root, struct store_config *config,
                        struct error *err)
{
    const struct yaml_node *listen = yaml_get(root, "listen");
    const char *key_file = yaml_text(root, "key_file");
    if (listen == NULL)
        return add_listen(config, "tcp://127.0.0.1:7461", key_file, err);
    if (listen->kind != YAML_LIST)
        return read_listen_item(listen, key_file, config, err);
    if (listen->count == 0)
        return fail(err, REACT_STOP, "listen (line %zu) must name an endpoint", listen->line);
    for (size_t i = 0; i < listen->count; i++) {
        if (!read_listen_item(&listen->items[i], key_file, config, err))
            return false;
    }
    return true;
}

// The list may be left out when there is a folder.
static bool read_collectors(const struct yaml_node *root, struct store_config *config,
                            struct error *err)
{
    static const struct yaml_node none = {.kind = YAML_LIST};
    const struct yaml_node *list = yaml_get(root, "collectors");
    const char *folder = yaml_text(root, "collectors_folder");
    if (folder == NULL)
        return allow_list_read(list, &config->allow_list, err);
    config->collectors_folder = xstrdup(folder);
    return allow_list_read(list ? list : &none, &config->allow_list, err) &&
           allow_list_add_folder(config->allow_list, folder, err);
}

// A bound that could not be kept is refused; the default grows with the list.
static bool read_memory(const struct yaml_node *root, struct store_config *config,
                        struct error *err)
{
    const char *text = yaml_text(root, "memory_max_bytes");
    size_t collectors = config->allow_list->count;
    int64_t least = window_least_memory(collectors);
    config->memory_max_bytes = least > MEMORY_MAX_BYTES ? least : MEMORY_MAX_BYTES;
    if (text == NULL && yaml_get(root, "memory_max_bytes") == NULL)
        return true;
    if (text != NULL && text_to_int64(text, &config->memory_max_bytes) &&
        config->memory_max_bytes >= least)
        return true;
    return fail(err, REACT_STOP,
                "'memory_max_bytes' is '%.64s'; hint: a number of bytes, at least %lld for %zu "
                "collectors",
                text ? text : "no scalar", (long long)least, collectors);
}

// A missing key file is told when it is opened: commands that need none read the same
// configuration.
static bool fill(const struct yaml_node *root, struct store_config *config, struct error *err)
{
    static const char *const known[] = {"listen",     "key_file",          "database",
                                        "collectors", "collectors_folder", "memory_max_bytes",
                                        NULL};
    if (!yaml_check_keys(root, "store configuration", known, err))
        return false;
    config->database = copy_or(yaml_text(root, "database"), "");
    return read_listen(root, config, err) && read_collectors(root, config, err) &&
           read_memory(root, config, err);
}

// No pipe: it is read again on SIGHUP, and an allow-list that can be read once is one from which no
// key can be taken back.
bool store_config_read(const char *path, struct store_config **out, struct error *err)
{
    SCOPED(yaml_tree_free) struct yaml_node *root = NULL;
    if (!yaml_load_file(path, NAMED_FILE_REGULAR, &root, err))
        return false;
    struct store_config *config = xcalloc(1, sizeof(*config));
    if (!fill(root, config, err)) {
        store_config_free(config);
        return fail_in(err, "%s", path);
    }
    *out = config;
    return true;
}
