#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"

#define MARK_REASON_BYTES 160

// How far one scope of the Kubernetes source is durably observed. It changes with the events that
// prove it, in the same outbox, and survives restarts as the stream's cursor.
struct stream_mark {
    int64_t rv;       // the watch goes on behind this resourceVersion; 0 = list first
    int64_t high_rv;  // the highest ever seen; 0 = nothing yet
    int64_t since;    // begin of the unbroken observation, or TIMESTAMP_NONE
    int64_t through;  // how far it has looked
    int64_t gap_from; // begin of a gap that is still open, or TIMESTAMP_NONE
    bool gap_said;    // its event was sent
    bool tainted;     // what is listed cannot be put in order with what was seen (docs/rules.md 7)
    int extractor;    // version that read what was sent
    char reason[MARK_REASON_BYTES]; // of the open gap
    int64_t unusable_from; // begin of the gap of objects that cannot be used, or TIMESTAMP_NONE
    // Not kept across restarts.
    bool unusable;           // since the running list began there was such an object
    bool absent;             // the kind is not installed
    int64_t list_floor;      // high_rv when the running list began
    int64_t suspect_rv;      // lowest known position above a listed one, INT64_MAX = none
    int64_t watched_through; // `through` of the last scope.watched
};

// Starts a mark of a scope never seen.
void stream_mark_init(struct stream_mark *mark);

// Appends the mark as a cursor's text.
void stream_mark_write(const struct stream_mark *mark, struct buffer *out);

// Reads a cursor's text; false when it is none, and the mark is as init leaves it.
bool stream_mark_read(const char *text, struct stream_mark *mark);

// Notes the begin of a gap, unless one is open: from where observation ended, else from `at`.
void stream_mark_open_gap(struct stream_mark *mark, int64_t at, const char *reason);

// The wall clock was set by so much: what is remembered of the old one is said in the new one, so
// that an interval stays as long as it was. Gaps keep the begin by which the store knows them.
void stream_mark_clock_set(struct stream_mark *mark, int64_t by_us);

// True when a list at rv fits behind all that was seen: nothing in it is older than what is known.
bool stream_mark_list_is_clean(const struct stream_mark *mark, int64_t rv);
