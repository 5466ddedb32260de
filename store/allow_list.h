#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/curve_key.h"
#include "common/yaml.h"

// Who may send what: a CURVE key is one collector, which speaks for one cluster and, when they are
// named, only for these namespaces of it (docs/architecture.md, invariant 6).

struct allowed {
    char *name;
    uint8_t key[CURVE_KEY_BYTES];
    char *cluster;
    char **namespaces; // count 0: the whole cluster
    size_t namespace_count;
};

struct allow_list {
    struct allowed *items;
    size_t count;
};

// Reads the `collectors` list of the store's configuration. The caller frees with allow_list_free.
bool allow_list_read(const struct yaml_node *list, struct allow_list **out,
                     struct error *err) WARN_UNUSED;
void allow_list_free(struct allow_list *list);

// The collector of a key or of a name, borrowed; NULL when nobody has it.
const struct allowed *allow_list_by_key(const struct allow_list *list,
                                        const uint8_t key[CURVE_KEY_BYTES]);
const struct allowed *allow_list_by_name(const struct allow_list *list, const char *name);

// True when the collector may speak for the namespace; NULL or "" asks for the whole cluster.
// A collector of some namespaces may not speak for the whole: its list would miss the others.
bool allowed_namespace(const struct allowed *allowed, const char *cluster, const char *namespace);
