// OpenShift: the API servers' own files as `oc adm node-logs` prints them, with the node's name
// before each line when it asks several nodes, and the records of OpenShift Logging's forwarder. A
// forwarder's record is the audit event with members of its own, and its `level` is a log's.

#include "collector/audit_delivery.h"

#include <string.h>

#include "common/buffer.h"

struct openshift {
    const struct audit_taker *taker;
    size_t index;
    struct buffer event; // the one being given, when it is not in the line as it stands
};

// The event with the value of `level` exchanged for the audit level.
static struct span with_level(struct openshift *openshift, struct span event, struct span level,
                              struct span audit_level)
{
    if (level.bytes == NULL || audit_level.bytes == NULL || audit_level.bytes[0] != '"')
        return event;
    const char *behind = level.bytes + level.length;
    buffer_clear(&openshift->event);
    buffer_append(&openshift->event, event.bytes, (size_t)(level.bytes - event.bytes));
    buffer_append(&openshift->event, audit_level.bytes, audit_level.length);
    buffer_append(&openshift->event, behind, (size_t)(event.bytes + event.length - behind));
    return (struct span){openshift->event.data, openshift->event.length};
}

// openshift.cluster_id: one store of logs may have those of many clusters.
static bool find_cluster(struct span openshift, char **cluster, struct error *err)
{
    static const char *const keys[] = {"cluster_id"};
    struct span id = {0};
    if (openshift.bytes != NULL && openshift.bytes[0] == '{' &&
        !span_members(openshift, keys, &id, 1, err))
        return false;
    *cluster = span_text(id);
    return true;
}

// What other components log is passed over: a forwarder may send it to the same place, and
// OpenShift's own API servers have no models.
static bool take_object(struct span object, size_t index, void *context, struct error *err)
{
    enum { KIND, LEVEL, AUDIT_LEVEL, OTHERS_LEVEL, LOG_TYPE, OPENSHIFT, MEMBERS };
    static const char *const keys[MEMBERS] = {
        "kind", "level", "k8s_audit_level", "openshift_audit_level", "log_type", "openshift"};
    struct openshift *openshift = context;
    struct span member[MEMBERS];
    SCOPED(xfree_char) char *cluster = NULL;
    (void)index;
    if (!span_members(object, keys, member, MEMBERS, err) ||
        !find_cluster(member[OPENSHIFT], &cluster, err))
        return false;
    bool forwarded = member[LOG_TYPE].bytes != NULL;
    if (member[OTHERS_LEVEL].bytes != NULL || (forwarded && !span_is(member[LOG_TYPE], "audit")))
        return true;
    if (!span_is(member[KIND], "Event"))
        return forwarded || fail(err, REACT_REJECT, "no audit event");
    const struct audit_delivered delivered = {
        .event = with_level(openshift, object, member[LEVEL], member[AUDIT_LEVEL]),
        .cluster = cluster,
        .index = openshift->index++};
    return openshift->taker->take(openshift->taker->context, &delivered, err);
}

// How long "NODE " is before an object; 0 when there is no such thing.
static size_t prefix_length(struct span line)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
    size_t length = 0;
    while (length < line.length && line.bytes[length] != '\0' &&
           strchr(allowed, line.bytes[length]) != NULL)
        length++;
    bool named = length > 0 && length + 1 < line.length && line.bytes[length] == ' ' &&
                 line.bytes[length + 1] == '{';
    return named ? length + 1 : 0;
}

bool audit_delivery_openshift(struct span line, const struct audit_taker *taker, struct error *err)
{
    struct openshift openshift = {.taker = taker};
    size_t prefix = prefix_length(line);
    struct span text = {line.bytes + prefix, line.length - prefix};
    bool taken = audit_delivery_objects(text, take_object, &openshift, err);
    buffer_reset(&openshift.event);
    return taken;
}
