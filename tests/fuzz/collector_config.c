// The collector's configuration file: what is taken must be what the program may rely on.

#include <string.h>

#include "collector/config.h"
#include "common/event.h"
#include "tests/fuzz/file.h"

static void check_source(const struct source_config *source)
{
    MUST(source->type == SOURCE_KUBERNETES || source->type == SOURCE_AUDIT_LOG);
    if (source->type == SOURCE_AUDIT_LOG)
        MUST(source->audit_log.path != NULL && source->audit_log.path[0] != '\0');
    size_t count = source->type == SOURCE_AUDIT_LOG ? source->audit_log.namespace_count
                                                    : source->kubernetes.namespace_count;
    for (size_t i = 0; i < count; i++)
        MUST(source->namespaces[i][0] != '\0');
    MUST(source->kubernetes.relist_min_ms >= 0);
    MUST(source->kubernetes.relist_min_ms <= source->kubernetes.relist_max_ms);
}

static void check(const struct config *config)
{
    MUST(strlen(config->collector) <= NAME_MAX_BYTES && config->collector[0] != '\0');
    MUST(config->collector[0] != '_' && strpbrk(config->collector, ":/\n \"\\") == NULL);
    MUST(config->cluster[0] != '\0' && strpbrk(config->cluster, ":/\n \"\\") == NULL);
    MUST(config->key_file[0] != '\0' && config->spool[0] != '\0');
    MUST(config->spool_max_bytes > 0 && config->retain_events >= 0 && config->timeout_ms >= 100);
    MUST(config->store_count > 0 && config->source_count > 0);
    for (size_t i = 0; i < config->store_count; i++)
        MUST(strstr(config->stores[i], "://") != NULL);
    for (size_t i = 0; i < config->source_count; i++)
        check_source(&config->sources[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static const struct config_overrides none;
    SCOPED(config_free) struct config *config = NULL;
    struct error err = {0};
    if (config_load(fuzz_file(bytes, length), &none, length % 2 == 0, &config, &err))
        check(config);
    else
        MUST(config == NULL && err.react == REACT_STOP && err.text[0] != '\0');
    return 0;
}
