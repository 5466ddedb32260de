// libyaml's events, hashed as they come. Of each document, and of each item of a List, the members
// that name a Kubernetes object are kept; aliases are part of what is hashed and are not followed.

#define _GNU_SOURCE // memmem
#include "collector/git_manifest.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "common/memory.h"
#include "common/text.h"

#define MAX_DEPTH 200

// Where a scalar stands counts only near an object's root.
enum place { PLACE_OTHER, PLACE_OBJECT, PLACE_METADATA, PLACE_ITEMS };

struct level {
    enum place place;
    bool is_map;
    bool wants_value; // the last key's value comes next
    char key[32];     // the last key, as far as it could be one of ours
};

// An object that is being read: a document's root, or an item of a List.
struct candidate {
    struct git_object object;
    char version[GIT_MANIFEST_NAME];
    size_t depth; // of its map; 0: there is none
    EVP_MD_CTX *hash;
};

struct reader {
    struct git_manifest *out;
    struct level levels[MAX_DEPTH];
    size_t depth;
    struct candidate root;
    struct candidate item;
    bool is_broken;
};

void git_manifest_reset(struct git_manifest *manifest)
{
    free(manifest->objects);
    *manifest = (struct git_manifest){0};
}

bool git_manifest_is_path(const char *path)
{
    static const char *const endings[] = {".yaml", ".yml", ".json"};
    size_t length = strlen(path);
    for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
        size_t ending = strlen(endings[i]);
        if (length > ending && strcasecmp(path + length - ending, endings[i]) == 0)
            return true;
    }
    return false;
}

bool git_object_is(const struct git_object *left, const struct git_object *right)
{
    return strcmp(left->name, right->name) == 0 && strcmp(left->kind, right->kind) == 0 &&
           strcmp(left->namespace, right->namespace) == 0 && strcmp(left->group, right->group) == 0;
}

// ---- hashing ----

static void hash_bytes(struct candidate *candidate, const void *bytes, size_t length)
{
    if (candidate->depth == 0)
        return;
    uint64_t size = length;
    if (EVP_DigestUpdate(candidate->hash, &size, sizeof(size)) != 1 ||
        EVP_DigestUpdate(candidate->hash, bytes, length) != 1)
        memory_exhausted();
}

static void hash(struct reader *reader, char what, const void *bytes, size_t length)
{
    hash_bytes(&reader->root, &what, 1);
    hash_bytes(&reader->root, bytes, length);
    hash_bytes(&reader->item, &what, 1);
    hash_bytes(&reader->item, bytes, length);
}

static void begin_candidate(struct candidate *candidate, size_t depth)
{
    candidate->object = (struct git_object){0};
    candidate->version[0] = '\0';
    candidate->depth = depth;
    if (candidate->hash == NULL)
        candidate->hash = EVP_MD_CTX_new();
    if (candidate->hash == NULL || EVP_DigestInit_ex(candidate->hash, EVP_sha256(), NULL) != 1)
        memory_exhausted();
}

// "serving.kserve.io/v1beta1" is of a group, "v1" of the core.
static void read_group(struct candidate *candidate)
{
    const char *slash = strchr(candidate->version, '/');
    if (slash == NULL)
        return;
    size_t length = (size_t)(slash - candidate->version);
    memcpy(candidate->object.group, candidate->version, length);
    candidate->object.group[length] = '\0';
}

static void end_candidate(struct reader *reader, struct candidate *candidate)
{
    struct git_manifest *out = reader->out;
    struct git_object *object = &candidate->object;
    bool is_object = candidate->version[0] != '\0' && object->kind[0] != '\0' &&
                     object->name[0] != '\0' && out->count < GIT_MANIFEST_MAX_OBJECTS;
    if (EVP_DigestFinal_ex(candidate->hash, object->digest, NULL) != 1)
        memory_exhausted();
    candidate->depth = 0;
    if (!is_object)
        return;
    read_group(candidate);
    out->objects = xgrow(out->objects, &out->capacity, out->count + 1, sizeof(*out->objects));
    out->objects[out->count++] = *object;
}

// ---- following the structure ----

static struct level *top(struct reader *reader)
{
    return reader->depth > 0 ? &reader->levels[reader->depth - 1] : NULL;
}

static bool is_key(const struct level *level, const char *key)
{
    return level != NULL && level->is_map && level->wants_value && strcmp(level->key, key) == 0;
}

static enum place place_of_child(const struct reader *reader, const struct level *parent)
{
    if (parent == NULL)
        return PLACE_OBJECT;
    if (parent->place == PLACE_ITEMS)
        return PLACE_OBJECT;
    if (parent->place != PLACE_OBJECT)
        return PLACE_OTHER;
    if (is_key(parent, "metadata"))
        return PLACE_METADATA;
    return is_key(parent, "items") && reader->depth == 1 ? PLACE_ITEMS : PLACE_OTHER;
}

// Behind a value the next scalar of a map is a key again.
static void value_done(struct reader *reader)
{
    struct level *level = top(reader);
    if (level != NULL && level->is_map)
        level->wants_value = !level->wants_value;
}

static void begin_collection(struct reader *reader, bool is_map)
{
    struct level *parent = top(reader);
    enum place place = place_of_child(reader, parent);
    if (reader->depth == MAX_DEPTH) {
        reader->is_broken = true;
        return;
    }
    // A collection as a key can name nothing of ours.
    if (parent != NULL && parent->is_map && !parent->wants_value)
        place = PLACE_OTHER;
    bool fits = is_map ? place != PLACE_ITEMS : place == PLACE_ITEMS;
    struct level *level = &reader->levels[reader->depth++];
    *level = (struct level){.place = fits ? place : PLACE_OTHER, .is_map = is_map};
    if (level->place == PLACE_OBJECT)
        begin_candidate(reader->depth == 1 ? &reader->root : &reader->item, reader->depth);
    hash(reader, is_map ? '{' : '[', "", 0);
}

static void end_collection(struct reader *reader)
{
    hash(reader, '}', "", 0);
    if (reader->item.depth == reader->depth && reader->item.depth > 0)
        end_candidate(reader, &reader->item);
    if (reader->root.depth == reader->depth && reader->root.depth > 0)
        end_candidate(reader, &reader->root);
    reader->depth--;
    value_done(reader);
}

static void keep(char *field, const char *text, size_t length)
{
    if (length == 0 || length >= GIT_MANIFEST_NAME || memchr(text, '\0', length) != NULL ||
        !text_is_utf8(text, length))
        return;
    memcpy(field, text, length);
    field[length] = '\0';
}

static void take_value(struct reader *reader, const struct level *level, const char *text,
                       size_t length)
{
    struct candidate *candidate = reader->item.depth > 0 ? &reader->item : &reader->root;
    if (level->place == PLACE_OBJECT && strcmp(level->key, "apiVersion") == 0)
        keep(candidate->version, text, length);
    else if (level->place == PLACE_OBJECT && strcmp(level->key, "kind") == 0)
        keep(candidate->object.kind, text, length);
    else if (level->place == PLACE_METADATA && strcmp(level->key, "name") == 0)
        keep(candidate->object.name, text, length);
    else if (level->place == PLACE_METADATA && strcmp(level->key, "namespace") == 0)
        keep(candidate->object.namespace, text, length);
}

static void take_scalar(struct reader *reader, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    struct level *level = top(reader);
    // 1 and "1" are not the same.
    hash(reader, event->data.scalar.plain_implicit ? 'p' : 'q', text, length);
    if (level == NULL || !level->is_map)
        return;
    if (level->wants_value)
        take_value(reader, level, text, length);
    else
        snprintf(level->key, sizeof(level->key), "%.*s", length < 31 ? (int)length : 0, text);
    level->wants_value = !level->wants_value;
}

static void take_event(struct reader *reader, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        take_scalar(reader, event);
        break;
    case YAML_ALIAS_EVENT:
        hash(reader, '*', event->data.alias.anchor, strlen((const char *)event->data.alias.anchor));
        value_done(reader);
        break;
    case YAML_MAPPING_START_EVENT:
        begin_collection(reader, true);
        break;
    case YAML_SEQUENCE_START_EVENT:
        begin_collection(reader, false);
        break;
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        end_collection(reader);
        break;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
}

static void read_events(struct reader *reader, yaml_parser_t *parser)
{
    for (bool done = false; !done && !reader->is_broken;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            if (parser->error == YAML_MEMORY_ERROR)
                memory_exhausted();
            reader->is_broken = true;
            return;
        }
        done = event.type == YAML_STREAM_END_EVENT;
        take_event(reader, &event);
        yaml_event_delete(&event);
    }
}

// Helm's and other templates: their braces stand in no manifest but inside of a text, and then it
// is not known what the cluster gets either.
static bool holds_template(const char *bytes, size_t length)
{
    return memmem(bytes, length, "{{", 2) != NULL;
}

void git_manifest_read(const char *bytes, size_t length, struct git_manifest *out)
{
    *out = (struct git_manifest){0};
    if (length > GIT_MANIFEST_MAX_BYTES || holds_template(bytes, length))
        return;
    struct reader *reader = xcalloc(1, sizeof(*reader));
    yaml_parser_t parser;
    reader->out = out;
    if (!yaml_parser_initialize(&parser))
        memory_exhausted(); // its only error
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, length);
    read_events(reader, &parser);
    yaml_parser_delete(&parser);
    EVP_MD_CTX_free(reader->root.hash);
    EVP_MD_CTX_free(reader->item.hash);
    if (reader->is_broken)
        git_manifest_reset(out);
    out->readable = out->count > 0;
    free(reader);
}
