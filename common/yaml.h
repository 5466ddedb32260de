#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/memory.h"
#include "common/named_file.h"

// Configuration and kubeconfig files as a small tree (libyaml). One document, no aliases.

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_node {
    enum yaml_kind kind;
    size_t line;             // from 1, for messages
    char *key;               // when it is a member of a map
    char *scalar;            // YAML_SCALAR
    struct yaml_node *items; // YAML_LIST, YAML_MAP
    size_t count;
};

// Reads one document from a file of at most 1 MiB (named_file_read). The caller frees with
// yaml_tree_free.
bool yaml_load_file(const char *path, enum named_file takes, struct yaml_node **out,
                    struct error *err) WARN_UNUSED;

// The same from memory; `name` stands for the file in messages.
bool yaml_load(const char *name, const char *bytes, size_t length, struct yaml_node **out,
               struct error *err) WARN_UNUSED;

// Not "yaml_free": libyaml exports one of its own.
void yaml_tree_free(struct yaml_node *root);
DEFINE_CLEANUP(struct yaml_node, yaml_tree_free)

// Borrowed member of a map; NULL when map is NULL, no map, or has no such key.
const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);

// Borrowed scalar of a member; NULL when missing or no scalar.
const char *yaml_text(const struct yaml_node *map, const char *key);

// Refuses a map with keys that are not among `known` (ends with NULL), naming key, line and what is
// known.
bool yaml_check_keys(const struct yaml_node *map, const char *where, const char *const known[],
                     struct error *err) WARN_UNUSED;
