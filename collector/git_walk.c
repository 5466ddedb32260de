// Commits in an array, found by name through a hash table, so that the graph costs no process.

#include "collector/git_walk.h"

#include <stdlib.h>
#include <string.h>

#define NONE SIZE_MAX

struct walk_commit {
    char id[GIT_ID_BYTES];
    size_t parents; // where the names of its parents begin in `names`
    size_t parent_count;
    size_t brought_first; // a chain, oldest first
    size_t brought_last;
    size_t brought_next; // of the chain that it is in
    bool mainline;
    bool seen; // some merge brought it
};

struct git_walk {
    struct walk_commit *commits;
    size_t count;
    size_t capacity;
    struct buffer names; // of parents, GIT_ID_BYTES each
    struct buffer line;  // an unfinished one
    size_t *table;       // indexes into commits, NONE where empty; a power of two
    size_t table_size;
};

struct git_walk *git_walk_new(void)
{
    return xcalloc(1, sizeof(struct git_walk));
}

void git_walk_free(struct git_walk *walk)
{
    if (walk == NULL)
        return;
    buffer_reset(&walk->names);
    buffer_reset(&walk->line);
    free(walk->commits);
    free(walk->table);
    free(walk);
}

size_t git_walk_count(const struct git_walk *walk)
{
    return walk->count;
}

const char *git_walk_id(const struct git_walk *walk, size_t index)
{
    return walk->commits[index].id;
}

bool git_walk_is_mainline(const struct git_walk *walk, size_t index)
{
    return walk->commits[index].mainline;
}

size_t git_walk_first_brought(const struct git_walk *walk, size_t index)
{
    return walk->commits[index].brought_first;
}

size_t git_walk_next_brought(const struct git_walk *walk, size_t index)
{
    return walk->commits[index].brought_next;
}

static bool copy_id(const char *text, size_t length, char id[GIT_ID_BYTES], struct error *err)
{
    if (!git_is_object_id(text, length))
        return fail(err, REACT_REJECT, "git told a commit without a name");
    memcpy(id, text, length);
    id[length] = '\0';
    return true;
}

// NAME PARENT PARENT ...
static bool take_line(struct git_walk *walk, const char *line, struct error *err)
{
    struct walk_commit commit = {.parents = walk->names.length / GIT_ID_BYTES,
                                 .brought_first = NONE,
                                 .brought_last = NONE,
                                 .brought_next = NONE};
    size_t length = strcspn(line, " ");
    if (!copy_id(line, length, commit.id, err))
        return false;
    for (line += length; *line == ' '; line += length) {
        char parent[GIT_ID_BYTES] = "";
        length = strcspn(++line, " ");
        if (!copy_id(line, length, parent, err))
            return false;
        buffer_append(&walk->names, parent, sizeof(parent));
        commit.parent_count++;
    }
    walk->commits = xgrow(walk->commits, &walk->capacity, walk->count + 1, sizeof(*walk->commits));
    walk->commits[walk->count++] = commit;
    return true;
}

bool git_walk_take(struct git_walk *walk, const char *bytes, size_t length, struct error *err)
{
    while (length > 0) {
        const char *newline = memchr(bytes, '\n', length);
        size_t piece = newline != NULL ? (size_t)(newline - bytes) : length;
        buffer_append(&walk->line, bytes, piece);
        if (newline == NULL)
            return true;
        if (!take_line(walk, walk->line.data, err))
            return false;
        buffer_clear(&walk->line);
        bytes += piece + 1;
        length -= piece + 1;
    }
    return true;
}

// Names are digests: their first digits are as good as any hash of them.
static size_t slot_of(const struct git_walk *walk, const char *id)
{
    char digits[16];
    memcpy(digits, id, 15);
    digits[15] = '\0';
    size_t slot = (size_t)strtoull(digits, NULL, 16) & (walk->table_size - 1);
    while (walk->table[slot] != NONE && strcmp(walk->commits[walk->table[slot]].id, id) != 0)
        slot = (slot + 1) & (walk->table_size - 1);
    return slot;
}

// Half empty at least, so that a search ends soon.
static void fill_table(struct git_walk *walk)
{
    walk->table_size = 16;
    while (walk->table_size < walk->count * 2)
        walk->table_size *= 2;
    walk->table = xcalloc(walk->table_size, sizeof(*walk->table));
    for (size_t i = 0; i < walk->table_size; i++)
        walk->table[i] = NONE;
    for (size_t i = 0; i < walk->count; i++)
        walk->table[slot_of(walk, walk->commits[i].id)] = i;
}

// The parent's index; NONE when it lies before this reading.
static size_t parent_of(const struct git_walk *walk, size_t commit, size_t number)
{
    const struct walk_commit *child = &walk->commits[commit];
    if (number >= child->parent_count)
        return NONE;
    const char *name = walk->names.data + (child->parents + number) * GIT_ID_BYTES;
    return walk->table[slot_of(walk, name)];
}

// What a merge's other parents reach and nothing on the mainline below it reached: older merges
// come first, and take what they brought.
// With a stack of its own: a side branch may be as long as the history, and C's stack is not.
static void gather_brought(struct git_walk *walk, size_t merge, size_t **stack, size_t *capacity)
{
    size_t depth = 0;
    for (size_t n = 1; n < walk->commits[merge].parent_count; n++) {
        *stack = xgrow(*stack, capacity, depth + 1, sizeof(**stack));
        (*stack)[depth++] = parent_of(walk, merge, n);
    }
    while (depth > 0) {
        size_t at = (*stack)[--depth];
        if (at == NONE || walk->commits[at].mainline || walk->commits[at].seen)
            continue;
        walk->commits[at].seen = true;
        walk->commits[at].brought_last = merge; // used as a note until the chains are made
        for (size_t n = 0; n < walk->commits[at].parent_count; n++) {
            *stack = xgrow(*stack, capacity, depth + 1, sizeof(**stack));
            (*stack)[depth++] = parent_of(walk, at, n);
        }
    }
}

static void append_brought(struct git_walk *walk, size_t merge, size_t brought)
{
    struct walk_commit *head = &walk->commits[merge];
    if (head->brought_first == NONE)
        head->brought_first = brought;
    else
        walk->commits[head->brought_last].brought_next = brought;
    head->brought_last = brought;
}

// The last commit of the order is the branch's head. A line of parents that comes back to itself
// cannot be made of commits, whose names are digests; but what is read here is a program's output,
// and one that was made up (grafts, a damaged commit-graph) must not hold the collector for ever.
void git_walk_finish(struct git_walk *walk)
{
    size_t *stack = NULL;
    size_t capacity = 0;
    fill_table(walk);
    for (size_t at = walk->count > 0 ? walk->count - 1 : NONE;
         at != NONE && !walk->commits[at].mainline; at = parent_of(walk, at, 0))
        walk->commits[at].mainline = true;
    for (size_t i = 0; i < walk->count; i++) {
        if (walk->commits[i].mainline && walk->commits[i].parent_count > 1)
            gather_brought(walk, i, &stack, &capacity);
    }
    for (size_t i = 0; i < walk->count; i++) {
        if (walk->commits[i].seen)
            append_brought(walk, walk->commits[i].brought_last, i);
    }
    free(stack);
}
