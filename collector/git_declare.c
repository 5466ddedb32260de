// What git told of a commit, in the words of docs/events.md. All that people wrote is made visible
// UTF-8, and loses what redaction takes out of any text, but for names and addresses of people.

#include "collector/git_declare.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "collector/git_declare_parts.h"
#include "collector/redact_message.h"
#include "common/event.h"
#include "common/json.h"
#include "common/text.h"
#include "common/timestamp.h"

#define SUBJECT_MAX 1000
#define PERSON_MAX 500
#define TRAILER_MAX 500
#define TRAILERS_MAX 50
#define BROUGHT_MAX 1000
#define ENVELOPE_BYTES 4096
#define LAST_SECOND INT64_C(253402300799) // of the year 9999

const char *git_folder_of(const struct git_options *options, const char *path, bool *outside)
{
    for (size_t i = 0; i < options->folder_count; i++) {
        const char *folder = options->folders[i].path;
        size_t length = strlen(folder);
        // overlays/production is not in overlays/prod.
        if (strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0')) {
            *outside = false;
            return options->folders[i].name;
        }
    }
    *outside = options->folder_count > 0;
    return NULL;
}

// Without a trust root git is not asked about signatures: whether there is one is read in the
// commit.
void git_declare_want(const struct git_declaration *declaration, const struct git_commit *commit,
                      struct git_objects *objects)
{
    if (!git_repository_verifies(declaration->repository))
        git_objects_want(objects, commit->fields[GIT_FIELD_ID]);
    for (size_t i = 0; i < commit->change_count; i++) {
        const struct git_change *change = &commit->changes[i];
        bool outside;
        git_folder_of(declaration->options, change->path, &outside);
        if (outside || !git_manifest_is_path(change->path))
            continue;
        if (change->before[0] != '\0')
            git_objects_want(objects, change->before);
        if (change->after[0] != '\0')
            git_objects_want(objects, change->after);
    }
}

// Behind the last whole character within `most` bytes.
static size_t cut(const char *text, size_t length, size_t most)
{
    if (length <= most)
        return length;
    while (most > 0 && ((unsigned char)text[most] & 0xc0) == 0x80)
        most--;
    return most;
}

static char *visible(const char *text, size_t length, size_t most, bool redact)
{
    SCOPED_BUFFER seen = {0};
    SCOPED_BUFFER clean = {0};
    text_append_visible(&seen, text, length);
    if (seen.length == 0)
        return xstrdup("");
    bool redacted = redact && redact_message(seen.data, seen.length, &clean);
    const struct buffer *result = redacted ? &clean : &seen;
    return xstrndup(result->data, cut(result->data, result->length, most));
}

void git_declare_words(cJSON *to, const char *key, const char *text, size_t most, bool redact)
{
    SCOPED(xfree_char) char *words = visible(text, strlen(text), most, redact);
    json_add_text(to, key, words[0] != '\0' ? words : NULL);
}

// As the writer's clock said; one outside of the years that we print is none.
static void add_seconds(cJSON *to, const char *key, const char *seconds)
{
    int64_t value;
    char text[TIMESTAMP_TEXT];
    bool known = text_to_int64(seconds, &value) && value >= 0 && value <= LAST_SECOND;
    if (known)
        timestamp_format(value * 1000000, text);
    json_add_text(to, key, known ? text : NULL);
}

// Address and time follow the name in enum git_field.
static void add_person(cJSON *data, const char *key, const struct git_commit *commit,
                       enum git_field name)
{
    cJSON *person = cJSON_AddObjectToObject(data, key);
    git_declare_words(person, "name", commit->fields[name], PERSON_MAX, false);
    git_declare_words(person, "email", commit->fields[name + 1], PERSON_MAX, false);
    add_seconds(person, "at", commit->fields[name + 2]);
}

static void add_parents(cJSON *data, const char *parents)
{
    cJSON *list = cJSON_AddArrayToObject(data, "parents");
    while (*parents != '\0') {
        size_t length = strcspn(parents, " ");
        SCOPED(xfree_char) char *parent = xstrndup(parents, length);
        cJSON_AddItemToArray(list, cJSON_CreateString(parent));
        parents += length + (parents[length] == ' ');
    }
}

// Good only when git checked it against a trust root that was configured, and found its key there.
static const char *signature_word(const struct git_declaration *declaration,
                                  const struct git_commit *commit)
{
    const char *letter = commit->fields[GIT_FIELD_SIGNATURE];
    if (!git_repository_verifies(declaration->repository)) {
        bool is_signed = git_objects_is_signed(declaration->objects, commit->fields[GIT_FIELD_ID]);
        return is_signed ? "unverified" : "none";
    }
    switch (letter[0]) {
    case 'G':
        return "good";
    case 'B': // bad
    case 'R': // by a key that was revoked
        return "bad";
    case 'U': // good, by a key that nobody vouches for
    case 'E': // the key is not there
        return "unknown_key";
    case 'N':
        return "none";
    default: // X, Y: expired
        return "unverified";
    }
}

static void add_signature(cJSON *data, const struct git_declaration *declaration,
                          const struct git_commit *commit)
{
    const char *word = signature_word(declaration, commit);
    json_add_text(data, "signature", word);
    if (strcmp(word, "good") == 0)
        git_declare_words(data, "signer", commit->fields[GIT_FIELD_SIGNER], PERSON_MAX, false);
    else
        cJSON_AddNullToObject(data, "signer");
}

// All trailers of one name, whatever their case, as git has it.
static void add_trailer(cJSON *trailers, const char *key, const char *name, const char *lines)
{
    cJSON *list = cJSON_AddArrayToObject(trailers, key);
    size_t length = strlen(name);
    while (*lines != '\0') {
        size_t line = strcspn(lines, "\n");
        if (line > length && strncasecmp(lines, name, length) == 0 && lines[length] == ':' &&
            cJSON_GetArraySize(list) < TRAILERS_MAX) {
            const char *value = lines + length + 1 + strspn(lines + length + 1, " \t");
            size_t size = value < lines + line ? (size_t)(lines + line - value) : 0;
            SCOPED(xfree_char) char *text = visible(value, size, TRAILER_MAX, true);
            if (text[0] != '\0')
                cJSON_AddItemToArray(list, cJSON_CreateString(text));
        }
        lines += line + (lines[line] == '\n');
    }
}

static void add_trailers(cJSON *data, const struct git_commit *commit)
{
    const char *lines = commit->fields[GIT_FIELD_TRAILERS];
    cJSON *trailers = cJSON_AddObjectToObject(data, "trailers");
    add_trailer(trailers, "ticket", "Ticket", lines);
    add_trailer(trailers, "approved_by", "Approved-by", lines);
    add_trailer(trailers, "co_authored_by", "Co-authored-by", lines);
    add_trailer(trailers, "signed_off_by", "Signed-off-by", lines);
}

static void add_brought(cJSON *data, const struct git_walk *walk, size_t index)
{
    cJSON *brought = cJSON_AddArrayToObject(data, "brought");
    size_t count = 0;
    for (size_t at = git_walk_first_brought(walk, index); at != SIZE_MAX;
         at = git_walk_next_brought(walk, at)) {
        if (count++ < BROUGHT_MAX)
            cJSON_AddItemToArray(brought, cJSON_CreateString(git_walk_id(walk, at)));
    }
    cJSON_AddNumberToObject(data, "brought_count", (double)count);
}

static char *print(const char *cluster, const struct git_declaration *declaration, size_t index,
                   const struct git_commit *commit, const struct git_moves *moves,
                   enum git_detail detail)
{
    SCOPED(cJSON_Delete) cJSON *data = cJSON_CreateObject();
    json_add_text(data, "cluster", cluster);
    json_add_text(data, "repository", git_repository_name(declaration->repository));
    json_add_text(data, "branch", git_repository_branch(declaration->repository));
    json_add_text(data, "commit", commit->fields[GIT_FIELD_ID]);
    add_parents(data, commit->fields[GIT_FIELD_PARENTS]);
    cJSON_AddBoolToObject(data, "mainline", git_walk_is_mainline(declaration->walk, index));
    add_brought(data, declaration->walk, index);
    json_add_text(data, "rewrote", declaration->rewrote[0] != '\0' ? declaration->rewrote : NULL);
    add_person(data, "author", commit, GIT_FIELD_AUTHOR);
    add_person(data, "committer", commit, GIT_FIELD_COMMITTER);
    add_signature(data, declaration, commit);
    git_declare_words(data, "subject", commit->fields[GIT_FIELD_SUBJECT], SUBJECT_MAX, true);
    add_trailers(data, commit);
    git_declare_paths(data, declaration, commit, moves, detail);
    return json_print(data);
}

// When it was committed, as the committer's clock said, or NONE.
static int64_t commit_time(const struct git_commit *commit)
{
    int64_t seconds;
    bool known = text_to_int64(commit->fields[GIT_FIELD_COMMITTED], &seconds) && seconds >= 0 &&
                 seconds <= LAST_SECOND;
    return known ? seconds * 1000000 : TIMESTAMP_NONE;
}

// A commit that is too large for an event loses its objects first, then its paths; what was left
// out is counted. Who wrote it is always told.
bool git_declare(struct outbox *outbox, const struct git_declaration *declaration, size_t index,
                 const struct git_commit *commit, struct error *err)
{
    SCOPED(git_moves_free) struct git_moves *moves = git_declare_moves(declaration, commit);
    for (enum git_detail detail = GIT_DETAIL_ALL; detail <= GIT_DETAIL_NONE; detail++) {
        SCOPED(xfree_char)
        char *text = print(outbox_cluster(outbox), declaration, index, commit, moves, detail);
        size_t length = strlen(text);
        if (length + ENVELOPE_BYTES <= EVENT_MAX_BYTES || detail == GIT_DETAIL_NONE)
            return outbox_event(outbox, TYPE_COMMIT_DECLARED, NULL, commit_time(commit), text,
                                length, err);
    }
    return true;
}
