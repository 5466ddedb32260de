// Azure Kubernetes Service: resource logs of categories kube-audit and kube-audit-admin, as
// diagnostic settings send them to a storage account or an Event Hub (Azure Monitor, "Common and
// service-specific schemas for Azure resource logs"; "Monitoring data reference for AKS").

#include "collector/audit_delivery.h"

#include <string.h>

#include "collector/json_string.h"
#include "common/buffer.h"

struct aks {
    const struct audit_taker *taker;
    size_t index;
    struct buffer log; // the event being given
};

// The last part of /subscriptions/.../managedClusters/NAME; Azure spells ids in upper case here.
static char *cluster_of(struct span resource_id)
{
    char *text = span_text(resource_id);
    const char *slash = text ? strrchr(text, '/') : NULL;
    if (slash != NULL)
        memmove(text, slash + 1, strlen(slash));
    return text;
}

static bool give(struct aks *aks, struct span event, struct span resource_id, const char *problem,
                 struct error *err)
{
    SCOPED(xfree_char) char *cluster = cluster_of(resource_id);
    const struct audit_delivered delivered = {
        .event = event, .cluster = cluster, .index = aks->index++, .problem = problem};
    return aks->taker->take(aks->taker->context, &delivered, err);
}

// properties.log is the audit event as text.
static bool take_log(struct aks *aks, struct span record, struct span resource_id,
                     struct span properties, struct error *err)
{
    static const char *const keys[] = {"log"};
    struct span log = {0};
    if (properties.bytes != NULL && properties.bytes[0] == '{' &&
        !span_members(properties, keys, &log, 1, err))
        return false;
    if (log.bytes == NULL || log.bytes[0] != '"')
        return give(aks, record, resource_id, "record without properties.log", err);
    buffer_clear(&aks->log);
    json_string_decode(log.bytes, log.length, &aks->log);
    struct span event = {aks->log.length > 0 ? aks->log.data : "", aks->log.length};
    return give(aks, event, resource_id, NULL, err);
}

static bool take_record(struct span object, size_t index, void *context, struct error *err)
{
    enum { CATEGORY, RESOURCE_ID, PROPERTIES, MEMBERS };
    static const char *const keys[MEMBERS] = {"category", "resourceId", "properties"};
    struct aks *aks = context;
    struct span member[MEMBERS];
    (void)index;
    if (!span_members(object, keys, member, MEMBERS, err))
        return false;
    if (member[CATEGORY].bytes == NULL)
        return fail(err, REACT_REJECT, "no record of Azure Monitor");
    if (!span_is(member[CATEGORY], "kube-audit") && !span_is(member[CATEGORY], "kube-audit-admin"))
        return true; // another component's log
    return take_log(aks, object, member[RESOURCE_ID], member[PROPERTIES], err);
}

// A record, or the message of an Event Hub: {"records": [...]}.
static bool take_object(struct span object, size_t index, void *context, struct error *err)
{
    static const char *const keys[] = {"records"};
    struct span records;
    if (!span_members(object, keys, &records, 1, err))
        return false;
    if (records.bytes == NULL || records.bytes[0] != '[')
        return take_record(object, index, context, err);
    return audit_delivery_objects(records, take_record, context, err);
}

bool audit_delivery_aks(struct span line, const struct audit_taker *taker, struct error *err)
{
    struct aks aks = {.taker = taker};
    bool taken = audit_delivery_objects(line, take_object, &aks, err);
    buffer_reset(&aks.log);
    return taken;
}
