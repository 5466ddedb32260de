// What each record does to its stream's mark and to the outbox. With kubernetes_coverage.c the only
// place that changes a mark.

#include "collector/kubernetes_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/gitops_object.h"
#include "collector/kubernetes_coverage.h"
#include "collector/kubernetes_stream.h"
#include "collector/observation.h"
#include "common/timestamp.h"

// Silence that makes a lower bound worth telling, and what clocks and delivery may be late by.
#define SILENCE_US (30 * INT64_C(1000000))
#define UNUSABLE_LIST_MS (60 * 1000)
#define MARGIN_US (10 * INT64_C(1000000))

// True when a list may end lives: it is whole, and in order with all that was seen before.
static bool is_clean(const struct stream_mark *mark, const struct record *record)
{
    return !record->incomplete && stream_mark_list_is_clean(mark, record->position);
}

// Moves the mark to the record. A tainted scope follows the server's new history with its watch,
// but covers nothing, and the highest position of the old history stays the measure of a clean
// list.
static void advance(struct stream_mark *mark, const struct record *record)
{
    mark->rv = record->position;
    if (mark->tainted)
        return;
    if (record->position > mark->high_rv)
        mark->high_rv = record->position;
    if (record->at > mark->through)
        mark->through = record->at;
}

// A lower bound of when the record's position began: nothing above high_rv had been seen by then.
static int64_t lower_bound(const struct stream_mark *mark, const struct record *record)
{
    bool known = !mark->tainted && mark->since != TIMESTAMP_NONE;
    if (!known || record->position <= mark->high_rv || record->at - mark->through < SILENCE_US)
        return TIMESTAMP_NONE;
    return mark->through - MARGIN_US;
}

// Whether it was a broken line or an object that stays, a list tells: one for each gap, and not at
// once after another.
static void list_earlier(struct stream *stream)
{
    int64_t at_ms = monotonic_ms() + UNUSABLE_LIST_MS;
    if (at_ms < stream->relist_at_ms)
        stream->relist_at_ms = at_ms;
}

// What a list finds unusable counts with its end; what a watch does, from its last good look on.
static bool note_unusable(struct outbox *outbox, const struct record *record, int64_t through,
                          struct error *err)
{
    struct stream_mark *mark = &record->stream->staged;
    mark->unusable = true;
    bool covers = mark->since != TIMESTAMP_NONE && mark->gap_from == TIMESTAMP_NONE;
    if (!covers || mark->unusable_from != TIMESTAMP_NONE || record->kind == RECORD_LISTED_OBJECT)
        return true;
    list_earlier(record->stream);
    return coverage_unusable(outbox, record->stream, through, err);
}

// Says that there was something which nobody could use; its bytes go no further.
static bool reject(struct outbox *outbox, const struct record *record, const char *reason,
                   int64_t through, struct error *err)
{
    char where[200];
    snprintf(where, sizeof(where), "kubernetes %s%s%s", record->stream->resource,
             record->stream->namespace ? " in " : "",
             record->stream->namespace ? record->stream->namespace : "");
    return input_rejected_emit(outbox, where, reason, record->bytes.data ? record->bytes.data : "",
                               record->bytes.length, err) &&
           note_unusable(outbox, record, through, err);
}

// Notes the newest position that was sent of this object, for later lists to be compared with.
static bool remember(struct outbox *outbox, const struct record *record, int64_t known,
                     struct error *err)
{
    const char *scope = record->stream->known_scope;
    if (record->removed)
        return outbox_forget_known(outbox, scope, record->uid, err);
    if (record->position <= known)
        return true;
    return outbox_set_known(outbox, scope, record->uid, record->position, err);
}

// Sends the object. One that the extractor refuses is told as rejected and stops nothing. `through`
// is how far the scope had been observed before it.
static bool observe(struct outbox *outbox, struct record *record, int64_t not_before, int64_t known,
                    int64_t through, struct error *err)
{
    const struct stream *stream = record->stream;
    const char *bytes = record->bytes.data;
    size_t length = record->bytes.length;
    bool sent;
    if (stream->kind == NULL) {
        sent = namespace_observed_emit(outbox, bytes, length, record->at, record->removed, err);
    } else {
        bool listed = record->kind == RECORD_LISTED_OBJECT;
        struct object_head head;
        struct sighting sighting = {
            .cluster = outbox_cluster(outbox),
            .kind = stream->kind,
            .seen_at = record->at,
            .source = listed ? "listing" : "collector_clock",
            .not_before = not_before,
            .removed = record->removed,
        };
        sent = stream_has_scope(stream)
                   ? observation_emit(outbox, &sighting, bytes, length, &head, err)
                   : gitops_observed_emit(outbox, &sighting, stream->known_scope, bytes, length,
                                          &head, err);
    }
    if (!sent) {
        if (err->react != REACT_REJECT)
            return false;
        char reason[sizeof(err->text)];
        memcpy(reason, err->text, sizeof(reason));
        return reject(outbox, record, reason, through, err);
    }
    return remember(outbox, record, known, err);
}

static int extractor_of(const struct stream *stream)
{
    return stream->kind != NULL ? stream->kind->extractor : 0;
}

static bool write_listed_object(struct outbox *outbox, struct record *record, struct error *err)
{
    struct stream *stream = record->stream;
    struct stream_mark *mark = &stream->staged;
    int64_t known;
    if (!outbox_get_known(outbox, stream->known_scope, record->uid, &known, err))
        return false;
    if (known > record->position) {
        // The watch is ahead of this list, or the server's history went back: the list's own
        // resourceVersion will tell. What was already sent is not older.
        if (known < mark->suspect_rv)
            mark->suspect_rv = known;
        return true;
    }
    if (known == record->position && mark->extractor == extractor_of(stream))
        return true;
    return observe(outbox, record, lower_bound(mark, record), known, mark->through, err);
}

static bool write_watched_object(struct outbox *outbox, struct record *record, struct error *err)
{
    struct stream *stream = record->stream;
    struct stream_mark *mark = &stream->staged;
    int64_t known;
    if (!outbox_get_known(outbox, stream->known_scope, record->uid, &known, err))
        return false;
    int64_t not_before = lower_bound(mark, record);
    int64_t through = mark->through;
    advance(mark, record);
    // After a restore an old position may stand for new content: it would sort into the past.
    if (mark->tainted && known > record->position)
        return true;
    return observe(outbox, record, not_before, known, through, err);
}

static int compare_uids(const void *left, const void *right)
{
    return memcmp(left, right, UID_BYTES);
}

static bool names_member(const void *context, const char *uid)
{
    const struct record *record = context;
    uint8_t bytes[UID_BYTES];
    size_t count = record->bytes.length / UID_BYTES;
    return !uid_parse(uid, bytes) || (count > 0 && bsearch(bytes, record->bytes.data, count,
                                                           UID_BYTES, compare_uids) != NULL);
}

// What a list no longer has is not remembered either, or the spool would keep every object that was
// deleted while nobody watched. What the watch has seen behind the list stays.
static bool forget_absent(struct outbox *outbox, const struct record *record, struct error *err)
{
    struct known_range range = {.uid_from = record->uid,
                                .uid_to = record->uid_to,
                                .position = record->position,
                                .names = names_member,
                                .context = record};
    return outbox_forget_unnamed(outbox, record->stream->known_scope, &range, err);
}

// One range of a completed list: everything in it that is not named has ceased to exist. It is said
// before the list's own record moves the mark, so the same question is asked of both.
static bool write_members(struct outbox *outbox, struct record *record, struct error *err)
{
    const struct stream_mark *mark = &record->stream->staged;
    struct scope scope = stream_scope(record->stream);
    if (!is_clean(mark, record))
        return true;
    if (!forget_absent(outbox, record, err))
        return false;
    if (!stream_has_scope(record->stream))
        return true;
    bool unbroken = mark->rv != 0 && !mark->tainted;
    struct listed_range range = {
        .position = record->position,
        .listed_at = record->at,
        .watched_since = unbroken ? mark->since : record->at,
        .members = (const uint8_t *)record->bytes.data,
        .count = record->bytes.length / UID_BYTES,
        .uid_from = record->uid,
        .uid_to = record->uid_to,
    };
    return scope_listed_emit(outbox, &scope, &range, err);
}

// Coverage ends, and nothing may be removed, until a list is in order again (docs/rules.md 7).
static bool taint(struct outbox *outbox, struct record *record, const char *reason,
                  struct error *err)
{
    struct stream_mark *mark = &record->stream->staged;
    mark->rv = record->position;
    if (!coverage_gap(outbox, record->stream, record->at, reason, err))
        return false;
    mark->tainted = true;
    return true;
}

// A list in which all could be used ends the gap of what could not. In one that begins an interval
// the new gap lasts from its very beginning, since a look behind an open gap ends that for the
// store.
static bool judge_usable(struct outbox *outbox, struct record *record, bool anew, struct error *err)
{
    struct stream *stream = record->stream;
    struct stream_mark *mark = &stream->staged;
    if (!mark->unusable)
        return coverage_usable(outbox, stream, record->at, err);
    return mark->unusable_from != TIMESTAMP_NONE ||
           coverage_unusable(outbox, stream, anew ? record->at : mark->through, err);
}

// The end of a list: a first one, or one after a gap, begins a new interval; others confirm.
static bool write_listed(struct outbox *outbox, struct record *record, struct error *err)
{
    struct stream *stream = record->stream;
    struct stream_mark *mark = &stream->staged;
    if (!is_clean(mark, record))
        return taint(outbox, record,
                     record->incomplete ? "an object could not be identified"
                                        : "resourceVersion went back",
                     err);
    bool anew = mark->rv == 0 || mark->tainted;
    if (anew && !coverage_begin(outbox, stream, record->at, err))
        return false;
    if (!judge_usable(outbox, record, anew, err))
        return false;
    if (anew)
        advance(mark, record);
    if (record->at > mark->through) // all of that instant's state is known now
        mark->through = record->at;
    mark->extractor = extractor_of(stream);
    return true;
}

// A kind that is not installed is covered: there is none of it. But objects of a kind that was
// removed while nobody watched are still believed to be there, until write_emptied.
static bool write_absent(struct outbox *outbox, struct record *record, struct error *err)
{
    struct stream_mark *mark = &record->stream->staged;
    mark->absent = true;
    if (mark->high_rv != 0) { // it was there: its objects are still believed to exist
        mark->rv = 0;
        return coverage_gap(outbox, record->stream, record->at, "kind is no longer installed", err);
    }
    if (mark->since == TIMESTAMP_NONE)
        mark->since = record->at;
    mark->through = record->at;
    return true;
}

// The kind stayed away long enough: its objects are gone. From here on it is covered again.
static bool write_emptied(struct outbox *outbox, struct record *record, struct error *err)
{
    struct stream *stream = record->stream;
    struct scope scope = stream_scope(stream);
    if (!stream->staged.absent || stream->staged.rv != 0)
        return true; // it came back in the meantime
    struct listed_range range = {.position = record->position,
                                 .listed_at = record->at,
                                 .watched_since = record->at,
                                 .uid_from = "",
                                 .uid_to = ""};
    if ((stream_has_scope(stream) && !scope_listed_emit(outbox, &scope, &range, err)) ||
        !forget_absent(outbox, record, err) || !coverage_begin(outbox, stream, record->at, err))
        return false;
    stream->staged.absent = true;
    stream->staged.high_rv = 0;
    return outbox_set_cursor(outbox, stream->cursor_key, NULL, err);
}

// Records that only move the mark, or open a gap.
static bool write_state(struct outbox *outbox, struct record *record, struct error *err)
{
    struct stream_mark *mark = &record->stream->staged;
    switch (record->kind) {
    case RECORD_LIST_BEGIN:
        mark->list_floor = mark->high_rv;
        mark->suspect_rv = INT64_MAX;
        mark->unusable = false;
        return true;
    case RECORD_BOOKMARK:
        advance(mark, record);
        return true;
    case RECORD_LOST:
        mark->rv = 0;
        stream_mark_open_gap(mark, record->at, record->text);
        return true;
    case RECORD_REFUSED:
        mark->rv = 0;
        return coverage_gap(outbox, record->stream, record->at, record->text, err);
    case RECORD_TAINTED:
        return taint(outbox, record, "resourceVersion went back", err);
    case RECORD_LISTED_OBJECT:
    case RECORD_MEMBERS:
    case RECORD_LISTED:
    case RECORD_WATCHED_OBJECT:
    case RECORD_ABSENT:
    case RECORD_EMPTIED:
    case RECORD_WATCHED:
    case RECORD_REJECTED:
        break;
    }
    return fail(err, REACT_STOP, "record of kind %d has no writer", (int)record->kind);
}

bool record_write(struct outbox *outbox, struct record *record, struct error *err)
{
    switch (record->kind) {
    case RECORD_LISTED_OBJECT:
        return write_listed_object(outbox, record, err);
    case RECORD_WATCHED_OBJECT:
        return write_watched_object(outbox, record, err);
    case RECORD_MEMBERS:
        return write_members(outbox, record, err);
    case RECORD_LISTED:
        return write_listed(outbox, record, err);
    case RECORD_ABSENT:
        return write_absent(outbox, record, err);
    case RECORD_EMPTIED:
        return write_emptied(outbox, record, err);
    case RECORD_WATCHED:
        return coverage_say(outbox, record->stream, err);
    case RECORD_REJECTED:
        return reject(outbox, record, record->text, record->stream->staged.through, err);
    case RECORD_LIST_BEGIN:
    case RECORD_BOOKMARK:
    case RECORD_LOST:
    case RECORD_REFUSED:
    case RECORD_TAINTED:
        break;
    }
    return write_state(outbox, record, err);
}

// Objects of a list and parts of a listing do not: a list counts when it is complete.
bool record_moves_cursor(const struct record *record)
{
    return record->kind != RECORD_LISTED_OBJECT && record->kind != RECORD_MEMBERS &&
           record->kind != RECORD_REJECTED && record->kind != RECORD_WATCHED &&
           record->kind != RECORD_LIST_BEGIN;
}
