// Which event becomes which facts, and sending them. What a type's data holds is read in facts_*.c.

#include "store/facts.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/text.h"
#include "common/timestamp.h"
#include "store/central.h"

// The store's own events (no entry of the allow-list) may speak for everything.
bool facts_check_scope(const struct batch_event *event, const char *cluster, const char *namespace,
                       struct error *err)
{
    if (event->allowed == NULL || allowed_namespace(event->allowed, cluster, namespace))
        return true;
    return fail(err, REACT_REJECT, "%.64s may not speak for %.100s/%.100s", event->collector,
                cluster, namespace != NULL && *namespace != '\0' ? namespace : "*");
}

// Asking facts_check_scope about no namespace would ask for the whole cluster.
bool facts_check_cluster(const struct batch_event *event, const char *cluster, struct error *err)
{
    if (event->allowed == NULL || text_equal(event->allowed->cluster, cluster))
        return true;
    return facts_check_scope(event, cluster, NULL, err);
}

int64_t facts_not_later(const struct batch_event *event, int64_t at)
{
    return at > event->recorded_at ? event->recorded_at : at;
}

int64_t facts_raised(const struct batch_event *event, int64_t at)
{
    return at == TIMESTAMP_NONE ? at : at + event->lag_us;
}

int64_t facts_by_clock(const struct batch_event *event, int64_t at)
{
    return facts_not_later(event, facts_raised(event, at));
}

void facts_copy_texts(struct copy *row, const cJSON *list)
{
    if (list == NULL) {
        copy_null(row);
        return;
    }
    size_t count = 0;
    const char **texts = xcalloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(*texts));
    for (const cJSON *item = list->child; item != NULL; item = item->next)
        texts[count++] = item->valuestring;
    copy_texts(row, texts, count);
    free(texts);
}

// The collector could not use its input; its reason is ours.
// Always "false": it becomes a quarantined row, which is how unusable input is listed, whoever
// found it to be so (D10). No namespace is told, so only the cluster can be checked.
static bool take_rejected(struct facts *facts, const struct batch_event *event, struct error *err)
{
    (void)facts;
    struct field_reader reader = {.object = event->data, .err = err};
    const char *cluster = field_text(&reader, "cluster", TEXT_INDEXED);
    const char *reason = field_text(&reader, "reason", TEXT_ANY);
    if (reader.bad || !facts_check_cluster(event, cluster, err))
        return false;
    return fail(err, REACT_REJECT, "%s", reason);
}

// The allow-list is in force through the configuration; the log only remembers it.
static bool take_allow_list(struct facts *facts, const struct batch_event *event, struct error *err)
{
    (void)facts;
    struct field_reader reader = {.object = event->data, .err = err};
    field_array(&reader, "collectors", false);
    return !reader.bad;
}

struct taker {
    const char *type;
    bool from_store; // only the store itself may send it
    bool (*take)(struct facts *facts, const struct batch_event *event, struct error *err);
};

// A new type is a row here, a taker in facts_*.c, a table with its COPY in facts_send, and its page
// in docs/events.md.
static const struct taker takers[] = {
    {TYPE_WORKLOAD_OBSERVED, false, facts_take_observed},
    {TYPE_REQUEST_AUDITED, false, facts_take_request},
    {TYPE_REQUEST_REVIEWED, false, facts_take_review},
    {TYPE_SCOPE_LISTED, false, facts_take_listed},
    {TYPE_SCOPE_WATCHED, false, facts_take_watched},
    {TYPE_SCOPE_GAP, false, facts_take_gap},
    {TYPE_NAMESPACE_OBSERVED, false, facts_take_namespace},
    {TYPE_GITOPS_OBSERVED, false, facts_take_gitops},
    {TYPE_COMMIT_DECLARED, false, facts_take_commit},
    {TYPE_INPUT_REJECTED, false, take_rejected},
    {TYPE_CENTRAL_APPLIED, true, central_take},
    {TYPE_ALLOW_LIST_LOADED, true, take_allow_list},
};

// A type that nobody knows is not an error of the collector: it may be newer than we are.
static bool take(struct facts *facts, const struct batch_event *event, struct error *err)
{
    for (size_t i = 0; i < sizeof(takers) / sizeof(*takers); i++) {
        if (strcmp(takers[i].type, event->type) != 0)
            continue;
        // Else a collector's key could change environments and names.
        if (takers[i].from_store && event->allowed != NULL)
            return fail(err, REACT_REJECT, "only the store may send %s", event->type);
        return takers[i].take(facts, event, err);
    }
    return fail(err, REACT_REJECT, "unknown type");
}

void facts_add(struct facts *facts, struct batch_event *event)
{
    struct error err = {0};
    if (event->quarantined[0] != '\0')
        return;
    if (!take(facts, event, &err))
        batch_event_quarantine(event, err.text);
}

// A workload's row comes from the first event that named it; later ones change nothing.
static bool send_workloads(struct facts *facts, struct database *db, struct error *err)
{
    struct copy rows = {0};
    for (size_t i = 0; i < facts->touched.count; i++) {
        struct touched_workload *workload = facts->touched.items[i];
        const struct touched_object *object = workload->object;
        // The head was loaded: a name says that the row is there already.
        if (object == NULL || workload->name != NULL)
            continue;
        copy_row(&rows, 8);
        copy_text(&rows, workload->cluster);
        copy_text(&rows, workload->resource);
        copy_uuid(&rows, workload->uuid);
        copy_int64(&rows, object->log_index);
        copy_text(&rows, object->kind);
        copy_text(&rows, object->namespace);
        copy_text(&rows, object->name);
        copy_uuid(&rows, object->owner_uid);
        // From here on the workload is known to the folds of this batch too.
        workload->name = object->name;
        workload->namespace = object->namespace;
    }
    bool sent = copy_send(db,
                          "modeltrail.workload (cluster, resource, uid, log_index, kind, namespace,"
                          " name, owner_uid)",
                          &rows, err);
    copy_reset(&rows);
    return sent;
}

// The column lists are the order of the copy_* calls in facts_*.c and central.c. The central file
// comes last: the environment map is derived from rows that must be there.
bool facts_send(struct facts *facts, struct database *db, struct error *err)
{
    return send_workloads(facts, db, err) &&
           copy_send(db,
                     "modeltrail.state (cluster, resource, uid, position, log_index, at, at_source,"
                     " not_before, extractor, generation, ready, removed, detail, origin)",
                     &facts->state, err) &&
           copy_send(db,
                     "modeltrail.listing (cluster, resource, namespace, log_index, kind, position,"
                     " listed_at, looked_at, watched_since, selector, members, uid_from, uid_to)",
                     &facts->listing, err) &&
           copy_send(db,
                     "modeltrail.gap (log_index, collector, cluster, aspect, namespace, resource,"
                     " from_at, to_at, reason, told_from)",
                     &facts->gap, err) &&
           copy_send(db,
                     "modeltrail.watched (log_index, collector, cluster, aspect, source, namespace,"
                     " resource, kind, watched_since, through, installed)",
                     &facts->watched, err) &&
           copy_send(
               db,
               "modeltrail.request (log_index, cluster, audit_id, stage, verb, resource, kind,"
               " subresource, namespace, name, uid, position, generation, removes, code,"
               " message, dry_run, at, principal, groups, impersonated_by, via, user_agent,"
               " source_ip, evidence, level)",
               &facts->request, err) &&
           copy_send(db,
                     "modeltrail.namespace_label (cluster, namespace, position, log_index, at,"
                     " environment, labels, removed, gitops_tool, gitops_repository)",
                     &facts->namespace_label, err) &&
           copy_send(db,
                     "modeltrail.gitops_sync (log_index, ordinal, cluster, tool, resource, kind,"
                     " namespace, name, uid, position, observed_at, removed, part, sync_id,"
                     " revision, at, phase, started_at, finished_at, initiated_by, automated, url,"
                     " source, path, chart, target, is_local, target_namespace, recurses, shaping)",
                     &facts->gitops_sync, err) &&
           copy_send(db,
                     "modeltrail.commit (log_index, cluster, repository, branch, commit_id,"
                     " parents, mainline, brought, author_name, author_email, authored_at,"
                     " committer_name, committer_email, committed_at, signature, signer, subject,"
                     " tickets, approved_by, co_authored_by, signed_off_by, rewrote, collector)",
                     &facts->commit, err) &&
           copy_send(db,
                     "modeltrail.commit_path (log_index, ordinal, cluster, repository, branch,"
                     " commit_id, path, folder, path_change, rendered, api_group, kind, namespace,"
                     " name, object_change, moved_from, moved_to)",
                     &facts->commit_path, err) &&
           central_send(facts, db, err);
}

void facts_reset(struct facts *facts)
{
    struct copy *const copies[] = {
        &facts->state,   &facts->listing,         &facts->gap,     &facts->watched,
        &facts->request, &facts->namespace_label, &facts->central, &facts->environment,
        &facts->person,  &facts->gitops_sync,     &facts->commit,  &facts->commit_path,
    };
    for (size_t i = 0; i < sizeof(copies) / sizeof(*copies); i++)
        copy_reset(copies[i]);
    touched_reset(&facts->touched);
    free(facts->listings);
    free(facts->scoped);
    free(facts->centrals);
    buffer_reset(&facts->scratch);
    *facts = (struct facts){0};
}
