#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "common/memory.h"

// JSON text as a tree that keeps every value as it was written: cJSON would turn numbers into
// doubles, and two that differ behind the sixteenth digit into one (docs/rules.md 29).

enum json_node_kind { JSON_NODE_SCALAR, JSON_NODE_OBJECT, JSON_NODE_ARRAY };

struct json_node {
    enum json_node_kind kind;
    char *name;      // the key, its escapes resolved; NULL unless it is a member of an object
    char *text;      // of a string its value; of another scalar its JSON text; else NULL
    bool is_string;  // a string, not a number or literal of the same text
    size_t children; // of an object or array
    struct json_node *parent; // the container around it; NULL at the root
    struct json_node *first;  // child
    struct json_node *last;
    struct json_node *next; // in the container
};

// Reads one JSON value; the caller frees the root with json_tree_free. False with REJECT when the
// text is not acceptable JSON (common/json_scan.h).
bool json_tree_read(const char *bytes, size_t length, struct json_node **root,
                    struct error *err) WARN_UNUSED;
void json_tree_free(struct json_node *root);
DEFINE_CLEANUP(struct json_node, json_tree_free)

// The first member of that name, borrowed; NULL when it is missing or `object` is none.
const struct json_node *json_tree_member(const struct json_node *object, const char *name);

// The value of a member that is a string, a number or a boolean, borrowed; NULL otherwise.
const char *json_tree_text(const struct json_node *object, const char *name);
