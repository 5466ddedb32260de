// What an audit line means for us: at level RequestResponse it is both an observation (what) and a
// request (who); below that a request only.

#include "collector/audit_event.h"

#include <string.h>

#include "collector/audit_request.h"
#include "collector/kinds.h"
#include "collector/observation.h"
#include "collector/scope_event.h"
#include "common/memory.h"
#include "common/text.h"
#include "common/timestamp.h"

static bool is_covered(const struct audit_coverage *coverage, const struct audit_request *request)
{
    // The namespace of a Namespace is itself.
    const char *namespace = request->kind ? request->namespace : request->name;
    for (size_t i = 0; i < coverage->namespace_count; i++) {
        if (text_equal(coverage->namespaces[i], namespace))
            return true;
    }
    return coverage->namespace_count == 0;
}

// An object that cannot be used is reported and does not stop what follows it.
static bool report_rejected(struct outbox *outbox, const char *where, struct span object,
                            struct error *err)
{
    if (err->react != REACT_REJECT)
        return false;
    struct error cause = *err;
    return input_rejected_emit(outbox, where, cause.text, object.bytes, object.length, err);
}

static bool emit_observation(struct outbox *outbox, const struct audit_line *line,
                             const struct audit_request *request, const char *where,
                             struct error *err)
{
    struct sighting sighting = {.cluster = outbox_cluster(outbox),
                                .kind = request->kind,
                                .seen_at = line->received_at,
                                .source = "audit",
                                .not_before = TIMESTAMP_NONE};
    struct object_head head;
    struct span object = line->response_object;
    return observation_emit(outbox, &sighting, object.bytes, object.length, &head, err) ||
           report_rejected(outbox, where, object, err);
}

static bool emit_namespace(struct outbox *outbox, const struct audit_line *line,
                           const struct audit_request *request, const char *where,
                           struct error *err)
{
    if (!request->has_object || !audit_request_succeeded(request))
        return true;
    // The write that takes the last finalizer away answers with the object that is gone by then.
    static const char *const keys[] = {"spec"};
    static const char *const spec_keys[] = {"finalizers"};
    struct span spec;
    struct span finalizers = {0};
    if (!span_members(line->response_object, keys, &spec, 1, err))
        return report_rejected(outbox, where, line->response_object, err);
    if (spec.bytes != NULL && spec.bytes[0] == '{' &&
        !span_members(spec, spec_keys, &finalizers, 1, err))
        return report_rejected(outbox, where, line->response_object, err);
    bool removed = text_equal(request->subresource, "finalize") && !span_has_content(finalizers);
    return namespace_observed_emit(outbox, line->response_object.bytes,
                                   line->response_object.length, line->received_at, removed, err) ||
           report_rejected(outbox, where, line->response_object, err);
}

static size_t kind_index(const struct kind *kind)
{
    size_t count;
    return (size_t)(kind - kinds_all(&count));
}

// A log that is said to be complete, and yet hides the result of a write: from here on the state is
// unknown, and must not count as covered.
static bool emit_state_gap(struct outbox *outbox, const struct audit_line *line,
                           const struct audit_request *request, struct audit_gaps *gaps,
                           struct error *err)
{
    bool collection = strcmp(request->verb, "deletecollection") == 0;
    bool is_state = request->subresource == NULL || strcmp(request->subresource, "status") == 0;
    if (!is_state || request->has_object || request->removes || !audit_request_succeeded(request))
        return true;
    SCOPED(xfree_char)
    char *resource = xasprintf("%s.%s", request->kind->resource, request->kind->group);
    if (collection)
        return audit_state_gap_emit(outbox, request->namespace, resource, line->received_at,
                                    "deletecollection: the audit log does not tell what it removed",
                                    err);
    uint64_t bit = (uint64_t)1 << (kind_index(request->kind) % 64);
    if ((gaps->kinds & bit) != 0)
        return true;
    gaps->kinds |= bit;
    return audit_state_gap_emit(outbox, NULL, resource, line->received_at,
                                "the audit log lacks the object that a write answered with", err);
}

static bool emit_request(struct outbox *outbox, const struct audit_line *line,
                         const struct audit_coverage *coverage, const struct audit_request *request,
                         const char *where, struct audit_gaps *gaps, struct error *err)
{
    if (request->kind == NULL)
        return emit_namespace(outbox, line, request, where, err);
    bool observes = request->has_object && audit_request_succeeded(request);
    if (observes && !emit_observation(outbox, line, request, where, err))
        return false;
    if (coverage->complete && !emit_state_gap(outbox, line, request, gaps, err))
        return false;
    return audit_request_emit(outbox, line, request, err);
}

bool audit_event_emit(struct outbox *outbox, const struct audit_line *line,
                      const struct audit_coverage *coverage, const char *where,
                      struct audit_gaps *gaps, struct error *err)
{
    struct audit_request request;
    bool ours;
    if (!audit_request_read(line, &request, &ours, err))
        return false;
    if (!ours)
        return true;
    bool done = !is_covered(coverage, &request) ||
                emit_request(outbox, line, coverage, &request, where, gaps, err);
    audit_request_reset(&request);
    return done;
}
