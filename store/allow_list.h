#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/curve_key.h"
#include "common/yaml.h"

// Who may send what: a CURVE key is one collector, which speaks for one cluster and, when they are
// named, only for these namespaces of it (docs/architecture.md, invariant 6). A commit is of no
// cluster and names people, so the repositories that a collector may tell of are named too.

// Two keys are what an exchange needs: the old one, and the next one that its collector does not
// use yet. A third would be one that nobody took back.
#define ALLOWED_KEYS 2

struct allowed {
    char *name;
    uint8_t keys[ALLOWED_KEYS][CURVE_KEY_BYTES];
    size_t key_count; // at least 1
    char *cluster;
    char **namespaces; // count 0: the whole cluster
    size_t namespace_count;
    char **repositories; // as commits name them, or "*"; count 0: none
    size_t repository_count;
    bool enrolled; // from a file of the folder, which enrol and revoke may change
};

struct allow_list {
    struct allowed *items;
    size_t count;
};

// Reads the `collectors` list of the store's configuration, which may be empty: then nobody may
// speak. The caller frees with allow_list_free.
bool allow_list_read(const struct yaml_node *list, struct allow_list **out,
                     struct error *err) WARN_UNUSED;
void allow_list_free(struct allow_list *list);

// Adds the collectors of a folder, one for each file NAME.yaml (enrolment.h); files of other names
// are passed over. On failure the list is to be freed as a whole.
bool allow_list_add_folder(struct allow_list *list, const char *folder,
                           struct error *err) WARN_UNUSED;

// Refuses a collector's name that event ids could not carry, or that is the store's own.
bool allowed_check_name(const char *name, struct error *err) WARN_UNUSED;

// True when this is one of the collector's keys.
bool allowed_has_key(const struct allowed *allowed, const uint8_t key[CURVE_KEY_BYTES]);

// The collector of a key or of a name, borrowed; NULL when nobody has it.
const struct allowed *allow_list_by_key(const struct allow_list *list,
                                        const uint8_t key[CURVE_KEY_BYTES]);
const struct allowed *allow_list_by_name(const struct allow_list *list, const char *name);

// True when the collector may speak for the namespace; NULL or "" asks for the whole cluster.
// A collector of some namespaces may not speak for the whole: its list would miss the others.
bool allowed_namespace(const struct allowed *allowed, const char *cluster, const char *namespace);

// True when the collector may declare commits of the repository.
bool allowed_repository(const struct allowed *allowed, const char *repository);
