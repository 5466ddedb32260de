// What a GitOps tool's object says it applied: a row for each place that it takes from, each sync,
// and the operation that ran last. Facts for views only; the fold does not read them.

#include "common/json.h"
#include "common/timestamp.h"
#include "store/facts.h"

#define TEXT_LONG 2000
#define MAX_ITEMS 1000 // of one list; a collector sends a tenth of it at most

// Not told is neither of the two.
struct told_bool {
    bool known, value;
};

// What all rows of one event share.
struct gitops_subject {
    const char *cluster, *tool, *resource, *kind, *namespace, *name;
    uint8_t uid[UUID_BYTES];
    int64_t position, at;
    bool removed;
    struct told_bool is_local;
    const char *target_namespace;
};

// One row's own columns, in their order.
struct gitops_row {
    const char *part; // source, sync, operation
    const char *sync_id, *revision;
    int64_t at;
    const char *phase;
    int64_t started_at, finished_at;
    const char *initiated_by;
    struct told_bool automated;
    const char *url, *source, *path, *chart, *target;
    struct told_bool recurses;
    const char *shaping;
};

static struct told_bool read_told_bool(struct field_reader *reader, const char *key)
{
    const cJSON *found = json_get(reader->object, key);
    return (struct told_bool){.known = found != NULL && !cJSON_IsNull(found),
                              .value = field_optional_bool(reader, key, false)};
}

static void copy_told_bool(struct copy *copy, struct told_bool told)
{
    if (told.known)
        copy_bool(copy, told.value);
    else
        copy_null(copy);
}

// Where the object applies to. Collectors before this member was there told nothing of it, and an
// object that applies nothing has none.
static bool read_destination(const struct batch_event *event, struct gitops_subject *subject,
                             struct error *err)
{
    struct field_reader reader = {.object = event->data, .err = err};
    const cJSON *destination = field_object(&reader, "destination", true);
    if (destination == NULL)
        return !reader.bad;
    reader.object = destination;
    subject->is_local = read_told_bool(&reader, "local");
    subject->target_namespace = field_optional_text(&reader, "namespace", TEXT_LONG);
    return !reader.bad;
}

static bool read_subject(const struct batch_event *event, struct gitops_subject *out,
                         struct error *err)
{
    struct field_reader reader = {.object = event->data, .err = err};
    const char *namespace = field_optional_text(&reader, "namespace", TEXT_INDEXED);
    *out = (struct gitops_subject){
        .cluster = field_text(&reader, "cluster", TEXT_INDEXED),
        .tool = field_text(&reader, "tool", TEXT_INDEXED),
        .resource = field_text(&reader, "resource", TEXT_INDEXED),
        .kind = field_text(&reader, "kind", TEXT_INDEXED),
        .namespace = namespace != NULL ? namespace : "",
        .name = field_text(&reader, "name", TEXT_INDEXED),
        .position = field_int64(&reader, "position"),
        .at = field_time(&reader, "at"),
        .removed = field_optional_bool(&reader, "removed", false),
    };
    field_uuid(&reader, "uid", out->uid);
    return !reader.bad && read_destination(event, out, err) &&
           facts_check_scope(event, out->cluster, out->namespace, err);
}

// All members of a source, a sync or an operation; each has some of them only.
static bool read_row(const cJSON *item, const char *part, struct gitops_row *row, struct error *err)
{
    struct field_reader reader = {.object = item, .err = err};
    if (!cJSON_IsObject(item))
        return fail(err, REACT_REJECT, "data holds a %s that is no object", part);
    *row = (struct gitops_row){
        .part = part,
        .sync_id = field_optional_text(&reader, "id", TEXT_INDEXED),
        .revision = field_optional_text(&reader, "revision", TEXT_LONG),
        .at = field_optional_time(&reader, "at"),
        .phase = field_optional_text(&reader, "phase", TEXT_INDEXED),
        .started_at = field_optional_time(&reader, "started_at"),
        .finished_at = field_optional_time(&reader, "finished_at"),
        .initiated_by = field_optional_text(&reader, "initiated_by", TEXT_LONG),
        .automated = read_told_bool(&reader, "automated"),
        .url = field_optional_text(&reader, "url", TEXT_LONG),
        .source = field_optional_text(&reader, "source", TEXT_LONG),
        .path = field_optional_text(&reader, "path", TEXT_LONG),
        .chart = field_optional_text(&reader, "chart", TEXT_LONG),
        .target = field_optional_text(&reader, "target", TEXT_LONG),
        .recurses = read_told_bool(&reader, "recurse"),
        .shaping = field_optional_text(&reader, "shaping", TEXT_INDEXED),
    };
    return !reader.bad;
}

// Order and types are those of the column list in facts.c: binary COPY checks the count alone.
static void add_row(struct copy *copy, const struct batch_event *event,
                    const struct gitops_subject *subject, const struct gitops_row *row,
                    int32_t ordinal)
{
    copy_row(copy, 30);
    copy_int64(copy, event->log_index);
    copy_int32(copy, ordinal);
    copy_text(copy, subject->cluster);
    copy_text(copy, subject->tool);
    copy_text(copy, subject->resource);
    copy_text(copy, subject->kind);
    copy_text(copy, subject->namespace);
    copy_text(copy, subject->name);
    copy_uuid(copy, subject->uid);
    copy_int64(copy, subject->position);
    copy_time(copy, facts_not_later(event, subject->at));
    copy_bool(copy, subject->removed);
    copy_text(copy, row->part);
    copy_text(copy, row->sync_id);
    copy_text(copy, row->revision);
    // The tool's own times are kept as told, also where their second is not over yet: by them an
    // operation is known again, and what is told at once must say the same as what is told later.
    copy_time(copy, row->at);
    copy_text(copy, row->phase);
    copy_time(copy, row->started_at);
    copy_time(copy, row->finished_at);
    copy_text(copy, row->initiated_by);
    // Where it is not told it must not be read as a sync that a person asked for.
    copy_told_bool(copy, row->automated);
    copy_text(copy, row->url);
    copy_text(copy, row->source);
    copy_text(copy, row->path);
    copy_text(copy, row->chart);
    copy_text(copy, row->target);
    copy_told_bool(copy, subject->is_local);
    copy_text(copy, subject->target_namespace);
    copy_told_bool(copy, row->recurses);
    copy_text(copy, row->shaping);
}

// Rows of one list go to `rows`, which is thrown away when one of them is wrong.
static bool add_list(struct copy *rows, const struct batch_event *event,
                     const struct gitops_subject *subject, const char *key, const char *part,
                     int32_t *ordinal, struct error *err)
{
    struct field_reader reader = {.object = event->data, .err = err};
    const cJSON *list = field_array(&reader, key, true);
    if (list != NULL && cJSON_GetArraySize(list) > MAX_ITEMS)
        return fail(err, REACT_REJECT, "data.%s has more than %d items", key, MAX_ITEMS);
    for (const cJSON *item = list != NULL ? list->child : NULL; item != NULL; item = item->next) {
        struct gitops_row row;
        if (!read_row(item, part, &row, err))
            return false;
        add_row(rows, event, subject, &row, (*ordinal)++);
    }
    return !reader.bad;
}

static bool add_rows(struct copy *rows, const struct batch_event *event,
                     const struct gitops_subject *subject, struct error *err)
{
    int32_t ordinal = 0;
    struct field_reader reader = {.object = event->data, .err = err};
    if (!add_list(rows, event, subject, "repositories", "source", &ordinal, err))
        return false;
    if (ordinal == 0) // the object itself, above all its end
        add_row(rows, event, subject,
                &(struct gitops_row){.part = "source",
                                     .at = TIMESTAMP_NONE,
                                     .started_at = TIMESTAMP_NONE,
                                     .finished_at = TIMESTAMP_NONE},
                ordinal++);
    if (!add_list(rows, event, subject, "syncs", "sync", &ordinal, err))
        return false;
    const cJSON *operation = field_object(&reader, "operation", true);
    struct gitops_row row;
    if (operation != NULL && !read_row(operation, "operation", &row, err))
        return false;
    if (operation != NULL)
        add_row(rows, event, subject, &row, ordinal);
    return !reader.bad;
}

bool facts_take_gitops(struct facts *facts, const struct batch_event *event, struct error *err)
{
    struct gitops_subject subject;
    struct copy rows = {0};
    bool taken = read_subject(event, &subject, err) && add_rows(&rows, event, &subject, err);
    if (taken)
        copy_move(&facts->gitops_sync, &rows);
    copy_reset(&rows);
    return taken;
}
