// What a commit of a watched branch declares: who wrote and who committed it, what it says of
// itself, and which manifests it touched. Facts for views only; the fold does not read them.

#include "common/json.h"
#include "common/text.h"
#include "common/timestamp.h"
#include "store/facts.h"

#define TEXT_REPOSITORY 1024 // stands in index keys
#define TEXT_LONG 4096
#define MAX_ITEMS 10000

struct commit_person {
    const char *name, *email;
    int64_t at;
};

struct commit_row {
    const char *cluster, *repository, *branch, *commit;
    const cJSON *parents, *brought;
    bool mainline;
    struct commit_person author, committer;
    const char *signature, *signer, *subject, *rewrote;
    const cJSON *tickets, *approved_by, *co_authored_by, *signed_off_by;
};

static void read_person(struct field_reader *reader, const char *key, struct commit_person *out)
{
    struct field_reader person = {
        .object = field_object(reader, key, false), .err = reader->err, .bad = reader->bad};
    out->name = field_optional_text(&person, "name", TEXT_LONG);
    out->email = field_optional_text(&person, "email", TEXT_LONG);
    out->at = field_optional_time(&person, "at");
    reader->bad = person.bad;
}

// A list of texts; NULL when it is not told.
static const cJSON *read_texts(struct field_reader *reader, const char *key)
{
    const cJSON *list = field_array(reader, key, true);
    if (list != NULL && cJSON_GetArraySize(list) > MAX_ITEMS)
        field_refuse(reader, key, "has too many items");
    for (const cJSON *item = list != NULL ? list->child : NULL; item; item = item->next) {
        if (!cJSON_IsString(item))
            field_refuse(reader, key, "holds something else than strings");
    }
    return list;
}

static bool is_signature(const char *word)
{
    static const char *const words[] = {"good", "bad", "unknown_key", "none", "unverified"};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (text_equal(word, words[i]))
            return true;
    }
    return false;
}

// A commit is of no cluster: whoever may declare it names the people behind changes in all of them.
// So speaking for a cluster does not give that right; it is given by name.
static bool check_repository(const struct batch_event *event, const char *repository,
                             struct error *err)
{
    if (event->allowed == NULL || allowed_repository(event->allowed, repository))
        return true;
    return fail(err, REACT_REJECT,
                "%.64s may not declare commits of %.100s; hint: name it in 'repositories' of its "
                "entry in the store's allow-list",
                event->collector, repository);
}

static bool read_commit(const struct batch_event *event, struct commit_row *out, struct error *err)
{
    struct field_reader reader = {.object = event->data, .err = err};
    *out = (struct commit_row){
        .cluster = field_text(&reader, "cluster", TEXT_INDEXED),
        .repository = field_text(&reader, "repository", TEXT_REPOSITORY),
        .branch = field_text(&reader, "branch", TEXT_INDEXED),
        .commit = field_text(&reader, "commit", 64),
        .parents = read_texts(&reader, "parents"),
        .brought = read_texts(&reader, "brought"),
        .mainline = field_optional_bool(&reader, "mainline", false),
        .signature = field_text(&reader, "signature", 32),
        .signer = field_optional_text(&reader, "signer", TEXT_LONG),
        .subject = field_optional_text(&reader, "subject", TEXT_LONG),
        .rewrote = field_optional_text(&reader, "rewrote", 64),
    };
    read_person(&reader, "author", &out->author);
    read_person(&reader, "committer", &out->committer);
    struct field_reader trailers = {
        .object = field_object(&reader, "trailers", true), .err = err, .bad = reader.bad};
    out->tickets = read_texts(&trailers, "ticket");
    out->approved_by = read_texts(&trailers, "approved_by");
    out->co_authored_by = read_texts(&trailers, "co_authored_by");
    out->signed_off_by = read_texts(&trailers, "signed_off_by");
    if (!trailers.bad && !is_signature(out->signature))
        field_refuse(&trailers, "signature", "is no status of a signature");
    return !trailers.bad && facts_check_cluster(event, out->cluster, err) &&
           check_repository(event, out->repository, err);
}

static void add_person(struct copy *row, const struct commit_person *person)
{
    copy_text(row, person->name);
    copy_text(row, person->email);
    copy_time(row, person->at);
}

// Order and types are those of the column list in facts.c: binary COPY checks the count alone.
static void add_commit_row(struct copy *row, const struct batch_event *event,
                           const struct commit_row *commit)
{
    copy_row(row, 23);
    copy_int64(row, event->log_index);
    copy_text(row, commit->cluster);
    copy_text(row, commit->repository);
    copy_text(row, commit->branch);
    copy_text(row, commit->commit);
    facts_copy_texts(row, commit->parents);
    copy_bool(row, commit->mainline);
    facts_copy_texts(row, commit->brought);
    add_person(row, &commit->author);
    add_person(row, &commit->committer);
    copy_text(row, commit->signature);
    copy_text(row, commit->signer);
    copy_text(row, commit->subject);
    facts_copy_texts(row, commit->tickets);
    facts_copy_texts(row, commit->approved_by);
    facts_copy_texts(row, commit->co_authored_by);
    facts_copy_texts(row, commit->signed_off_by);
    copy_text(row, commit->rewrote);
    copy_text(row, event->collector);
}

// A touched path, with one object of it; the object's members are NULL when none could be read.
struct path_row {
    const char *path, *folder, *change;
    bool rendered;
    const char *group, *kind, *namespace, *name, *object_change;
    const char *moved_from, *moved_to; // the other path of an object that changed its file
};

static void add_path_row(struct copy *row, const struct batch_event *event,
                         const struct commit_row *commit, const struct path_row *path,
                         int32_t ordinal)
{
    copy_row(row, 17);
    copy_int64(row, event->log_index);
    copy_int32(row, ordinal);
    copy_text(row, commit->cluster);
    copy_text(row, commit->repository);
    copy_text(row, commit->branch);
    copy_text(row, commit->commit);
    copy_text(row, path->path);
    copy_text(row, path->folder);
    copy_text(row, path->change);
    copy_bool(row, path->rendered);
    copy_text(row, path->group);
    copy_text(row, path->kind);
    copy_text(row, path->namespace);
    copy_text(row, path->name);
    copy_text(row, path->object_change);
    copy_text(row, path->moved_from);
    copy_text(row, path->moved_to);
}

static bool read_path(const cJSON *item, struct path_row *out, struct error *err)
{
    struct field_reader reader = {.object = item, .err = err};
    *out = (struct path_row){.path = field_text(&reader, "path", TEXT_LONG * 4),
                             .folder = field_optional_text(&reader, "folder", TEXT_INDEXED),
                             .change = field_optional_text(&reader, "change", 32),
                             .rendered = field_optional_bool(&reader, "rendered", false)};
    return !reader.bad;
}

static bool read_object(const cJSON *item, struct path_row *out, struct error *err)
{
    struct field_reader reader = {.object = item, .err = err};
    out->group = field_optional_text(&reader, "group", TEXT_INDEXED);
    out->kind = field_text(&reader, "kind", TEXT_INDEXED);
    out->namespace = field_optional_text(&reader, "namespace", TEXT_INDEXED);
    out->name = field_text(&reader, "name", TEXT_INDEXED);
    out->object_change = field_optional_text(&reader, "change", 32);
    out->moved_from = field_optional_text(&reader, "from", TEXT_LONG * 4);
    out->moved_to = field_optional_text(&reader, "to", TEXT_LONG * 4);
    return !reader.bad;
}

// One row for each object, and one for a path without.
static bool add_paths(struct copy *rows, const struct batch_event *event,
                      const struct commit_row *commit, struct error *err)
{
    struct field_reader reader = {.object = event->data, .err = err};
    const cJSON *paths = field_array(&reader, "paths", true);
    int32_t ordinal = 0;
    for (const cJSON *item = paths != NULL ? paths->child : NULL; item; item = item->next) {
        struct path_row row;
        if (!read_path(item, &row, err))
            return false;
        const cJSON *objects = json_get(item, "objects");
        const cJSON *object = cJSON_IsArray(objects) ? objects->child : NULL;
        if (object == NULL)
            add_path_row(rows, event, commit, &row, ordinal++);
        for (; object != NULL; object = object->next) {
            if (!read_object(object, &row, err))
                return false;
            add_path_row(rows, event, commit, &row, ordinal++);
        }
    }
    return !reader.bad;
}

// All rows or none: a commit whose paths are not usable would look as though it had touched
// nothing.
bool facts_take_commit(struct facts *facts, const struct batch_event *event, struct error *err)
{
    struct commit_row commit;
    struct copy paths = {0};
    bool taken = read_commit(event, &commit, err) && add_paths(&paths, event, &commit, err);
    if (taken) {
        add_commit_row(&facts->commit, event, &commit);
        copy_move(&facts->commit_path, &paths);
    }
    copy_reset(&paths);
    return taken;
}
