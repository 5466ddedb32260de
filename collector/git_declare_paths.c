// The paths that a commit changed, and which objects in them: by what the two states of each file
// say, and by what other files of the commit lost or got.

#include "collector/git_declare_parts.h"

#include <string.h>

#define OBJECTS_MAX 2000

static void add_object(cJSON *objects, const struct git_object *object, struct git_move move)
{
    cJSON *item = cJSON_CreateObject();
    json_add_text(item, "group", object->group);
    json_add_text(item, "kind", object->kind);
    json_add_text(item, "namespace", object->namespace[0] != '\0' ? object->namespace : NULL);
    json_add_text(item, "name", object->name);
    json_add_text(item, "change", move.change);
    if (move.from != NULL)
        git_declare_words(item, "from", move.from, SIZE_MAX, false);
    if (move.to != NULL)
        git_declare_words(item, "to", move.to, SIZE_MAX, false);
    cJSON_AddItemToArray(objects, item);
}

static const struct git_object *find_object(const struct git_manifest *manifest,
                                            const struct git_object *wanted)
{
    for (size_t i = 0; manifest != NULL && i < manifest->count; i++) {
        if (git_object_is(&manifest->objects[i], wanted))
            return &manifest->objects[i];
    }
    return NULL;
}

// A path that is told, and what was read of its two sides.
struct touched {
    const struct git_change *change;
    const char *folder;
    const struct git_manifest *before, *after;
    bool rendered; // each side that is there was read
};

// What the two states of a file have not in common. An object that stayed as it was is not touched,
// whatever else changed in its file.
static size_t add_objects(cJSON *objects, const struct touched *touched,
                          const struct git_moves *moves)
{
    const struct git_manifest *before = touched->before;
    const struct git_manifest *after = touched->after;
    size_t count = 0;
    for (size_t i = 0; after != NULL && i < after->count; i++) {
        const struct git_object *now = &after->objects[i];
        const struct git_object *old = find_object(before, now);
        if (old != NULL && memcmp(old->digest, now->digest, DIGEST_BYTES) == 0)
            continue;
        add_object(objects, now,
                   old == NULL ? git_moves_arrival(moves, now, touched->change->path)
                               : (struct git_move){.change = "modified"});
        count++;
    }
    for (size_t i = 0; before != NULL && i < before->count; i++) {
        const struct git_object *old = &before->objects[i];
        if (find_object(after, old) != NULL)
            continue;
        add_object(objects, old, git_moves_departure(moves, old, touched->change->path));
        count++;
    }
    return count;
}

static const char *change_word(char kind)
{
    switch (kind) {
    case 'A':
        return "added";
    case 'D':
        return "removed";
    case 'T':
        return "retyped";
    default:
        return "modified";
    }
}

// A side of the change that is there must have been read.
static bool side_is_known(const struct git_objects *objects, const char *id,
                          const struct git_manifest **side)
{
    *side = NULL;
    if (id[0] == '\0')
        return true;
    const struct git_manifest *manifest = git_objects_manifest(objects, id);
    if (manifest != NULL && manifest->readable)
        *side = manifest;
    return *side != NULL;
}

// False when it is outside of the configured folders.
static bool look(const struct git_declaration *declaration, const struct git_change *change,
                 struct touched *out)
{
    bool outside;
    *out = (struct touched){.change = change};
    out->folder = git_folder_of(declaration->options, change->path, &outside);
    if (outside)
        return false;
    out->rendered = git_manifest_is_path(change->path) &&
                    side_is_known(declaration->objects, change->before, &out->before) &&
                    side_is_known(declaration->objects, change->after, &out->after);
    return true;
}

// Of all paths that could be read, also of those that the event will have no room for.
struct git_moves *git_declare_moves(const struct git_declaration *declaration,
                                    const struct git_commit *commit)
{
    struct git_moves *moves = git_moves_new();
    for (size_t i = 0; commit->change_count > 1 && i < commit->change_count; i++) {
        struct touched touched;
        if (look(declaration, &commit->changes[i], &touched) && touched.rendered)
            git_moves_add(moves, touched.change->path, touched.before, touched.after);
    }
    git_moves_finish(moves);
    return moves;
}

static void add_path(cJSON *paths, const struct touched *touched, const struct git_moves *moves,
                     size_t *left, size_t *omitted)
{
    const struct git_manifest *before = touched->before;
    const struct git_manifest *after = touched->after;
    bool rendered = touched->rendered;
    cJSON *item = cJSON_CreateObject();
    git_declare_words(item, "path", touched->change->path, SIZE_MAX, false);
    json_add_text(item, "folder", touched->folder);
    json_add_text(item, "change", change_word(touched->change->kind));
    size_t most = (before != NULL ? before->count : 0) + (after != NULL ? after->count : 0);
    if (rendered && most > *left) {
        *omitted += most;
        rendered = false;
    }
    cJSON_AddBoolToObject(item, "rendered", rendered);
    cJSON *objects = cJSON_AddArrayToObject(item, "objects");
    if (rendered)
        *left -= add_objects(objects, touched, moves);
    cJSON_AddItemToArray(paths, item);
}

void git_declare_paths(cJSON *data, const struct git_declaration *declaration,
                       const struct git_commit *commit, const struct git_moves *moves,
                       enum git_detail detail)
{
    cJSON *paths = cJSON_AddArrayToObject(data, "paths");
    size_t omitted = commit->omitted;
    size_t outside_count = 0;
    size_t left = detail == GIT_DETAIL_ALL ? OBJECTS_MAX : 0;
    size_t objects_omitted = 0;
    for (size_t i = 0; i < commit->change_count; i++) {
        struct touched touched;
        if (!look(declaration, &commit->changes[i], &touched))
            outside_count++;
        else if (detail == GIT_DETAIL_NONE)
            omitted++;
        else
            add_path(paths, &touched, moves, &left, &objects_omitted);
    }
    cJSON_AddNumberToObject(data, "paths_omitted", (double)omitted);
    cJSON_AddNumberToObject(data, "paths_outside", (double)outside_count);
    cJSON_AddNumberToObject(data, "objects_omitted", (double)objects_omitted);
}
