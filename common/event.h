#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/error.h"

// The wire between collector and store (docs/events.md): frames of a JSON header line
// and, for `data`, one CloudEvents 1.0 line per event.

// The newest version spoken, and the oldest one: programs of two releases that follow each other
// understand each other. Version 2 added the window.
#define WIRE_VERSION 2
#define WIRE_VERSION_MIN 1
// An event must fit into a frame with its header, and a frame that is over ZMQ_MAXMSGSIZE breaks
// the connection (docs/rules.md 27): so the limits are the wire's, the same on both sides.
#define EVENT_MAX_BYTES (1024 * 1024)     // one event line
#define FRAME_MAX_BYTES (4 * 1024 * 1024) // one frame; ZMQ_MAXMSGSIZE
#define FRAME_MAX_EVENTS 2000
#define NAME_MAX_BYTES 64 // a collector's name

#define TYPE_WORKLOAD_OBSERVED "dev.modeltrail.workload.observed.v1"
#define TYPE_SCOPE_LISTED "dev.modeltrail.scope.listed.v1"
#define TYPE_SCOPE_WATCHED "dev.modeltrail.scope.watched.v1"
#define TYPE_SCOPE_GAP "dev.modeltrail.scope.gap.v1"
#define TYPE_NAMESPACE_OBSERVED "dev.modeltrail.namespace.observed.v1"
#define TYPE_REQUEST_AUDITED "dev.modeltrail.request.audited.v1"
#define TYPE_REQUEST_REVIEWED "dev.modeltrail.request.reviewed.v1"
#define TYPE_GITOPS_OBSERVED "dev.modeltrail.gitops.observed.v1"
#define TYPE_COMMIT_DECLARED "dev.modeltrail.commit.declared.v1"
#define TYPE_INPUT_REJECTED "dev.modeltrail.input.rejected.v1"
#define TYPE_CENTRAL_APPLIED "dev.modeltrail.central.applied.v1"    // the central file, by _store
#define TYPE_ALLOW_LIST_LOADED "dev.modeltrail.allowlist.loaded.v1" // by _store

// In the order of kind_names and reason_names in event.c; numbers never travel, only names do.
enum frame_kind { FRAME_HELLO, FRAME_WELCOME, FRAME_DATA, FRAME_ACK, FRAME_BEAT, FRAME_NACK };

// A beat's trouble when a collector or store has ended in order; it is the last beat.
#define TROUBLE_STOPPED "stopped"

enum nack_reason { NACK_GAP, NACK_FORK, NACK_NOT_ALLOWED, NACK_TOO_LARGE, NACK_DRAINING };

// One parsed header. Which members count depends on the kind, as said behind each.
// Texts are cut to their room when they are read: they are for people, but for the collector's
// name, which is refused when it is too long.
struct frame {
    enum frame_kind kind;
    char collector[NAME_MAX_BYTES + 1]; // hello
    int64_t epoch;                      // hello, data, beat: spool's birth, Unix milliseconds;
                                        // nack of an older, unknown epoch: the newest known, else 0
    int64_t at;                         // hello, data, beat: the sender's clock; 0 = not told
    int64_t seq;                        // hello: next_seq; welcome, ack, nack: acked; data: first
    int64_t count;                      // data: number of event lines
    uint8_t chain[DIGEST_BYTES]; // hello: before next_seq; welcome: at acked; data: before first
    enum nack_reason reason;     // nack
    int wire_min; // hello: lowest and highest version spoken; welcome: the chosen one
    int wire_max;
    // welcome, ack: bytes of event lines that may be unacknowledged; 0: not told (version 1)
    int64_t window;
    char program[64];  // hello: program version
    char message[256]; // nack: for people; beat: what is wrong, "" while all is well
    const char *body;  // data: event lines; beat: the JSON array `through`. Borrowed from the bytes
    size_t body_length;
};

// Reads a frame; its body points into bytes. REJECT with what is wrong otherwise.
bool frame_parse(const char *bytes, size_t length, struct frame *frame,
                 struct error *err) WARN_UNUSED;

// Appends the header line and, when it has one, the body.
void frame_write(const struct frame *frame, struct buffer *out);

// The reason's wire name, such as "gap".
const char *nack_reason_name(enum nack_reason reason);

// What the envelope tells; id and source are made from it, so that they cannot disagree with the
// frame that carries the event.
struct event_head {
    const char *collector;
    int64_t epoch;
    int64_t seq;
    const char *type;    // TYPE_*
    const char *cluster; // becomes part of `source`
    const char *subject; // NAMESPACE/Kind/name or NULL
    int64_t time;        // when it happened, as far as known; microseconds
};

// Appends one event as a CloudEvents line without its newline. `data` is printed JSON.
void event_write(struct buffer *out, const struct event_head *head, const char *data,
                 size_t length);
