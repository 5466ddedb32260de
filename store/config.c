// Reads the store's YAML file.
// Checks the keys here and the values where they are used: an endpoint by ZeroMQ, a key file by
// curve_key.c, a conninfo by libpq.

#include "store/config.h"

#include <stdlib.h>

#include "common/log.h"
#include "common/yaml.h"

void store_config_free(struct store_config *config)
{
    if (config == NULL)
        return;
    free(config->listen);
    free(config->key_file);
    free(config->database);
    allow_list_free(config->allow_list);
    free(config);
}

static char *copy_or(const char *text, const char *otherwise)
{
    return xstrdup(text ? text : otherwise);
}

// Listens on the loopback unless told otherwise. A missing key file is told when it is opened:
// commands that need none read the same configuration.
static bool fill(const struct yaml_node *root, struct store_config *config, struct error *err)
{
    static const char *const known[] = {"listen", "key_file", "database", "collectors", NULL};
    if (!yaml_check_keys(root, "store configuration", known, err))
        return false;
    config->listen = copy_or(yaml_text(root, "listen"), "tcp://127.0.0.1:7461");
    config->key_file = copy_or(yaml_text(root, "key_file"), "");
    config->database = copy_or(yaml_text(root, "database"), "");
    return allow_list_read(yaml_get(root, "collectors"), &config->allow_list, err);
}

bool store_config_read(const char *path, struct store_config **out, struct error *err)
{
    SCOPED(yaml_tree_free) struct yaml_node *root = NULL;
    if (!yaml_load_file(path, &root, err))
        return false;
    struct store_config *config = xcalloc(1, sizeof(*config));
    if (!fill(root, config, err)) {
        store_config_free(config);
        return fail_in(err, "%s", path);
    }
    *out = config;
    return true;
}
