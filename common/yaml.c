// libyaml events into a tree; duplicate keys, aliases and further documents are refused.
// The tree is small on purpose: all scalars are texts, and what `yes` or `010` means is for the
// reader of a key, which can say what it wants.

#include "common/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "common/buffer.h"
#include "common/text.h"

// The checks for doubled keys compare all with all and rest on this bound.
#define MAX_BYTES ((size_t)1024 * 1024)
// Also bounds the recursion of free_content.
#define MAX_DEPTH 32

// The path from the root to where the parser stands. Nodes belong to the tree from the moment they
// are placed, so an error anywhere frees the root and nothing else.
struct builder {
    struct yaml_node *stack[MAX_DEPTH];
    size_t depth;
    struct yaml_node *root;
    char *pending_key; // owned; a key whose value has not come yet
    const char *name;
};

static void free_content(struct yaml_node *node)
{
    for (size_t i = 0; i < node->count; i++)
        free_content(&node->items[i]); // depth is capped at MAX_DEPTH when built
    free(node->items);
    free(node->key);
    free(node->scalar);
}

void yaml_tree_free(struct yaml_node *root)
{
    if (root == NULL)
        return;
    free_content(root);
    free(root);
}

static bool bad(const struct builder *builder, size_t line, struct error *err, const char *what)
{
    return fail(err, REACT_STOP, "%s line %zu: %s", builder->name, line, what);
}

static struct yaml_node *append_item(struct yaml_node *parent)
{
    parent->items = xrealloc(parent->items, (parent->count + 1) * sizeof(*parent->items));
    struct yaml_node *item = &parent->items[parent->count++];
    *item = (struct yaml_node){0};
    return item;
}

// Makes room for a node where the builder stands; NULL (with err) where none may stand.
static struct yaml_node *place_node(struct builder *builder, size_t line, struct error *err)
{
    if (builder->depth == 0) {
        if (builder->root != NULL) {
            bad(builder, line, err, "more than one document");
            return NULL;
        }
        builder->root = xcalloc(1, sizeof(*builder->root));
        builder->root->line = line;
        return builder->root;
    }
    struct yaml_node *parent = builder->stack[builder->depth - 1];
    struct yaml_node *item = append_item(parent);
    item->line = line;
    if (parent->kind == YAML_MAP) {
        item->key = builder->pending_key;
        builder->pending_key = NULL;
    }
    return item;
}

static bool begin_collection(struct builder *builder, enum yaml_kind kind, size_t line,
                             struct error *err)
{
    if (builder->depth == MAX_DEPTH)
        return bad(builder, line, err, "nested too deeply");
    if (builder->depth > 0 && builder->stack[builder->depth - 1]->kind == YAML_MAP &&
        builder->pending_key == NULL)
        return bad(builder, line, err, "a key must be a scalar");
    struct yaml_node *node = place_node(builder, line, err);
    if (node == NULL)
        return false;
    node->kind = kind;
    // The parent's items do not move while this child is open, so the pointer stays good.
    builder->stack[builder->depth++] = node;
    return true;
}

// In a map every other scalar is a key. A key given twice is refused: YAML leaves open which of the
// two holds, and in an allow-list that is a matter of who may speak.
static bool add_scalar(struct builder *builder, const yaml_event_t *event, size_t line,
                       struct error *err)
{
    const char *text = (const char *)event->data.scalar.value;
    if (strlen(text) != event->data.scalar.length)
        return bad(builder, line, err, "NUL byte in a value");
    struct yaml_node *parent = builder->depth ? builder->stack[builder->depth - 1] : NULL;
    if (parent != NULL && parent->kind == YAML_MAP && builder->pending_key == NULL) {
        if (yaml_get(parent, text) != NULL)
            return bad(builder, line, err, "key given twice");
        builder->pending_key = xstrdup(text);
        return true;
    }
    struct yaml_node *node = place_node(builder, line, err);
    if (node == NULL)
        return false;
    node->kind = YAML_SCALAR;
    node->scalar = xstrdup(text);
    return true;
}

// Aliases are refused: a few lines of them can stand for gigabytes, and a node would have two
// owners. Tags and anchors say nothing to us and are passed over.
static bool take_event(struct builder *builder, const yaml_event_t *event, struct error *err)
{
    size_t line = event->start_mark.line + 1;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return add_scalar(builder, event, line, err);
    case YAML_SEQUENCE_START_EVENT:
        return begin_collection(builder, YAML_LIST, line, err);
    case YAML_MAPPING_START_EVENT:
        return begin_collection(builder, YAML_MAP, line, err);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        builder->depth--;
        return true;
    case YAML_ALIAS_EVENT:
        return bad(builder, line, err, "aliases are not supported");
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return true;
    }
    return true;
}

// Events and not libyaml's own tree: that one resolves aliases, and has no place for checks while
// it is built.
static bool parse_events(yaml_parser_t *parser, struct builder *builder, struct error *err)
{
    for (bool done = false; !done;) {
        yaml_event_t event;
        bool parsed = yaml_parser_parse(parser, &event);
        if (!parsed && parser->error == YAML_MEMORY_ERROR)
            memory_exhausted();
        if (!parsed)
            return bad(builder, parser->problem_mark.line + 1, err,
                       parser->problem ? parser->problem : "cannot be read as YAML");
        done = event.type == YAML_STREAM_END_EVENT;
        bool taken = take_event(builder, &event, err);
        yaml_event_delete(&event);
        if (!taken)
            return false;
    }
    return true;
}

// Reads to the end of the stream even when the document is over, so that a second one is seen.
bool yaml_load(const char *name, const char *bytes, size_t length, struct yaml_node **out,
               struct error *err)
{
    struct builder builder = {.name = name};
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        memory_exhausted(); // its only error
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, length);
    bool parsed = parse_events(&parser, &builder, err);
    yaml_parser_delete(&parser);
    free(builder.pending_key);
    if (parsed && builder.root == NULL)
        parsed = fail(err, REACT_STOP, "%s is empty", name);
    if (!parsed) {
        yaml_tree_free(builder.root);
        return false;
    }
    *out = builder.root;
    return true;
}

bool yaml_load_file(const char *path, enum named_file takes, struct yaml_node **out,
                    struct error *err)
{
    SCOPED_BUFFER text = {0};
    if (!named_file_read(path, takes, MAX_BYTES, &text, err))
        return false;
    return yaml_load(path, text.data, text.length, out, err);
}

const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
    if (map == NULL || map->kind != YAML_MAP)
        return NULL;
    for (size_t i = 0; i < map->count; i++) {
        if (map->items[i].key != NULL && strcmp(map->items[i].key, key) == 0)
            return &map->items[i];
    }
    return NULL;
}

const char *yaml_text(const struct yaml_node *map, const char *key)
{
    const struct yaml_node *node = yaml_get(map, key);
    return node != NULL && node->kind == YAML_SCALAR ? node->scalar : NULL;
}

static bool is_known(const char *key, const char *const known[])
{
    for (size_t i = 0; known[i] != NULL; i++) {
        if (strcmp(known[i], key) == 0)
            return true;
    }
    return false;
}

// An unknown key is an error and no warning: a misspelt `namespaces` would widen what a collector
// may say.
bool yaml_check_keys(const struct yaml_node *map, const char *where, const char *const known[],
                     struct error *err)
{
    if (map->kind != YAML_MAP)
        return fail(err, REACT_STOP, "%s (line %zu) must be a map", where, map->line);
    for (size_t i = 0; i < map->count; i++) {
        const struct yaml_node *item = &map->items[i];
        if (is_known(item->key, known))
            continue;
        SCOPED_BUFFER names = {0};
        for (size_t k = 0; known[k] != NULL; k++)
            buffer_printf(&names, "%s%s", k ? ", " : "", known[k]);
        return fail(err, REACT_STOP,
                    "%s (line %zu) has the unknown key '%.64s'; hint: known are %s", where,
                    item->line, item->key, names.data);
    }
    return true;
}
