// A tree of what the pull scanner tells. It is built and freed without recursion: how deep an
// object is nested is up to whoever wrote it.

#include "query/json_tree.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/json_scan.h"

// A string's value. Nearly all are without escapes, and stand in the text as they are.
static char *string_value(const char *quoted, size_t length)
{
    if (memchr(quoted, '\\', length) == NULL)
        return xstrndup(quoted + 1, length - 2);
    // The scanner has refused what cJSON would cut.
    cJSON *value = cJSON_ParseWithLength(quoted, length);
    char *text = xstrdup(cJSON_IsString(value) ? value->valuestring : "");
    cJSON_Delete(value);
    return text;
}

static struct json_node *add_child(struct json_node *parent, enum json_node_kind kind)
{
    struct json_node *node = xcalloc(1, sizeof(*node));
    node->kind = kind;
    node->parent = parent;
    if (parent == NULL)
        return node;
    if (parent->last != NULL)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
    parent->children++;
    return node;
}

// What is known while the text is read.
struct reading {
    const char *bytes;
    struct json_node *root;
    struct json_node *open; // the innermost container that is not closed yet
    char *name;             // of the member whose value comes next
};

static struct json_node *start_value(struct reading *reading, enum json_node_kind kind)
{
    struct json_node *node = add_child(reading->open, kind);
    node->name = reading->name;
    reading->name = NULL;
    if (reading->root == NULL)
        reading->root = node;
    return node;
}

static void take(struct reading *reading, const struct json_token *token)
{
    const char *from = reading->bytes + token->from;
    size_t length = token->to - token->from;
    struct json_node *node;
    switch (token->kind) {
    case JSON_OBJECT_BEGIN:
        reading->open = start_value(reading, JSON_NODE_OBJECT);
        break;
    case JSON_ARRAY_BEGIN:
        reading->open = start_value(reading, JSON_NODE_ARRAY);
        break;
    case JSON_OBJECT_END:
    case JSON_ARRAY_END:
        reading->open = reading->open->parent;
        break;
    case JSON_KEY:
        reading->name = string_value(from, length);
        break;
    case JSON_STRING:
        node = start_value(reading, JSON_NODE_SCALAR);
        node->text = string_value(from, length);
        node->is_string = true;
        break;
    case JSON_NUMBER:
    case JSON_LITERAL:
        node = start_value(reading, JSON_NODE_SCALAR);
        node->text = xstrndup(from, length);
        break;
    case JSON_DONE:
        break;
    }
}

bool json_tree_read(const char *bytes, size_t length, struct json_node **root, struct error *err)
{
    struct reading reading = {.bytes = bytes};
    struct json_scan scan;
    json_scan_init(&scan, bytes, length, JSON_MAX_DEPTH);
    struct json_token token;
    do {
        if (!json_scan_next(&scan, &token, err)) {
            free(reading.name);
            json_tree_free(reading.root);
            return false;
        }
        take(&reading, &token);
    } while (token.kind != JSON_DONE);
    *root = reading.root;
    return true;
}

// Goes down to a leaf, frees it, and takes the next from its parent.
void json_tree_free(struct json_node *root)
{
    struct json_node *node = root;
    while (node != NULL) {
        if (node->first != NULL) {
            struct json_node *child = node->first;
            node->first = child->next;
            node = child;
            continue;
        }
        struct json_node *parent = node->parent;
        free(node->name);
        free(node->text);
        free(node);
        node = parent;
    }
}

const struct json_node *json_tree_member(const struct json_node *object, const char *name)
{
    if (object == NULL || object->kind != JSON_NODE_OBJECT)
        return NULL;
    const struct json_node *member = object->first;
    while (member != NULL && strcmp(member->name, name) != 0)
        member = member->next;
    return member;
}

const char *json_tree_text(const struct json_node *object, const char *name)
{
    const struct json_node *member = json_tree_member(object, name);
    bool is_null = member != NULL && !member->is_string && member->text != NULL &&
                   strcmp(member->text, "null") == 0;
    return member != NULL && !is_null ? member->text : NULL;
}
