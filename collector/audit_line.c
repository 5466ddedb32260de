// Splits an audit line into its members. What they mean is audit_event.c's business.

#include "collector/audit_line.h"

#include <stddef.h>

#include "common/memory.h"
#include "common/timestamp.h"

enum {
    AUDIT_KIND,
    AUDIT_RECEIVED,
    AUDIT_STAGED,
    AUDIT_STAGE,
    AUDIT_LEVEL,
    AUDIT_ID,
    AUDIT_VERB,
    AUDIT_URI,
    AUDIT_USER,
    AUDIT_IMPERSONATED,
    AUDIT_IPS,
    AUDIT_AGENT,
    AUDIT_REF,
    AUDIT_STATUS,
    AUDIT_REQUEST,
    AUDIT_RESPONSE,
    AUDIT_ANNOTATIONS,
    AUDIT_MEMBERS
};

static const char *const member_keys[AUDIT_MEMBERS] = {
    [AUDIT_KIND] = "kind",
    [AUDIT_RECEIVED] = "requestReceivedTimestamp",
    [AUDIT_STAGED] = "stageTimestamp",
    [AUDIT_STAGE] = "stage",
    [AUDIT_LEVEL] = "level",
    [AUDIT_ID] = "auditID",
    [AUDIT_VERB] = "verb",
    [AUDIT_URI] = "requestURI",
    [AUDIT_USER] = "user",
    [AUDIT_IMPERSONATED] = "impersonatedUser",
    [AUDIT_IPS] = "sourceIPs",
    [AUDIT_AGENT] = "userAgent",
    [AUDIT_REF] = "objectRef",
    [AUDIT_STATUS] = "responseStatus",
    [AUDIT_REQUEST] = "requestObject",
    [AUDIT_RESPONSE] = "responseObject",
    [AUDIT_ANNOTATIONS] = "annotations",
};

static bool read_time(struct span value, int64_t *at)
{
    SCOPED(xfree_char) char *text = span_text(value);
    return text != NULL && timestamp_parse(text, at);
}

static bool read_event(const char *bytes, size_t length, bool in_list, struct audit_line *line,
                       struct error *err)
{
    struct span member[AUDIT_MEMBERS];
    if (!span_members((struct span){bytes, length}, member_keys, member, AUDIT_MEMBERS, err))
        return false;
    *line = (struct audit_line){.stage = member[AUDIT_STAGE],
                                .level = member[AUDIT_LEVEL],
                                .audit_id = member[AUDIT_ID],
                                .verb = member[AUDIT_VERB],
                                .request_uri = member[AUDIT_URI],
                                .user = member[AUDIT_USER],
                                .impersonated = member[AUDIT_IMPERSONATED],
                                .source_ips = member[AUDIT_IPS],
                                .user_agent = member[AUDIT_AGENT],
                                .object_ref = member[AUDIT_REF],
                                .response_status = member[AUDIT_STATUS],
                                .request_object = member[AUDIT_REQUEST],
                                .response_object = member[AUDIT_RESPONSE],
                                .annotations = member[AUDIT_ANNOTATIONS]};
    bool is_event =
        span_is(member[AUDIT_KIND], "Event") || (in_list && member[AUDIT_KIND].bytes == NULL);
    if (!is_event || line->audit_id.bytes == NULL)
        return fail(err, REACT_REJECT, "not an audit event");
    if (!read_time(member[AUDIT_RECEIVED], &line->received_at))
        return fail(err, REACT_REJECT, "audit event without requestReceivedTimestamp");
    if (!read_time(member[AUDIT_STAGED], &line->staged_at))
        line->staged_at = line->received_at;
    line->is_final = span_is(line->stage, "ResponseComplete") || span_is(line->stage, "Panic");
    return true;
}

bool audit_line_read(const char *bytes, size_t length, struct audit_line *line, struct error *err)
{
    return read_event(bytes, length, false, line, err);
}

bool audit_item_read(const char *bytes, size_t length, struct audit_line *line, struct error *err)
{
    return read_event(bytes, length, true, line, err);
}

bool audit_line_time(const char *bytes, size_t length, int64_t *at)
{
    struct audit_line line;
    struct error err;
    if (!audit_line_read(bytes, length, &line, &err))
        return false;
    *at = line.staged_at;
    return true;
}
