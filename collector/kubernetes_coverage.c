// Which events say how far a scope is covered, and what the mark remembers of what was said.

#include "collector/kubernetes_coverage.h"

#include "collector/scope_event.h"
#include "common/timestamp.h"

// The same gap, open or with its end: the store knows it by where it begins.
static bool say_unusable(struct outbox *outbox, const struct stream *stream, int64_t from,
                         int64_t to, struct error *err)
{
    struct scope scope = stream_scope(stream);
    return !stream_has_scope(stream) ||
           scope_gap_emit(outbox, &scope, from, to, "an object could not be used", err);
}

bool coverage_unusable(struct outbox *outbox, struct stream *stream, int64_t at, struct error *err)
{
    struct stream_mark *mark = &stream->staged;
    mark->unusable_from = at;
    stream->cursor_dirty = true;
    return say_unusable(outbox, stream, at, TIMESTAMP_NONE, err);
}

bool coverage_usable(struct outbox *outbox, struct stream *stream, int64_t at, struct error *err)
{
    struct stream_mark *mark = &stream->staged;
    int64_t from = mark->unusable_from;
    mark->unusable_from = TIMESTAMP_NONE;
    return from == TIMESTAMP_NONE || say_unusable(outbox, stream, from, at, err);
}

// The gap that the mark has, open or with its end.
static bool say_gap(struct outbox *outbox, const struct stream *stream, int64_t to,
                    struct error *err)
{
    const struct stream_mark *mark = &stream->staged;
    struct scope scope = stream_scope(stream);
    return !stream_has_scope(stream) ||
           scope_gap_emit(outbox, &scope, mark->gap_from, to, mark->reason, err);
}

bool coverage_say(struct outbox *outbox, struct stream *stream, struct error *err)
{
    struct stream_mark *mark = &stream->staged;
    struct scope scope = stream_scope(stream);
    if (!stream_has_scope(stream) || mark->since == TIMESTAMP_NONE ||
        mark->through <= mark->watched_through)
        return true;
    mark->watched_through = mark->through;
    return scope_watched_emit(outbox, &scope, mark->since, mark->through, !mark->absent, err);
}

bool coverage_begin(struct outbox *outbox, struct stream *stream, int64_t at, struct error *err)
{
    struct stream_mark *mark = &stream->staged;
    if (!coverage_say(outbox, stream, err))
        return false;
    if (mark->gap_from != TIMESTAMP_NONE && !say_gap(outbox, stream, at, err))
        return false;
    if (!coverage_usable(outbox, stream, at, err))
        return false;
    mark->gap_from = TIMESTAMP_NONE;
    mark->gap_said = false;
    mark->reason[0] = '\0';
    mark->tainted = false;
    mark->absent = false;
    mark->since = at;
    mark->through = at;
    return true;
}

bool coverage_gap(struct outbox *outbox, struct stream *stream, int64_t at, const char *reason,
                  struct error *err)
{
    struct stream_mark *mark = &stream->staged;
    stream_mark_open_gap(mark, at, reason);
    if (mark->gap_said)
        return true;
    mark->gap_said = true;
    return say_gap(outbox, stream, TIMESTAMP_NONE, err);
}
