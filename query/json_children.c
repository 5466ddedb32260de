// What the items of a list are found by decides whether a new first one makes all others differ.

#include "query/json_children.h"

#include <stdlib.h>
#include <string.h>

// A string `name`, which Kubernetes gives to containers, variables, ports, volumes, predictors.
static const char *item_name(const struct json_node *item)
{
    const struct json_node *name = json_tree_member(item, "name");
    return name != NULL && name->is_string && name->text[0] != '\0' ? name->text : NULL;
}

static int compare_places(const void *left, const void *right)
{
    const struct json_child *a = left;
    const struct json_child *b = right;
    return (a->index > b->index) - (a->index < b->index);
}

static int compare_labels(const void *left, const void *right)
{
    const struct json_child *a = left;
    const struct json_child *b = right;
    int order = a->label != NULL && b->label != NULL ? strcmp(a->label, b->label) : 0;
    return order != 0 ? order : compare_places(left, right);
}

struct json_children json_children_of(const struct json_node *node, bool by_name)
{
    struct json_children children = {0};
    if (node == NULL || node->children == 0)
        return children;
    children.items = xcalloc(node->children, sizeof(*children.items));
    for (const struct json_node *child = node->first; child != NULL; child = child->next) {
        const char *label = by_name ? item_name(child) : child->name;
        children.items[children.count] = (struct json_child){child, label, children.count};
        children.count++;
    }
    return children;
}

void json_children_reset(struct json_children *children)
{
    free(children->items);
    *children = (struct json_children){0};
}

void json_children_sort(struct json_children *children)
{
    if (children->count > 1)
        qsort(children->items, children->count, sizeof(*children->items), compare_labels);
}

bool json_children_have_names(const struct json_node *list)
{
    struct json_children items = json_children_of(list, true);
    bool named = true;
    for (size_t i = 0; named && i < items.count; i++)
        named = items.items[i].label != NULL;
    if (named)
        json_children_sort(&items);
    for (size_t i = 1; named && i < items.count; i++)
        named = strcmp(items.items[i - 1].label, items.items[i].label) != 0;
    json_children_reset(&items);
    return named;
}

struct json_children json_children_common(const struct json_children *children,
                                          const struct json_children *other)
{
    struct json_children common = {.items = xcalloc(children->count + 1, sizeof(*common.items))};
    for (size_t i = 0, j = 0; i < children->count && j < other->count;) {
        int order = strcmp(children->items[i].label, other->items[j].label);
        if (order == 0)
            common.items[common.count++] = children->items[i];
        i += order <= 0;
        j += order >= 0;
    }
    qsort(common.items, common.count, sizeof(*common.items), compare_places);
    return common;
}
