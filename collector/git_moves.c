// All objects of a commit's paths in one array, sorted by what they are: those that stand at a path
// before and behind it are dropped, and of the others both ends of a move are neighbours.

#include "collector/git_moves.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct end {
    const struct git_object *object;
    const char *path;
    bool is_arrival; // behind the commit
};

struct git_moves {
    struct end *ends;
    size_t count;
    size_t capacity;
};

struct git_moves *git_moves_new(void)
{
    return xcalloc(1, sizeof(struct git_moves));
}

void git_moves_free(struct git_moves *moves)
{
    if (moves == NULL)
        return;
    free(moves->ends);
    free(moves);
}

static void add_side(struct git_moves *moves, const char *path, const struct git_manifest *side,
                     bool is_arrival)
{
    size_t count = side != NULL ? side->count : 0;
    moves->ends = xgrow(moves->ends, &moves->capacity, moves->count + count, sizeof(*moves->ends));
    for (size_t i = 0; i < count; i++)
        moves->ends[moves->count++] =
            (struct end){.object = &side->objects[i], .path = path, .is_arrival = is_arrival};
}

void git_moves_add(struct git_moves *moves, const char *path, const struct git_manifest *before,
                   const struct git_manifest *after)
{
    add_side(moves, path, before, false);
    add_side(moves, path, after, true);
}

static int compare_objects(const struct git_object *left, const struct git_object *right)
{
    int order = strcmp(left->name, right->name);
    if (order == 0)
        order = strcmp(left->kind, right->kind);
    if (order == 0)
        order = strcmp(left->namespace, right->namespace);
    return order != 0 ? order : strcmp(left->group, right->group);
}

static int compare_places(const struct end *left, const struct end *right)
{
    int order = compare_objects(left->object, right->object);
    return order != 0 ? order : strcmp(left->path, right->path);
}

// The first of those that a file holds twice comes first: it is the one that counts.
static int compare(const void *left_end, const void *right_end)
{
    const struct end *left = left_end;
    const struct end *right = right_end;
    int order = compare_places(left, right);
    if (order == 0)
        order = (int)left->is_arrival - (int)right->is_arrival;
    if (order == 0 && left->object != right->object)
        order = left->object < right->object ? -1 : 1; // of one array
    return order;
}

// What stayed at its path did not move, whatever it says now.
void git_moves_finish(struct git_moves *moves)
{
    size_t kept = 0;
    if (moves->count > 0)
        qsort(moves->ends, moves->count, sizeof(*moves->ends), compare);
    for (size_t first = 0, next; first < moves->count; first = next) {
        for (next = first + 1;
             next < moves->count && compare_places(&moves->ends[first], &moves->ends[next]) == 0;)
            next++;
        if (moves->ends[first].is_arrival == moves->ends[next - 1].is_arrival)
            moves->ends[kept++] = moves->ends[first];
    }
    moves->count = kept;
}

// ---- which went where ----

// How many bytes of folders two paths have in common: "prod/a/x" and "prod/b/y" have "prod/".
static size_t common_folders(const char *left, const char *right)
{
    size_t common = 0;
    for (size_t i = 0; left[i] != '\0' && left[i] == right[i]; i++) {
        if (left[i] == '/')
            common = i + 1;
    }
    return common;
}

// The first end of the object; SIZE_MAX: it stayed wherever it is.
static size_t first_of(const struct git_moves *moves, const struct git_object *object)
{
    size_t low = 0;
    size_t high = moves->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_objects(moves->ends[middle].object, object) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < moves->count && git_object_is(moves->ends[low].object, object) ? low : SIZE_MAX;
}

// The other end of a move. Where several files lost it, or got it, the nearest in the tree: a
// folder that an application reads, and that holds any of them, holds that one. Of two as near, one
// that says something else: an object is not called the same in doubt.
static const struct end *other_end(const struct git_moves *moves, const struct git_object *object,
                                   const char *path, bool is_arrival)
{
    const struct end *best = NULL;
    size_t best_common = 0;
    for (size_t i = first_of(moves, object);
         i < moves->count && git_object_is(moves->ends[i].object, object); i++) {
        const struct end *end = &moves->ends[i];
        if (end->is_arrival != is_arrival || strcmp(end->path, path) == 0)
            continue;
        size_t common = common_folders(end->path, path);
        bool differs = memcmp(end->object->digest, object->digest, DIGEST_BYTES) != 0;
        if (best == NULL || common > best_common || (common == best_common && differs)) {
            best = end;
            best_common = common;
        }
    }
    return best;
}

struct git_move git_moves_arrival(const struct git_moves *moves, const struct git_object *object,
                                  const char *path)
{
    const struct end *old = other_end(moves, object, path, false);
    if (old == NULL)
        return (struct git_move){.change = "added"};
    bool same = memcmp(old->object->digest, object->digest, DIGEST_BYTES) == 0;
    return (struct git_move){.change = same ? "moved" : "modified", .from = old->path};
}

struct git_move git_moves_departure(const struct git_moves *moves, const struct git_object *object,
                                    const char *path)
{
    const struct end *now = other_end(moves, object, path, true);
    if (now == NULL)
        return (struct git_move){.change = "removed"};
    return (struct git_move){.change = "moved", .to = now->path};
}
