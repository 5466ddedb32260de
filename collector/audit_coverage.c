// scope.watched, scope.gap and looks of an audit log or a webhook, one for each aspect and
// namespace.

#include "collector/audit_coverage.h"

#include <string.h>

#include "common/event.h"
#include "common/json.h"
#include "common/text.h"
#include "common/timestamp.h"

static const char *const aspects[] = {"actor", "state"};

const char *audit_coverage_source(const struct audit_coverage *coverage)
{
    return coverage->source ? coverage->source : "audit_log";
}

bool audit_coverage_has(const struct audit_coverage *coverage, const char *namespace)
{
    for (size_t i = 0; i < coverage->namespace_count; i++) {
        if (text_equal(coverage->namespaces[i], namespace))
            return true;
    }
    return coverage->namespace_count == 0;
}

static size_t aspect_count(const struct audit_coverage *coverage)
{
    return coverage->complete ? 2 : 1;
}

// At least one scope: with no namespaces named it is the cluster, spelled as a null namespace.
static size_t scope_count(const struct audit_coverage *coverage)
{
    return coverage->namespace_count > 0 ? coverage->namespace_count : 1;
}

static const char *scope_namespace(const struct audit_coverage *coverage, size_t index)
{
    return coverage->namespace_count > 0 ? coverage->namespaces[index] : NULL;
}

static void add_time(cJSON *data, const char *key, int64_t at)
{
    char text[TIMESTAMP_TEXT];
    timestamp_format(at, text);
    json_add_text(data, key, at == TIMESTAMP_NONE ? NULL : text);
}

static cJSON *new_scope(const char *cluster, const char *aspect, const char *namespace,
                        const char *resource)
{
    cJSON *data = cJSON_CreateObject();
    json_add_text(data, "aspect", aspect);
    json_add_text(data, "cluster", cluster);
    json_add_text(data, "namespace", namespace);
    json_add_text(data, "resource", resource);
    return data;
}

static bool send(struct outbox *outbox, const char *type, int64_t time, const cJSON *data,
                 struct error *err)
{
    SCOPED(xfree_char) char *text = json_print(data);
    return outbox_event(outbox, type, NULL, time, text, strlen(text), err);
}

static bool send_watched(struct outbox *outbox, const struct audit_coverage *coverage,
                         const char *aspect, const char *namespace, int64_t since, int64_t through,
                         struct error *err)
{
    SCOPED(cJSON_Delete)
    cJSON *data = new_scope(outbox_cluster(outbox), aspect, namespace, NULL);
    json_add_text(data, "source", audit_coverage_source(coverage));
    json_add_text(data, "kind", NULL);
    add_time(data, "watched_since", since);
    add_time(data, "through", through);
    cJSON_AddTrueToObject(data, "installed");
    return send(outbox, TYPE_SCOPE_WATCHED, through, data, err);
}

static bool send_gap(struct outbox *outbox, const char *aspect, const char *namespace,
                     const char *resource, int64_t from, int64_t to, const char *reason,
                     struct error *err)
{
    SCOPED(cJSON_Delete)
    cJSON *data = new_scope(outbox_cluster(outbox), aspect, namespace, resource);
    add_time(data, "from", from);
    add_time(data, "to", to);
    json_add_text(data, "reason", reason);
    return send(outbox, TYPE_SCOPE_GAP, from, data, err);
}

bool audit_watched_emit(struct outbox *outbox, const struct audit_coverage *coverage, int64_t since,
                        int64_t through, struct error *err)
{
    for (size_t a = 0; a < aspect_count(coverage); a++) {
        for (size_t s = 0; s < scope_count(coverage); s++) {
            if (!send_watched(outbox, coverage, aspects[a], scope_namespace(coverage, s), since,
                              through, err))
                return false;
        }
    }
    return true;
}

bool audit_gap_emit(struct outbox *outbox, const struct audit_coverage *coverage, int64_t from,
                    int64_t to, const char *reason, struct error *err)
{
    for (size_t a = 0; a < aspect_count(coverage); a++) {
        for (size_t s = 0; s < scope_count(coverage); s++) {
            if (!send_gap(outbox, aspects[a], scope_namespace(coverage, s), NULL, from, to, reason,
                          err))
                return false;
        }
    }
    return true;
}

bool audit_state_gap_emit(struct outbox *outbox, const char *namespace, const char *resource,
                          int64_t from, int64_t to, const char *reason, struct error *err)
{
    return send_gap(outbox, "state", namespace, resource, from, to, reason, err);
}

void audit_looks_add(cJSON *array, const struct audit_coverage *coverage, const char *cluster,
                     int64_t since, int64_t through)
{
    for (size_t a = 0; a < aspect_count(coverage); a++) {
        for (size_t s = 0; s < scope_count(coverage); s++) {
            cJSON *look = new_scope(cluster, aspects[a], scope_namespace(coverage, s), NULL);
            add_time(look, "watched_since", since);
            add_time(look, "through", through);
            cJSON_AddItemToArray(array, look);
        }
    }
}
