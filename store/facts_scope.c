// What events say of scopes: listings, coverage, gaps, and the labels of namespaces.
// They are facts of their own, not of a workload: coverage is computed by views, and only listings
// reach the fold.

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/text.h"
#include "common/timestamp.h"
#include "store/facts.h"

// Tables spell "all" as '', events as null.
static const char *or_all(const char *text)
{
    return text ? text : "";
}

// An aspect that views do not ask for would be stored and never seen.
static bool check_aspect(struct field_reader *reader, const char *aspect)
{
    if (!reader->bad && strcmp(aspect, "state") != 0 && strcmp(aspect, "actor") != 0)
        field_refuse(reader, "aspect", "is neither state nor actor");
    return !reader->bad;
}

// The ids behind one another, in the caller's buffer.
// One that is no UUID refuses the listing: with one member missing, that workload would look
// removed.
static void read_members(struct field_reader *reader, const cJSON *members, struct buffer *out)
{
    buffer_clear(out);
    for (const cJSON *item = members ? members->child : NULL; item != NULL; item = item->next) {
        uint8_t uuid[UUID_BYTES];
        if (!cJSON_IsString(item) || !uuid_parse(item->valuestring, uuid)) {
            field_refuse(reader, "members", "holds something that is no UUID");
            return;
        }
        buffer_append(out, uuid, UUID_BYTES);
    }
}

struct listing_row {
    const char *cluster, *resource, *namespace, *kind;
    int64_t position, listed_at, watched_since;
    const char *selector;
    uint8_t from[UUID_BYTES];
    uint8_t to[UUID_BYTES];
    bool has_from, has_to;
};

// Members go to the scratch buffer, sixteen bytes each: a listing has thousands.
static bool read_listing(struct facts *facts, const struct batch_event *event,
                         struct listing_row *out, struct error *err)
{
    struct field_reader reader = {.object = event->data, .err = err};
    *out = (struct listing_row){
        .cluster = field_text(&reader, "cluster", TEXT_INDEXED),
        .resource = field_text(&reader, "resource", TEXT_INDEXED),
        .namespace = or_all(field_optional_text(&reader, "namespace", TEXT_INDEXED)),
        .kind = field_text(&reader, "kind", TEXT_INDEXED),
        .position = field_int64(&reader, "position"),
        .listed_at = field_time(&reader, "listed_at"),
        .watched_since = field_optional_time(&reader, "watched_since"),
        .selector = field_optional_text(&reader, "selector", TEXT_ANY),
    };
    out->has_from = field_optional_uuid(&reader, "uid_from", out->from);
    out->has_to = field_optional_uuid(&reader, "uid_to", out->to);
    if (out->position < 0)
        field_refuse(&reader, "position", "is negative");
    read_members(&reader, field_array(&reader, "members", false), &facts->scratch);
    return !reader.bad && facts_check_scope(event, out->cluster, out->namespace, err);
}

// The key only: its members are asked of the database, once the row is there (belief_listing.c).
static void note_listing(struct facts *facts, const struct listing_row *listing, int64_t log_index)
{
    struct fold_arena *arena = &facts->touched.arena;
    facts->listings = xgrow(facts->listings, &facts->listing_capacity, facts->listing_count + 1,
                            sizeof(*facts->listings));
    facts->listings[facts->listing_count++] = (struct facts_listing){
        .cluster = fold_arena_text(arena, listing->cluster),
        .resource = fold_arena_text(arena, listing->resource),
        .namespace = fold_arena_text(arena, listing->namespace),
        .log_index = log_index,
    };
}

// Members are kept whole (R3): who is lacking can only be told from who is there.
// A removal happened no later than listed_at, which a slow clock's lag raises; but nobody looked
// after the instant as it was told, and a lag may be none at all (a frame that lay somewhere).
bool facts_take_listed(struct facts *facts, const struct batch_event *event, struct error *err)
{
    struct listing_row listing;
    if (!read_listing(facts, event, &listing, err))
        return false;
    int64_t listed_at = facts_by_clock(event, listing.listed_at);
    int64_t looked_at = facts_not_later(event, listing.listed_at);
    struct copy *row = &facts->listing;
    copy_row(row, 13);
    copy_text(row, listing.cluster);
    copy_text(row, listing.resource);
    copy_text(row, listing.namespace);
    copy_int64(row, event->log_index);
    copy_text(row, listing.kind);
    copy_int64(row, listing.position);
    copy_time(row, listed_at);
    copy_time(row, looked_at == listed_at ? TIMESTAMP_NONE : looked_at);
    copy_time(row, facts_raised(event, listing.watched_since));
    copy_text(row, listing.selector);
    copy_uuids(row, (const uint8_t *)facts->scratch.data, facts->scratch.length / UUID_BYTES);
    copy_uuid(row, listing.has_from ? listing.from : NULL);
    copy_uuid(row, listing.has_to ? listing.to : NULL);
    note_listing(facts, &listing, event->log_index);
    return true;
}

// The end is cut to the recording time (D26), since a scope must not be covered in the future. The
// beginning of a slow clock is raised and its end is not: what is claimed may only become less.
// Audit events have their times from the API server.
bool facts_take_watched(struct facts *facts, const struct batch_event *event, struct error *err)
{
    struct field_reader reader = {.object = event->data, .err = err};
    const char *cluster = field_text(&reader, "cluster", TEXT_INDEXED);
    const char *aspect = field_text(&reader, "aspect", TEXT_INDEXED);
    const char *source = field_text(&reader, "source", TEXT_INDEXED);
    const char *namespace = field_optional_text(&reader, "namespace", TEXT_INDEXED);
    const char *resource = field_optional_text(&reader, "resource", TEXT_INDEXED);
    const char *kind = field_optional_text(&reader, "kind", TEXT_INDEXED);
    int64_t watched_since = field_time(&reader, "watched_since");
    int64_t through = field_time(&reader, "through");
    bool installed = field_optional_bool(&reader, "installed", true);
    if (!check_aspect(&reader, aspect) || !facts_check_scope(event, cluster, namespace, err))
        return false;
    bool by_clock = text_equal(source, "kubernetes") || text_equal(source, "admission");
    struct copy *row = &facts->watched;
    copy_row(row, 11);
    copy_int64(row, event->log_index);
    copy_text(row, event->collector);
    copy_text(row, cluster);
    copy_text(row, aspect);
    copy_text(row, source);
    copy_text(row, or_all(namespace));
    copy_text(row, or_all(resource));
    copy_text(row, kind);
    copy_time(row, by_clock ? facts_raised(event, watched_since) : watched_since);
    copy_time(row, facts_not_later(event, through));
    copy_bool(row, installed);
    return true;
}

struct gap_row {
    const char *cluster, *aspect, *resource, *reason;
    int64_t from, to;
};

static void add_gap(struct facts *facts, const struct batch_event *event, const struct gap_row *gap,
                    const char *namespace)
{
    struct copy *row = &facts->gap;
    copy_row(row, 10);
    copy_int64(row, event->log_index);
    copy_text(row, event->collector);
    copy_text(row, gap->cluster);
    copy_text(row, gap->aspect);
    copy_text(row, or_all(namespace));
    copy_text(row, or_all(gap->resource));
    copy_time(row, facts_not_later(event, gap->from));
    copy_time(row, facts_by_clock(event, gap->to));
    copy_text(row, gap->reason);
    copy_time(row, gap->from);
}

// A collector of some namespaces that lost it does not know what reports a gap of all it may speak
// for: these are its namespaces. (Refusing it would leave them covered.)
static bool is_of_all(const struct batch_event *event, const char *cluster, const char *namespace)
{
    return namespace == NULL && event->allowed != NULL && event->allowed->namespace_count > 0 &&
           strcmp(event->allowed->cluster, cluster) == 0;
}

// An open gap has no end, one that began before anybody looked no beginning. A gap of a fast clock
// is cut to its recording, or it would open, or last, when that clock's time has come; one of a
// slow clock ends later than it says. `told_from` names the gap in later words on it.
bool facts_take_gap(struct facts *facts, const struct batch_event *event, struct error *err)
{
    struct field_reader reader = {.object = event->data, .err = err};
    const char *namespace = field_optional_text(&reader, "namespace", TEXT_INDEXED);
    struct gap_row gap = {.cluster = field_text(&reader, "cluster", TEXT_INDEXED),
                          .aspect = field_text(&reader, "aspect", TEXT_INDEXED),
                          .resource = field_optional_text(&reader, "resource", TEXT_INDEXED),
                          .from = field_optional_time(&reader, "from"),
                          .to = field_optional_time(&reader, "to"),
                          .reason = field_text(&reader, "reason", TEXT_ANY)};
    if (!check_aspect(&reader, gap.aspect))
        return false;
    if (!is_of_all(event, gap.cluster, namespace)) {
        if (!facts_check_scope(event, gap.cluster, namespace, err))
            return false;
        add_gap(facts, event, &gap, namespace);
        return true;
    }
    for (size_t i = 0; i < event->allowed->namespace_count; i++)
        add_gap(facts, event, &gap, event->allowed->namespaces[i]);
    return true;
}

// Labels are kept whole; the one that names an environment has its own column (R23).
// A label that is too long for its index refuses the event; the other labels are kept as text, of
// any length.
bool facts_take_namespace(struct facts *facts, const struct batch_event *event, struct error *err)
{
    struct field_reader reader = {.object = event->data, .err = err};
    const char *cluster = field_text(&reader, "cluster", TEXT_INDEXED);
    const char *namespace = field_text(&reader, "namespace", TEXT_INDEXED);
    int64_t position = field_int64(&reader, "position");
    int64_t at = field_time(&reader, "at");
    const cJSON *labels = field_object(&reader, "labels", true);
    bool removed = field_optional_bool(&reader, "removed", false);
    struct field_reader label_reader = {.object = labels, .err = err, .bad = reader.bad};
    const char *environment =
        field_optional_text(&label_reader, "modeltrail.io/environment", TEXT_INDEXED);
    const cJSON *gitops = field_object(&reader, "gitops", true);
    struct field_reader gitops_reader = {.object = gitops, .err = err, .bad = reader.bad};
    const char *tool = gitops ? field_text(&gitops_reader, "tool", TEXT_INDEXED) : NULL;
    const char *repository = field_optional_text(&gitops_reader, "repository", TEXT_ANY);
    if (label_reader.bad || gitops_reader.bad || !facts_check_scope(event, cluster, namespace, err))
        return false;
    SCOPED(xfree_char) char *text = labels ? json_print(labels) : xstrdup("{}");
    struct copy *row = &facts->namespace_label;
    copy_row(row, 10);
    copy_text(row, cluster);
    copy_text(row, namespace);
    copy_int64(row, position);
    copy_int64(row, event->log_index);
    copy_time(row, facts_not_later(event, at));
    copy_text(row, environment);
    copy_text(row, text);
    copy_bool(row, removed);
    copy_text(row, tool);
    copy_text(row, repository);
    return true;
}
