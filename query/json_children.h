#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "query/json_tree.h"

// The children of an object or a list, by what they are found by in another one.

struct json_child {
    const struct json_node *node; // borrowed
    const char *label;            // key of a member, name of an item; NULL: found by its place
    size_t index;                 // its place
};

struct json_children {
    struct json_child *items;
    size_t count;
};

// The children of a container in their order, none of NULL. `by_name`: items of a list are found by
// their `name`. The caller frees with json_children_reset.
struct json_children json_children_of(const struct json_node *node, bool by_name);
void json_children_reset(struct json_children *children);

// Sorts by label, those of one label by place.
void json_children_sort(struct json_children *children);

// True when every item of the list has a `name` that no other has; also of an empty list and NULL.
bool json_children_have_names(const struct json_node *list);

// The children whose labels `other` has too, by place; both must be sorted and have labels.
struct json_children json_children_common(const struct json_children *children,
                                          const struct json_children *other);
