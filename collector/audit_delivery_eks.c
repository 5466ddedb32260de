// Amazon EKS: control plane logs in CloudWatch Logs (Amazon EKS User Guide, "Send control plane
// logs to CloudWatch Logs"), as a subscription delivers them (CloudWatch Logs User Guide,
// "Real-time processing of log data with subscriptions"), as `aws logs` prints them, or as exported
// to S3.

#include "collector/audit_delivery.h"

#include <string.h>

#include "collector/audit_unpack.h"
#include "collector/json_string.h"
#include "common/buffer.h"
#include "common/text.h"

#define STREAM "kube-apiserver-audit"

// One line's decoding.
struct eks {
    const struct audit_taker *taker;
    const char *cluster; // of the envelope, NULL: not told
    size_t index;
    struct buffer message; // the one being given
};

static bool give(struct eks *eks, struct span event, const char *problem, struct error *err)
{
    const struct audit_delivered delivered = {
        .event = event, .cluster = eks->cluster, .index = eks->index++, .problem = problem};
    return eks->taker->take(eks->taker->context, &delivered, err);
}

// Streams are named by component: kube-apiserver-audit-ID holds the audit log, others text.
static bool is_audit_stream(struct span name)
{
    SCOPED(xfree_char) char *text = span_text(name);
    return text != NULL && text_starts_with(text, STREAM);
}

// One log event. Where no stream is named, what does not begin as an audit event is another's text.
static bool take_event(struct span object, size_t index, void *context, struct error *err)
{
    enum { EVENT_MESSAGE, EVENT_STREAM, EVENT_MEMBERS };
    static const char *const keys[EVENT_MEMBERS] = {"message", "logStreamName"};
    struct eks *eks = context;
    struct span member[EVENT_MEMBERS];
    (void)index;
    if (!span_members(object, keys, member, EVENT_MEMBERS, err))
        return false;
    if (member[EVENT_STREAM].bytes != NULL && !is_audit_stream(member[EVENT_STREAM]))
        return true;
    struct span message = member[EVENT_MESSAGE];
    if (message.bytes == NULL || message.bytes[0] != '"')
        return give(eks, object, "log event without its message", err);
    buffer_clear(&eks->message);
    json_string_decode(message.bytes, message.length, &eks->message);
    bool is_object = eks->message.length > 0 && eks->message.data[0] == '{';
    if (!is_object && eks->cluster == NULL && member[EVENT_STREAM].bytes == NULL)
        return true;
    return give(
        eks, (struct span){eks->message.length > 0 ? eks->message.data : "", eks->message.length},
        NULL, err);
}

// An envelope's events, or those of an answer of `aws logs`.
static bool take_events(struct eks *eks, struct span events, struct error *err)
{
    if (events.bytes == NULL || events.bytes[0] != '[')
        return fail(err, REACT_REJECT, "CloudWatch Logs message without its events");
    return audit_delivery_objects(events, take_event, eks, err);
}

// /aws/eks/NAME/cluster; of another group, which somebody made, all of its name.
static char *cluster_of(struct span group)
{
    static const char before[] = "/aws/eks/";
    static const char behind[] = "/cluster";
    char *text = span_text(group);
    if (text == NULL || !text_starts_with(text, before))
        return text;
    char *name = text + strlen(before);
    size_t length = strlen(name);
    if (length > strlen(behind) && strcmp(name + length - strlen(behind), behind) == 0)
        length -= strlen(behind);
    memmove(text, name, length);
    text[length] = '\0';
    return text;
}

// What a subscription sends: events of one stream, or a message that only tests the way.
static bool take_message(struct eks *eks, struct span type, struct span group, struct span stream,
                         struct span events, struct error *err)
{
    if (span_is(type, "CONTROL_MESSAGE"))
        return true;
    if (!span_is(type, "DATA_MESSAGE"))
        return fail(err, REACT_REJECT, "CloudWatch Logs message of an unknown type");
    if (!is_audit_stream(stream))
        return true;
    SCOPED(xfree_char) char *cluster = cluster_of(group);
    eks->cluster = cluster ? cluster : "";
    bool taken = take_events(eks, events, err);
    eks->cluster = NULL;
    return taken;
}

// Each shape is known by a member that the others lack.
static bool take_object(struct span object, size_t index, void *context, struct error *err)
{
    enum { TYPE, GROUP, STREAM_NAME, LOG_EVENTS, EVENTS, MESSAGE, KIND, MEMBERS };
    static const char *const keys[MEMBERS] = {"messageType", "logGroup", "logStream", "logEvents",
                                              "events",      "message",  "kind"};
    struct eks *eks = context;
    struct span member[MEMBERS];
    if (!span_members(object, keys, member, MEMBERS, err))
        return false;
    if (member[TYPE].bytes != NULL)
        return take_message(eks, member[TYPE], member[GROUP], member[STREAM_NAME],
                            member[LOG_EVENTS], err);
    if (span_is(member[KIND], "Event"))
        return give(eks, object, NULL, err); // Firehose has extracted it
    if (member[EVENTS].bytes != NULL)
        return take_events(eks, member[EVENTS], err);
    if (member[MESSAGE].bytes != NULL)
        return take_event(object, index, context, err);
    return fail(err, REACT_REJECT, "no delivery of CloudWatch Logs");
}

// An export to S3 has the time before each message: "2026-01-02T03:04:05.678Z {...}".
static bool take_exported(struct eks *eks, struct span line, struct error *err)
{
    const char *space = memchr(line.bytes, ' ', line.length < 40 ? line.length : 40);
    size_t used = space ? (size_t)(space - line.bytes) + 1 : line.length;
    if (used == line.length)
        return fail(err, REACT_REJECT, "no delivery of CloudWatch Logs");
    if (line.bytes[used] != '{')
        return true; // another component's text
    return give(eks, (struct span){line.bytes + used, line.length - used}, NULL, err);
}

bool audit_delivery_eks(struct span line, const struct audit_taker *taker, struct error *err)
{
    struct eks eks = {.taker = taker};
    SCOPED_BUFFER unpacked = {0};
    struct span text = line;
    // Neither JSON nor base64 of gzip begins with a digit: gzip's magic number gives an H.
    char first = line.length > 0 ? line.bytes[0] : '\0';
    bool taken;
    if (first >= '0' && first <= '9') {
        taken = take_exported(&eks, line, err);
    } else if (first == '{' || first == '[' || first == ' ') {
        taken = audit_delivery_objects(text, take_object, &eks, err);
    } else {
        taken = audit_unpack(line.bytes, line.length, &unpacked, err);
        text = (struct span){unpacked.data ? unpacked.data : "", unpacked.length};
        taken = taken && audit_delivery_objects(text, take_object, &eks, err);
    }
    buffer_reset(&eks.message);
    return taken;
}
