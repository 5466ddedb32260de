#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/audit_source.h"
#include "collector/git_options.h"
#include "collector/kubernetes_source.h"
#include "collector/webhook_intake.h"
#include "common/curve_key.h"
#include "common/error.h"
#include "common/memory.h"
#include "common/yaml.h"

// The collector's configuration (modeltrail-collector(1)): a YAML file, its scalars also by flag or
// MODELTRAIL_* variable.

enum source_type {
    SOURCE_KUBERNETES,
    SOURCE_AUDIT_LOG,
    SOURCE_ADMISSION,
    SOURCE_AUDIT_WEBHOOK,
    SOURCE_GIT
};

struct source_config {
    enum source_type type;
    struct kubernetes_options kubernetes;
    struct audit_options audit_log;
    struct webhook_options webhook; // of admission and audit_webhook
    struct webhook_intake_options intake;
    struct git_options git;
    struct git_folder *git_folders; // behind its folders
    char *git_mirror;
    const char **namespaces; // behind whichever one's namespaces
};

struct config {
    const char *collector;
    const char *cluster;
    char **stores;
    size_t store_count;
    uint8_t (*store_keys)[CURVE_KEY_BYTES]; // any of them may be a store's
    size_t store_key_count;
    const char *key_file;
    const char *spool;
    int64_t spool_max_bytes;
    int64_t retain_events; // acknowledged events that are kept for a store that goes back
    int timeout_ms;        // for the store's answer to a greeting
    struct source_config *sources;
    size_t source_count;
    struct yaml_node *file; // most strings above are borrowed from it
};

// What flags and variables give; NULL where the file decides.
struct config_overrides {
    const char *collector;
    const char *cluster;
    const char *store;     // addresses separated by commas
    const char *store_key; // several separated by commas
    const char *key_file;
    const char *spool;
    const char *spool_max_bytes;
    const char *retain_events;
    const char *timeout_ms;
};

// Reads and checks the file. `once` is passed to the sources. The overrides' strings must outlive
// the configuration; the caller frees it with config_free.
bool config_load(const char *path, const struct config_overrides *overrides, bool once,
                 struct config **out, struct error *err) WARN_UNUSED;
void config_free(struct config *config);
DEFINE_CLEANUP(struct config, config_free)
