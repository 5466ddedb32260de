// From YAML and overrides to checked values. Everything wrong is found here, before anything is
// opened.

#include "collector/config.h"

#include <stdlib.h>
#include <string.h>

#include "collector/audit_delivery.h"
#include "collector/git_config.h"
#include "common/curve_key.h"
#include "common/event.h"
#include "common/text.h"

#define SPOOL_LEAST_BYTES ((int64_t)8 * 1024 * 1024)

static const char *const known_keys[] = {
    "collector", "cluster",         "store",         "store_key",  "key_file", "spool",
    "sources",   "spool_max_bytes", "retain_events", "timeout_ms", "http",     NULL};

// A required scalar; a flag or variable wins over the file.
static bool read_text(const struct config *config, const char *key, const char *override,
                      const char **value, struct error *err)
{
    *value = override ? override : yaml_text(config->file, key);
    if (*value != NULL && **value != '\0')
        return true;
    return fail(err, REACT_STOP, "configuration lacks '%s'", key);
}

// An optional number; *value holds the default.
static bool read_number(const struct config *config, const char *key, const char *override,
                        int64_t least, int64_t most, int64_t *value, struct error *err)
{
    const char *text = override ? override : yaml_text(config->file, key);
    if (text == NULL && yaml_get(config->file, key) == NULL)
        return true; // the default stays
    if (text != NULL && text_to_int64(text, value) && *value >= least && *value <= most)
        return true;
    return fail(err, REACT_STOP, "'%s' is '%.64s'; hint: a whole number from %lld to %lld", key,
                text ? text : "no scalar", (long long)least, (long long)most);
}

// Names become parts of event ids and sources.
static bool check_name(const char *what, const char *name, struct error *err)
{
    bool plain = strlen(name) <= NAME_MAX_BYTES;
    for (const char *c = name; *c; c++)
        plain = plain && (strchr("-._", *c) != NULL || (*c >= '0' && *c <= '9') ||
                          (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z'));
    if (plain && *name != '_')
        return true;
    return fail(err, REACT_STOP,
                "%s '%.80s' is not usable; hint: at most %d letters, digits, '-', '.', '_', not "
                "beginning with '_'",
                what, name, NAME_MAX_BYTES);
}

static bool add_store(struct config *config, const char *address, size_t length, struct error *err)
{
    char *copy = xstrndup(address, length);
    config->stores = xrealloc(config->stores, (config->store_count + 1) * sizeof(*config->stores));
    config->stores[config->store_count++] = copy;
    if (text_starts_with(copy, "tcp://") || text_starts_with(copy, "ipc://"))
        return true;
    return fail(err, REACT_STOP, "store address '%.100s' is not usable; hint: tcp://HOST:7461",
                copy);
}

static bool add_store_key(struct config *config, const char *text, size_t length, struct error *err)
{
    SCOPED(xfree_char) char *hex = xstrndup(text, length);
    config->store_keys =
        xrealloc(config->store_keys, (config->store_key_count + 1) * sizeof(*config->store_keys));
    return curve_public_from_hex(hex, config->store_keys[config->store_key_count++], err);
}

typedef bool adder(struct config *config, const char *text, size_t length, struct error *err);

// Several in one scalar, as a variable has them.
static bool add_split(struct config *config, const char *list, adder *add, struct error *err)
{
    for (;;) {
        const char *comma = strchr(list, ',');
        if (!add(config, list, comma ? (size_t)(comma - list) : strlen(list), err))
            return false;
        if (comma == NULL)
            return true;
        list = comma + 1;
    }
}

// One or several: a flag's or variable's, else the file's scalar or list.
static bool read_several(struct config *config, const char *key, const char *override, adder *add,
                         struct error *err)
{
    const struct yaml_node *node = yaml_get(config->file, key);
    if (override != NULL)
        return add_split(config, override, add, err);
    if (node == NULL || node->kind == YAML_MAP || (node->kind == YAML_LIST && node->count == 0) ||
        (node->kind == YAML_SCALAR && *node->scalar == '\0'))
        return fail(err, REACT_STOP, "configuration lacks '%s'", key);
    if (node->kind == YAML_SCALAR)
        return add_split(config, node->scalar, add, err);
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_node *item = &node->items[i];
        if (item->kind != YAML_SCALAR)
            return fail(err, REACT_STOP, "'%s' (line %zu) must be a list of texts", key,
                        item->line);
        if (!add(config, item->scalar, strlen(item->scalar), err))
            return false;
    }
    return true;
}

static bool read_namespaces(const struct yaml_node *map, struct source_config *source,
                            size_t *count, struct error *err)
{
    const struct yaml_node *list = yaml_get(map, "namespaces");
    *count = 0;
    if (list == NULL)
        return true;
    // An empty list must not mean the whole cluster: that would be more than was asked for.
    if (list->kind != YAML_LIST || list->count == 0)
        return fail(err, REACT_STOP,
                    "'namespaces' (line %zu) must be a list of names; hint: leave it out for the "
                    "whole cluster",
                    list->line);
    source->namespaces = xcalloc(list->count, sizeof(*source->namespaces));
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].kind != YAML_SCALAR || *list->items[i].scalar == '\0')
            return fail(err, REACT_STOP, "'namespaces' (line %zu) must be a list of names",
                        list->items[i].line);
        source->namespaces[i] = list->items[i].scalar;
    }
    *count = list->count;
    return true;
}

static bool read_flag(const struct yaml_node *map, const char *key, bool *value, struct error *err)
{
    const struct yaml_node *node = yaml_get(map, key);
    if (node == NULL)
        return true;
    const char *text = node->kind == YAML_SCALAR ? node->scalar : "";
    *value = strcmp(text, "true") == 0;
    if (*value || strcmp(text, "false") == 0)
        return true;
    return fail(err, REACT_STOP, "'%s' (line %zu) must be true or false", key, node->line);
}

// Times and sizes that are right as they are, but too long or large for a test of what they do.
static bool read_timing(const struct yaml_node *map, struct kubernetes_options *options,
                        struct error *err)
{
    static const char *const known[] = {
        "relist_ms", "watched_ms", "look_again_ms", "watch_s", "grace_ms", "page_size", NULL};
    int64_t values[sizeof(known) / sizeof(*known) - 1] = {0};
    const struct yaml_node *timing = yaml_get(map, "timing");
    if (timing == NULL)
        return true;
    if (timing->kind != YAML_MAP)
        return fail(err, REACT_STOP, "'timing' (line %zu) must be a map", timing->line);
    if (!yaml_check_keys(timing, "timing", known, err))
        return false;
    for (size_t i = 0; known[i] != NULL; i++) {
        const char *text = yaml_text(timing, known[i]);
        if (text != NULL &&
            (!text_to_int64(text, &values[i]) || values[i] < 1 || values[i] > 86400000))
            return fail(err, REACT_STOP, "'%s' is '%.64s'; hint: a number from 1 to 86400000",
                        known[i], text);
    }
    if (values[0] != 0)
        options->relist_min_ms = options->relist_max_ms = values[0];
    options->watched_ms = values[1];
    options->look_again_ms = values[2];
    options->watch_min_s = options->watch_max_s = values[3];
    options->watch_grace_ms = values[4];
    options->page_size = values[5];
    return true;
}

static bool read_kubernetes(const struct yaml_node *map, const struct config *config, bool once,
                            struct source_config *source, struct error *err)
{
    static const char *const known[] = {"kubeconfig",     "context", "namespaces", "relist_minutes",
                                        "allow_insecure", "timing",  NULL};
    struct kubernetes_options *options = &source->kubernetes;
    (void)once;
    source->type = SOURCE_KUBERNETES;
    if (!yaml_check_keys(map, "kubernetes", known, err) ||
        !read_namespaces(map, source, &options->namespace_count, err) ||
        !read_flag(map, "allow_insecure", &options->allow_insecure, err))
        return false;
    options->kubeconfig = yaml_text(map, "kubeconfig");
    options->context = yaml_text(map, "context");
    options->namespaces = source->namespaces;
    options->cluster = config->cluster;
    const char *minutes = yaml_text(map, "relist_minutes");
    int64_t number;
    if (minutes == NULL)
        return read_timing(map, options, err);
    if (!text_to_int64(minutes, &number) || number < 1 || number > 24 * 60)
        return fail(err, REACT_STOP, "'relist_minutes' is '%.64s'; hint: a number from 1 to 1440",
                    minutes);
    options->relist_min_ms = number * 60000;
    options->relist_max_ms = 2 * number * 60000;
    return read_timing(map, options, err);
}

// How the log comes: a vendor's delivery is best effort, so that none can be called complete.
static bool read_delivery(const struct yaml_node *map, struct audit_options *options,
                          struct error *err)
{
    options->format = yaml_text(map, "format");
    options->vendor_cluster = yaml_text(map, "vendor_cluster");
    if (options->format == NULL)
        options->format = "kubernetes";
    if (audit_delivery_find(options->format) == NULL)
        return fail(err, REACT_STOP,
                    "'format' is '%.64s'; hint: kubernetes, eks, gke, aks or openshift",
                    options->format);
    if (strcmp(options->format, "kubernetes") == 0 && options->vendor_cluster != NULL)
        return fail(err, REACT_STOP, "'vendor_cluster' needs a vendor's 'format' (line %zu)",
                    map->line);
    if (strcmp(options->format, "kubernetes") != 0 && options->complete)
        return fail(err, REACT_STOP,
                    "'complete' with format %s (line %zu); hint: it delivers as well as it can, "
                    "and promises nothing",
                    options->format, map->line);
    return true;
}

static bool read_audit_log(const struct yaml_node *map, const struct config *config, bool once,
                           struct source_config *source, struct error *err)
{
    static const char *const known[] = {"path",   "namespaces",     "complete",
                                        "format", "vendor_cluster", NULL};
    struct audit_options *options = &source->audit_log;
    source->type = SOURCE_AUDIT_LOG;
    if (!yaml_check_keys(map, "audit_log", known, err) ||
        !read_namespaces(map, source, &options->namespace_count, err) ||
        !read_flag(map, "complete", &options->complete, err))
        return false;
    options->path = yaml_text(map, "path");
    options->namespaces = source->namespaces;
    options->cluster = config->cluster;
    options->once = once;
    if (options->path == NULL || *options->path == '\0')
        return fail(err, REACT_STOP, "audit_log (line %zu) lacks 'path'", map->line);
    if (strcmp(options->path, "-") == 0 && !once)
        return fail(err, REACT_STOP, "audit_log (line %zu) reads standard input; hint: --once",
                    map->line);
    options->spool = config->spool;
    return read_delivery(map, options, err);
}

static bool read_required(const struct yaml_node *map, const char *source, const char *key,
                          const char **value, struct error *err)
{
    *value = yaml_text(map, key);
    if (*value != NULL && **value != '\0')
        return true;
    return fail(err, REACT_STOP, "%s (line %zu) lacks '%s'", source, map->line, key);
}

// What both sources have that are called by an API server.
static bool read_webhook(const struct yaml_node *map, const char *name, const struct config *config,
                         bool once, struct source_config *source, struct error *err)
{
    struct webhook_options *webhook = &source->webhook;
    struct webhook_intake_options *intake = &source->intake;
    if (!read_namespaces(map, source, &intake->namespace_count, err) ||
        !read_required(map, name, "listen", &webhook->listen, err) ||
        !read_required(map, name, "tls_cert", &webhook->tls_cert, err) ||
        !read_required(map, name, "tls_key", &webhook->tls_key, err))
        return false;
    if (once)
        return fail(err, REACT_STOP, "%s (line %zu) has no end to read to; hint: without --once",
                    name, map->line);
    intake->listen = webhook->listen;
    intake->cluster = config->cluster;
    intake->namespaces = source->namespaces;
    return true;
}

static bool read_admission(const struct yaml_node *map, const struct config *config, bool once,
                           struct source_config *source, struct error *err)
{
    static const char *const known[] = {"listen", "tls_cert", "tls_key", "namespaces", NULL};
    source->type = SOURCE_ADMISSION;
    return yaml_check_keys(map, "admission", known, err) &&
           read_webhook(map, "admission", config, once, source, err);
}

static bool read_audit_webhook(const struct yaml_node *map, const struct config *config, bool once,
                               struct source_config *source, struct error *err)
{
    static const char *const known[] = {"listen",    "tls_cert",   "tls_key", "namespaces",
                                        "client_ca", "token_file", NULL};
    source->type = SOURCE_AUDIT_WEBHOOK;
    if (!yaml_check_keys(map, "audit_webhook", known, err) ||
        !read_webhook(map, "audit_webhook", config, once, source, err))
        return false;
    source->webhook.client_ca = yaml_text(map, "client_ca");
    source->intake.token_file = yaml_text(map, "token_file");
    source->intake.wants_certificate = source->webhook.client_ca != NULL;
    return true;
}

// Mirrors lie beside the spool.
static bool read_git(const struct yaml_node *map, const struct config *config, bool once,
                     struct source_config *source, struct error *err)
{
    source->type = SOURCE_GIT;
    source->git_mirror = xasprintf("%s.git-", config->spool);
    source->git.mirror = source->git_mirror;
    source->git.once = once;
    return git_config_read(map, &source->git, &source->git_folders, err);
}

typedef bool source_reader(const struct yaml_node *map, const struct config *config, bool once,
                           struct source_config *source, struct error *err);

// The kinds of sources. A new one takes a row here and one in collector.c.
static const struct {
    const char *name;
    source_reader *read;
} source_readers[] = {{"kubernetes", read_kubernetes},
                      {"audit_log", read_audit_log},
                      {"admission", read_admission},
                      {"audit_webhook", read_audit_webhook},
                      {"git", read_git}};

// One item of `sources`: a map with the source's name as its only key.
static bool read_source(const struct yaml_node *item, const struct config *config, bool once,
                        struct source_config *source, struct error *err)
{
    if (item->kind != YAML_MAP || item->count != 1)
        return fail(err, REACT_STOP,
                    "a source (line %zu) must be one name with its options; hint: - audit_log: "
                    "{path: /var/log/kubernetes/audit.log}",
                    item->line);
    const struct yaml_node *options = &item->items[0];
    for (size_t i = 0; i < sizeof(source_readers) / sizeof(*source_readers); i++) {
        if (strcmp(options->key, source_readers[i].name) != 0)
            continue;
        if (options->kind == YAML_MAP)
            return source_readers[i].read(options, config, once, source, err);
        // "kubernetes:" alone means all defaults, which YAML reads as an empty scalar.
        if (options->kind == YAML_SCALAR && *options->scalar == '\0')
            return source_readers[i].read(
                &(struct yaml_node){.kind = YAML_MAP, .line = options->line}, config, once, source,
                err);
        return fail(err, REACT_STOP, "source '%s' (line %zu) must be a map", options->key,
                    options->line);
    }
    return fail(
        err, REACT_STOP,
        "source '%.64s' (line %zu) is not known to this version; hint: known are kubernetes, "
        "audit_log, admission, audit_webhook, git",
        options->key, options->line);
}

static bool read_sources(struct config *config, bool once, struct error *err)
{
    const struct yaml_node *list = yaml_get(config->file, "sources");
    if (list == NULL || list->kind != YAML_LIST || list->count == 0)
        return fail(err, REACT_STOP, "configuration lacks a list 'sources'");
    config->sources = xcalloc(list->count, sizeof(*config->sources));
    for (size_t i = 0; i < list->count; i++) {
        config->source_count = i + 1;
        if (!read_source(&list->items[i], config, once, &config->sources[i], err))
            return false;
    }
    return true;
}

static bool read_numbers(struct config *config, const struct config_overrides *overrides,
                         struct error *err)
{
    int64_t timeout = 10000;
    config->spool_max_bytes = (int64_t)1 << 30;
    config->retain_events = 10000;
    if (!read_number(config, "spool_max_bytes", overrides->spool_max_bytes, SPOOL_LEAST_BYTES,
                     INT64_MAX / 4, &config->spool_max_bytes, err) ||
        !read_number(config, "retain_events", overrides->retain_events, 0, 100000000,
                     &config->retain_events, err) ||
        !read_number(config, "timeout_ms", overrides->timeout_ms, 100, 600000, &timeout, err))
        return false;
    config->timeout_ms = (int)timeout;
    return true;
}

static bool read_all(struct config *config, const struct config_overrides *overrides, bool once,
                     struct error *err)
{
    if (!yaml_check_keys(config->file, "configuration", known_keys, err))
        return false;
    if (yaml_get(config->file, "http") != NULL)
        return fail(err, REACT_STOP, "'http' is not served by this version; hint: leave it out");
    return read_text(config, "collector", overrides->collector, &config->collector, err) &&
           check_name("collector", config->collector, err) &&
           read_text(config, "cluster", overrides->cluster, &config->cluster, err) &&
           check_name("cluster", config->cluster, err) &&
           read_several(config, "store", overrides->store, add_store, err) &&
           read_several(config, "store_key", overrides->store_key, add_store_key, err) &&
           read_text(config, "key_file", overrides->key_file, &config->key_file, err) &&
           read_text(config, "spool", overrides->spool, &config->spool, err) &&
           read_numbers(config, overrides, err) && read_sources(config, once, err);
}

// Once and before signals are taken, so a pipe will do: it may come out of a template.
bool config_load(const char *path, const struct config_overrides *overrides, bool once,
                 struct config **out, struct error *err)
{
    SCOPED(config_free) struct config *config = xcalloc(1, sizeof(*config));
    if (!yaml_load_file(path, NAMED_FILE_OR_PIPE, &config->file, err))
        return false;
    if (!read_all(config, overrides, once, err))
        return fail_in(err, "%s", path);
    *out = config;
    config = NULL;
    return true;
}

static void source_config_reset(struct source_config *source)
{
    free(source->namespaces);
    free(source->git_folders);
    free(source->git_mirror);
}

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < config->store_count; i++)
        free(config->stores[i]);
    free(config->stores);
    free(config->store_keys);
    for (size_t i = 0; i < config->source_count; i++)
        source_config_reset(&config->sources[i]);
    free(config->sources);
    yaml_tree_free(config->file);
    free(config);
}
