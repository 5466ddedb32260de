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
    return audit_coverage_has(coverage, audit_request_namespace(request));
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

// True for the answer of the write that takes the last finalizer from an object that is to be
// deleted: the API server removes it with that write, and no other line will say so.
static bool is_last_state(struct span object, struct error *err, bool *last)
{
    enum { AT, GRACE, FINALIZERS, MEMBERS };
    static const char *const keys[] = {"metadata"};
    static const char *const meta_keys[MEMBERS] = {"deletionTimestamp",
                                                   "deletionGracePeriodSeconds", "finalizers"};
    struct span metadata;
    struct span member[MEMBERS];
    *last = false;
    if (!span_members(object, keys, &metadata, 1, err))
        return false;
    if (metadata.bytes == NULL || metadata.bytes[0] != '{')
        return true;
    if (!span_members(metadata, meta_keys, member, MEMBERS, err))
        return false;
    struct span grace = member[GRACE];
    bool at_once = grace.bytes == NULL || (grace.length == 1 && grace.bytes[0] == '0') ||
                   (grace.length == 4 && memcmp(grace.bytes, "null", 4) == 0);
    *last = member[AT].bytes != NULL && member[AT].bytes[0] == '"' && at_once &&
            !span_has_content(member[FINALIZERS]);
    return true;
}

// *usable tells whether the object was one that could be sent.
static bool emit_observation(struct outbox *outbox, const struct audit_line *line,
                             const struct audit_request *request, const char *where, bool *usable,
                             struct error *err)
{
    struct sighting sighting = {.cluster = outbox_cluster(outbox),
                                .kind = request->kind,
                                .seen_at = line->received_at,
                                .source = "audit",
                                .not_before = TIMESTAMP_NONE};
    struct object_head head;
    struct span object = line->response_object;
    *usable = is_last_state(object, err, &sighting.removed) &&
              observation_emit(outbox, &sighting, object.bytes, object.length, &head, err);
    return *usable || report_rejected(outbox, where, object, err);
}

static bool emit_labels(struct outbox *outbox, const struct audit_line *line,
                        const struct audit_request *request, const char *where, struct error *err)
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

// Who deletes a namespace deletes what is in it; its other writes change no workload.
static bool emit_namespace(struct outbox *outbox, const struct audit_line *line,
                           const struct audit_coverage *coverage,
                           const struct audit_request *request, const char *where,
                           struct error *err)
{
    bool deletes = strcmp(request->verb, "delete") == 0 && request->subresource == NULL;
    return emit_labels(outbox, line, request, where, err) &&
           (!deletes ||
            audit_request_emit(outbox, line, request, audit_coverage_source(coverage), err));
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
        return audit_state_gap_emit(
            outbox, request->namespace, resource, line->received_at, TIMESTAMP_NONE,
            "deletecollection: the audit log does not tell what it removed", err);
    uint64_t bit = (uint64_t)1 << (kind_index(request->kind) % 64);
    if ((gaps->kinds & bit) != 0)
        return true;
    gaps->kinds |= bit;
    return audit_state_gap_emit(outbox, NULL, resource, line->received_at, TIMESTAMP_NONE,
                                "the audit log lacks the object that a write answered with", err);
}

// What a write does to the coverage of state. One object that is not seen as it now is makes its
// namespace and kind unknown until it is: a Scale tells of the replicas it set, and not of the
// object that holds them.
static bool emit_state(struct outbox *outbox, const struct audit_line *line,
                       const struct audit_request *request, bool usable, struct audit_gaps *gaps,
                       struct error *err)
{
    struct audit_object object = {request->kind, request->namespace, request->name};
    if (usable || request->removes)
        return audit_unknown_end(&gaps->unknown, outbox, &object, line->received_at, err);
    bool succeeded = audit_request_succeeded(request);
    if (succeeded && request->has_object)
        return audit_unknown_begin(&gaps->unknown, outbox, &object, line->received_at,
                                   "an object in the audit log could not be used", err);
    if (succeeded && text_equal(request->subresource, "scale"))
        return audit_unknown_begin(&gaps->unknown, outbox, &object, line->received_at,
                                   "scale: the audit log does not show the scaled object", err);
    return emit_state_gap(outbox, line, request, gaps, err);
}

static bool emit_request(struct outbox *outbox, const struct audit_line *line,
                         const struct audit_coverage *coverage, const struct audit_request *request,
                         const char *where, struct audit_gaps *gaps, struct error *err)
{
    if (request->kind == NULL)
        return emit_namespace(outbox, line, coverage, request, where, err);
    bool observes = request->has_object && audit_request_succeeded(request);
    bool usable = false;
    if (observes && !emit_observation(outbox, line, request, where, &usable, err))
        return false;
    if (coverage->complete && !emit_state(outbox, line, request, usable, gaps, err))
        return false;
    return audit_request_emit(outbox, line, request, audit_coverage_source(coverage), err);
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
