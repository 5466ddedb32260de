// Both objects are walked together, from the root down, as pairs of nodes that stand for the same
// place. An object may be hostile: nothing recurses, and nothing is looked for one by one.

#include "query/object_diff.h"

#include <stdlib.h>
#include <string.h>

#include "query/json_children.h"
#include "query/json_tree.h"

// More than an object may have (an event is at most 1 MiB); only long names above many values make
// more of it.
#define ITEMS_MAX_BYTES ((size_t)8 << 20)
#define PATH_ROOT SIZE_MAX

// What a controller or the API server writes beside every change.
static const struct {
    const char *parent;
    const char *name;
    const char *path;
} noise[OBJECT_DIFF_LEFT_OUT] = {
    {"metadata", "generation", "metadata.generation"},
    {"metadata", "managedFields", "metadata.managedFields"},
    {"metadata", "resourceVersion", "metadata.resourceVersion"},
    {"", "status", "status"},
};

// One place in both objects; a side that lacks it is NULL. Pairs stay until the end, because the
// path of one is told by those above it.
struct pair {
    const struct json_node *from;
    const struct json_node *to;
    size_t parent;
    const char *item; // the name of an item that is found by it; NULL otherwise
    size_t index;     // in a list whose items are found by their place
    size_t noise;     // what it is part of; OBJECT_DIFF_LEFT_OUT: nothing that is left out
};

struct walk {
    struct object_diff *diff;
    struct pair *pairs;
    size_t count;
    size_t capacity;
    size_t *todo; // a stack of pairs
    size_t todo_count;
    size_t todo_capacity;
    bool noted[OBJECT_DIFF_LEFT_OUT];
};

static const struct json_node *either(const struct pair *pair)
{
    return pair->to != NULL ? pair->to : pair->from;
}

// Names that need no quotes: what Kubernetes calls its fields and most of its objects.
static bool is_plain(const char *name)
{
    return *name != '\0' && name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                              "0123456789_-")] == '\0';
}

static void append_name(struct buffer *path, const char *name)
{
    if (is_plain(name))
        buffer_append_text(path, name);
    else
        buffer_append_json_string(path, name, strlen(name));
}

// `.storageUri`, `["modeltrail.io/ticket"]`, `[name=main]`, `[0]`.
static void append_step(struct buffer *path, const struct pair *pair)
{
    const char *name = either(pair)->name;
    if (pair->item != NULL) {
        buffer_append_text(path, "[name=");
        append_name(path, pair->item);
        buffer_append_char(path, ']');
    } else if (name == NULL) {
        buffer_printf(path, "[%zu]", pair->index);
    } else if (is_plain(name)) {
        buffer_append_text(path, path->length > 0 ? "." : "");
        buffer_append_text(path, name);
    } else {
        buffer_append_char(path, '[');
        append_name(path, name);
        buffer_append_char(path, ']');
    }
}

// The steps from the root to the pair, gathered upwards.
static void append_path(const struct walk *walk, size_t at, struct buffer *path)
{
    size_t depth = 0;
    for (size_t i = at; walk->pairs[i].parent != PATH_ROOT; i = walk->pairs[i].parent)
        depth++;
    size_t *steps = xcalloc(depth + 1, sizeof(*steps));
    for (size_t i = at, left = depth; left > 0; i = walk->pairs[i].parent)
        steps[--left] = i;
    buffer_append_text(path, "");
    for (size_t i = 0; i < depth; i++)
        append_step(path, &walk->pairs[steps[i]]);
    free(steps);
}

static void append_value(struct buffer *out, const struct json_node *node)
{
    if (node->kind != JSON_NODE_SCALAR)
        buffer_append_text(out, node->kind == JSON_NODE_OBJECT ? "{}" : "[]");
    else if (node->is_string)
        buffer_append_json_string(out, node->text, strlen(node->text));
    else
        buffer_append_text(out, node->text);
}

// Starts an item of the answer at the pair's place. False when there is nothing to write: the place
// is left out, or the answer is full.
static bool start_item(struct walk *walk, size_t at, const char *behind)
{
    const struct pair *pair = &walk->pairs[at];
    if (pair->noise < OBJECT_DIFF_LEFT_OUT) {
        walk->noted[pair->noise] = true;
        return false;
    }
    struct object_diff *diff = walk->diff;
    if (diff->items.length > ITEMS_MAX_BYTES)
        diff->is_cut = true;
    if (diff->is_cut)
        return false;
    SCOPED_BUFFER path = {0};
    append_path(walk, at, &path);
    buffer_append_text(&path, behind);
    buffer_append_text(&diff->items, diff->count++ > 0 ? ", {\"path\": " : "{\"path\": ");
    buffer_append_json_string(&diff->items, path.data, path.length);
    return true;
}

// One value that differs; containers that come here are empty.
static void note_value(struct walk *walk, size_t at)
{
    if (!start_item(walk, at, ""))
        return;
    struct pair pair = walk->pairs[at];
    struct buffer *items = &walk->diff->items;
    if (pair.from != NULL) {
        buffer_append_text(items, ", \"from\": ");
        append_value(items, pair.from);
    }
    if (pair.to != NULL) {
        buffer_append_text(items, ", \"to\": ");
        append_value(items, pair.to);
    }
    buffer_append_char(items, '}');
}

// Which place that is left out the child of a pair stands for, or is a part of.
static size_t noise_of(const struct walk *walk, size_t parent, const char *name)
{
    const struct pair *above = &walk->pairs[parent];
    bool is_root = above->parent == PATH_ROOT;
    bool is_near = is_root || walk->pairs[above->parent].parent == PATH_ROOT;
    const char *parent_name = is_root ? "" : either(above)->name;
    if (above->noise < OBJECT_DIFF_LEFT_OUT || !is_near || name == NULL || parent_name == NULL)
        return above->noise;
    size_t i = 0;
    while (i < OBJECT_DIFF_LEFT_OUT &&
           (strcmp(noise[i].parent, parent_name) != 0 || strcmp(noise[i].name, name) != 0))
        i++;
    return i;
}

// Adds the pair of two children to those that are to be looked at.
static void add_pair(struct walk *walk, size_t parent, const struct json_child *from,
                     const struct json_child *to, bool by_name, bool whole)
{
    const struct json_child *one = to != NULL ? to : from;
    struct pair pair = {
        .from = from != NULL ? from->node : NULL,
        .to = to != NULL ? to->node : NULL,
        .parent = parent,
        .item = by_name ? one->label : NULL,
        .index = one->index,
        .noise = whole ? OBJECT_DIFF_LEFT_OUT : noise_of(walk, parent, one->node->name),
    };
    walk->pairs = xgrow(walk->pairs, &walk->capacity, walk->count + 1, sizeof(*walk->pairs));
    walk->pairs[walk->count] = pair;
    walk->todo = xgrow(walk->todo, &walk->todo_capacity, walk->todo_count + 1, sizeof(*walk->todo));
    walk->todo[walk->todo_count++] = walk->count++;
}

// What lies deeper is looked at first, and the last that was added before the others.
static void reverse_todo(struct walk *walk, size_t begin)
{
    for (size_t i = begin, j = walk->todo_count; i + 1 < j; i++) {
        size_t other = walk->todo[--j];
        walk->todo[j] = walk->todo[i];
        walk->todo[i] = other;
    }
}

// Pairs what two sorted sides have in common, and leaves the rest alone.
static void add_children(struct walk *walk, size_t at, const struct json_children *from,
                         const struct json_children *to, bool by_name, bool whole)
{
    size_t begin = walk->todo_count;
    size_t i = 0;
    size_t j = 0;
    while (i < from->count || j < to->count) {
        const struct json_child *a = i < from->count ? &from->items[i] : NULL;
        const struct json_child *b = j < to->count ? &to->items[j] : NULL;
        int order = 0;
        if (a == NULL || b == NULL)
            order = a == NULL ? 1 : -1;
        else if (a->label != NULL && b->label != NULL)
            order = strcmp(a->label, b->label);
        add_pair(walk, at, order <= 0 ? a : NULL, order >= 0 ? b : NULL, by_name, whole);
        i += order <= 0;
        j += order >= 0;
    }
    reverse_todo(walk, begin);
}

// The common names of a list in the order of one side.
static void append_order(struct buffer *out, const struct json_children *in_order)
{
    buffer_append_char(out, '[');
    for (size_t i = 0; i < in_order->count; i++) {
        const char *name = in_order->items[i].label;
        buffer_append_text(out, i > 0 ? ", " : "");
        buffer_append_json_string(out, name, strlen(name));
    }
    buffer_append_char(out, ']');
}

// Items that are found by their names may have changed places, which is a difference too.
static void note_order(struct walk *walk, size_t at, const struct json_children *from,
                       const struct json_children *to)
{
    struct json_children before = json_children_common(from, to);
    struct json_children after = json_children_common(to, from);
    bool is_same = true;
    for (size_t i = 0; i < before.count; i++)
        is_same = is_same && strcmp(before.items[i].label, after.items[i].label) == 0;
    if (!is_same && start_item(walk, at, "[*].name")) {
        buffer_append_text(&walk->diff->items, ", \"from\": ");
        append_order(&walk->diff->items, &before);
        buffer_append_text(&walk->diff->items, ", \"to\": ");
        append_order(&walk->diff->items, &after);
        buffer_append_char(&walk->diff->items, '}');
    }
    json_children_reset(&before);
    json_children_reset(&after);
}

// Two containers of one kind, or one alone.
static void open_pair(struct walk *walk, size_t at, bool whole)
{
    struct pair pair = walk->pairs[at];
    bool is_list = either(&pair)->kind == JSON_NODE_ARRAY;
    bool by_name =
        is_list && json_children_have_names(pair.from) && json_children_have_names(pair.to);
    struct json_children from = json_children_of(pair.from, by_name);
    struct json_children to = json_children_of(pair.to, by_name);
    if (!is_list || by_name) {
        json_children_sort(&from);
        json_children_sort(&to);
    }
    add_children(walk, at, &from, &to, by_name, whole);
    if (by_name)
        note_order(walk, at, &from, &to);
    json_children_reset(&from);
    json_children_reset(&to);
}

static bool is_leaf(const struct json_node *node)
{
    return node == NULL || node->children == 0;
}

static bool is_same_value(const struct json_node *from, const struct json_node *to)
{
    if (from == NULL || to == NULL)
        return from == to;
    if (from->kind != to->kind || from->is_string != to->is_string)
        return false;
    return from->kind != JSON_NODE_SCALAR || strcmp(from->text, to->text) == 0;
}

// What one side has at a place that the other lacks.
static void look_at_one(struct walk *walk, size_t at, bool whole)
{
    if (is_leaf(either(&walk->pairs[at])))
        note_value(walk, at);
    else
        open_pair(walk, at, whole);
}

// A value became a container, or a list an object: what was there is gone, what is there is new.
static void look_apart(struct walk *walk, size_t at, bool whole)
{
    struct pair pair = walk->pairs[at];
    walk->pairs[at].from = NULL;
    look_at_one(walk, at, whole);
    walk->pairs[at].from = pair.from;
    walk->pairs[at].to = NULL;
    look_at_one(walk, at, whole);
    walk->pairs[at].to = pair.to;
}

static void look(struct walk *walk, size_t at, bool whole)
{
    const struct json_node *from = walk->pairs[at].from;
    const struct json_node *to = walk->pairs[at].to;
    if (is_leaf(from) && is_leaf(to)) {
        if (!is_same_value(from, to))
            note_value(walk, at);
    } else if (from != NULL && to != NULL && from->kind != to->kind) {
        look_apart(walk, at, whole);
    } else {
        open_pair(walk, at, whole);
    }
}

static void compare(struct object_diff *diff, const struct json_node *from,
                    const struct json_node *to, bool whole)
{
    struct walk walk = {.diff = diff};
    struct json_child roots[] = {{.node = from}, {.node = to}};
    buffer_append_char(&diff->items, '[');
    add_pair(&walk, PATH_ROOT, &roots[0], &roots[1], false, true);
    while (walk.todo_count > 0)
        look(&walk, walk.todo[--walk.todo_count], whole);
    buffer_append_char(&diff->items, ']');
    for (size_t i = 0; i < OBJECT_DIFF_LEFT_OUT; i++) {
        if (walk.noted[i])
            diff->left_out[diff->left_out_count++] = noise[i].path;
    }
    free(walk.pairs);
    free(walk.todo);
}

bool object_diff_make(const char *from, const char *to, bool whole, struct object_diff *diff,
                      struct error *err)
{
    SCOPED(json_tree_free) struct json_node *before = NULL;
    SCOPED(json_tree_free) struct json_node *after = NULL;
    *diff = (struct object_diff){0};
    if (!json_tree_read(from, strlen(from), &before, err))
        return fail_in(err, "the object before");
    if (!json_tree_read(to, strlen(to), &after, err))
        return fail_in(err, "the object");
    compare(diff, before, after, whole);
    return true;
}

void object_diff_reset(struct object_diff *diff)
{
    buffer_reset(&diff->items);
    *diff = (struct object_diff){0};
}

// A side that is missing is no string, so that a text "none" is told from it by its quotes.
static void append_side(struct buffer *out, const struct json_node *value)
{
    if (value == NULL) {
        buffer_append_text(out, "none");
        return;
    }
    if (value->children == 0) {
        append_value(out, value);
        return;
    }
    for (const struct json_node *name = value->first; name != NULL; name = name->next) {
        buffer_append_text(out, name == value->first ? "[" : ", "); // names in their order
        append_value(out, name);
    }
    buffer_append_char(out, ']');
}

bool object_diff_append_lines(const char *items, struct buffer *out, struct error *err)
{
    SCOPED(json_tree_free) struct json_node *list = NULL;
    if (!json_tree_read(items, strlen(items), &list, err))
        return false;
    for (const struct json_node *item = list->first; item != NULL; item = item->next) {
        const char *path = json_tree_text(item, "path");
        buffer_append_text(out, path != NULL ? path : "");
        buffer_append_text(out, ": ");
        append_side(out, json_tree_member(item, "from"));
        buffer_append_text(out, " -> ");
        append_side(out, json_tree_member(item, "to"));
        buffer_append_char(out, '\n');
    }
    return true;
}
