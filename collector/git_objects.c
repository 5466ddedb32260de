// The two answers of git cat-file, taken as they come. Contents are read one at a time and not
// kept.

#define _GNU_SOURCE // memmem
#include "collector/git_objects.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"

struct entry {
    char id[GIT_ID_BYTES];
    bool is_small;
    bool was_read;
    bool is_signed;
    struct git_manifest manifest;
};

struct git_objects {
    struct entry *entries; // sorted once all are asked for
    size_t count;
    size_t capacity;
    struct buffer line;    // an unfinished one of an answer
    struct buffer content; // of the object that is being read
    struct entry *reading; // NULL between two
    bool is_commit;
    size_t left; // bytes of it that are to come, and a newline
};

struct git_objects *git_objects_new(void)
{
    return xcalloc(1, sizeof(struct git_objects));
}

void git_objects_free(struct git_objects *objects)
{
    if (objects == NULL)
        return;
    for (size_t i = 0; i < objects->count; i++)
        git_manifest_reset(&objects->entries[i].manifest);
    free(objects->entries);
    buffer_reset(&objects->line);
    buffer_reset(&objects->content);
    free(objects);
}

void git_objects_want(struct git_objects *objects, const char *id)
{
    objects->entries =
        xgrow(objects->entries, &objects->capacity, objects->count + 1, sizeof(struct entry));
    struct entry *entry = &objects->entries[objects->count++];
    *entry = (struct entry){0};
    memcpy(entry->id, id, strlen(id) + 1);
}

size_t git_objects_count(const struct git_objects *objects)
{
    return objects->count;
}

static int compare(const void *left, const void *right)
{
    return strcmp(((const struct entry *)left)->id, ((const struct entry *)right)->id);
}

static struct entry *find(const struct git_objects *objects, const char *id)
{
    struct entry wanted = {0};
    size_t length = strlen(id);
    if (objects->count == 0 || length >= sizeof(wanted.id))
        return NULL;
    memcpy(wanted.id, id, length + 1);
    return bsearch(&wanted, objects->entries, objects->count, sizeof(wanted), compare);
}

// Sorts and drops doubles first: the file of one commit is the same in the next ones.
void git_objects_print_all(struct git_objects *objects, struct buffer *out)
{
    size_t kept = 0;
    if (objects->count > 0)
        qsort(objects->entries, objects->count, sizeof(struct entry), compare);
    for (size_t i = 0; i < objects->count; i++) {
        if (kept == 0 || strcmp(objects->entries[kept - 1].id, objects->entries[i].id) != 0)
            objects->entries[kept++] = objects->entries[i];
    }
    objects->count = kept;
    for (size_t i = 0; i < kept; i++)
        buffer_printf(out, "%s\n", objects->entries[i].id);
}

void git_objects_print_small(const struct git_objects *objects, struct buffer *out)
{
    for (size_t i = 0; i < objects->count; i++) {
        if (objects->entries[i].is_small)
            buffer_printf(out, "%s\n", objects->entries[i].id);
    }
}

// NAME TYPE SIZE, or NAME missing: then *size is -1.
static struct entry *read_header(const struct git_objects *objects, char *line, bool *is_commit,
                                 int64_t *size)
{
    char *type = strchr(line, ' ');
    *size = -1;
    if (type == NULL)
        return NULL;
    *type++ = '\0';
    char *digits = strchr(type, ' ');
    if (digits != NULL) {
        *digits++ = '\0';
        if (!text_to_int64(digits, size))
            *size = -1;
    }
    *is_commit = strcmp(type, "commit") == 0;
    return find(objects, line);
}

// Gives a whole line in objects->line and moves on behind it; false while there is none.
static bool next_line(struct git_objects *objects, const char **bytes, size_t *length)
{
    const char *newline = memchr(*bytes, '\n', *length);
    size_t piece = newline != NULL ? (size_t)(newline - *bytes) : *length;
    if (piece > 0)
        buffer_append(&objects->line, *bytes, piece);
    piece += newline != NULL;
    *bytes += piece;
    *length -= piece;
    return newline != NULL && objects->line.length > 0;
}

bool git_objects_take_sizes(void *context, const char *bytes, size_t length, struct error *err)
{
    struct git_objects *objects = context;
    while (length > 0) {
        int64_t size;
        bool is_commit;
        if (!next_line(objects, &bytes, &length))
            continue;
        struct entry *entry = read_header(objects, objects->line.data, &is_commit, &size);
        buffer_clear(&objects->line);
        if (entry == NULL)
            return fail(err, REACT_REJECT, "git told the size of something else");
        entry->is_small = size >= 0 && size <= GIT_MANIFEST_MAX_BYTES;
    }
    return true;
}

// A signature is a header of the commit; what its message says is none.
// `gpgsig`, or `gpgsig-sha256` where names of both kinds are in use; signatures of SSH and X.509
// stand there too.
static bool has_signature(const char *bytes, size_t length)
{
    const char *end = memmem(bytes, length, "\n\n", 2);
    size_t header = end != NULL ? (size_t)(end - bytes) : length;
    return memmem(bytes, header, "\ngpgsig", 7) != NULL;
}

static void finish_object(struct git_objects *objects)
{
    struct entry *entry = objects->reading;
    const char *bytes = objects->content.length > 0 ? objects->content.data : "";
    entry->was_read = true;
    if (objects->is_commit)
        entry->is_signed = has_signature(bytes, objects->content.length);
    else if (entry->manifest.objects == NULL)
        git_manifest_read(bytes, objects->content.length, &entry->manifest);
    buffer_clear(&objects->content);
    objects->reading = NULL;
}

static bool begin_object(struct git_objects *objects, struct error *err)
{
    int64_t size;
    struct entry *entry = read_header(objects, objects->line.data, &objects->is_commit, &size);
    buffer_clear(&objects->line);
    if (entry == NULL || size > GIT_MANIFEST_MAX_BYTES)
        return fail(err, REACT_REJECT, "git told the content of something else");
    if (size < 0)
        return true; // it is gone since its size was told
    objects->reading = entry;
    objects->left = (size_t)size + 1;
    return true;
}

bool git_objects_take_contents(void *context, const char *bytes, size_t length, struct error *err)
{
    struct git_objects *objects = context;
    while (length > 0) {
        if (objects->reading == NULL) {
            if (next_line(objects, &bytes, &length) && !begin_object(objects, err))
                return false;
            continue;
        }
        size_t piece = length < objects->left ? length : objects->left;
        bool ends = piece == objects->left; // with a newline that is not the object's
        if (piece > ends)
            buffer_append(&objects->content, bytes, piece - ends);
        objects->left -= piece;
        bytes += piece;
        length -= piece;
        if (objects->left == 0)
            finish_object(objects);
    }
    return true;
}

const struct git_manifest *git_objects_manifest(const struct git_objects *objects, const char *id)
{
    const struct entry *entry = find(objects, id);
    return entry != NULL && entry->was_read ? &entry->manifest : NULL;
}

// What was not read may be signed: "none" is said only of what was seen.
bool git_objects_is_signed(const struct git_objects *objects, const char *id)
{
    const struct entry *entry = find(objects, id);
    return entry == NULL || !entry->was_read || entry->is_signed;
}
