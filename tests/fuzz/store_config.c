// The store's two YAML files, the configuration and the central file: each input is read as both.
// A central file that is taken must be one whose event the store takes too.

#include <string.h>

#include "common/event.h"
#include "common/json.h"
#include "store/central_file.h"
#include "store/config.h"
#include "store/facts.h"
#include "tests/fuzz/file.h"

static void check_allowed(const struct allow_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct allowed *one = &list->items[i];
        MUST(strlen(one->name) <= NAME_MAX_BYTES && one->name[0] != '\0' && one->name[0] != '_');
        MUST(one->cluster != NULL && one->cluster[0] != '\0');
        MUST(one->key_count >= 1 && one->key_count <= ALLOWED_KEYS);
        for (size_t k = 0; k < one->key_count; k++)
            MUST(allow_list_by_key(list, one->keys[k]) == one);
        MUST(allow_list_by_name(list, one->name) == one);
        MUST(allowed_namespace(one, one->cluster, NULL) == (one->namespace_count == 0));
        MUST(!allowed_repository(one, "*") || one->repository_count > 0);
        for (size_t k = 0; k < one->repository_count; k++)
            MUST(one->repositories[k][0] != '\0' && allowed_repository(one, one->repositories[k]));
    }
}

static void read_config(const char *path)
{
    SCOPED(store_config_free) struct store_config *config = NULL;
    struct error err = {0};
    if (store_config_read(path, &config, &err))
        check_allowed(config->allow_list);
    else
        MUST(config == NULL && err.react == REACT_STOP && err.text[0] != '\0');
}

// As apply.c sends it.
static void apply(const cJSON *central)
{
    SCOPED(xfree_char) char *data = json_print(central);
    const struct event_head head = {.collector = "_store",
                                    .epoch = 3,
                                    .seq = 7,
                                    .type = TYPE_CENTRAL_APPLIED,
                                    .cluster = "_store",
                                    .time = 0};
    SCOPED_BUFFER line = {0};
    event_write(&line, &head, data, strlen(data));
    struct batch_event event = {.collector = "_store",
                                .epoch = 3,
                                .seq = 7,
                                .line = line.data,
                                .length = line.length,
                                .log_index = 1};
    struct facts facts = {0};
    batch_event_read(&event);
    facts_add(&facts, &event);
    if (event.quarantined[0] != '\0') {
        fprintf(stderr, "%s\n%s\n", event.quarantined, line.data);
        abort();
    }
    batch_event_reset(&event);
    facts_reset(&facts);
}

static void read_central(const char *path)
{
    SCOPED(cJSON_Delete) cJSON *central = NULL;
    struct person_rules rules = {0};
    struct error err = {0};
    if (central_file_read(path, &central, &rules, &err)) {
        json_add_text(central, "applied_by", "alice");
        apply(central);
    } else {
        MUST(central == NULL && err.react == REACT_STOP && err.text[0] != '\0');
    }
    person_rules_reset(&rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const char *path = fuzz_file(bytes, length);
    read_config(path);
    read_central(path);
    return 0;
}
