#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/audit_coverage.h"
#include "collector/source.h"
#include "collector/webhook.h"

// A source that reads a route of a webhook server: bodies to events in the outbox, many in one
// transaction, and each caller answered when its events are durable. What a body means is the
// kind's business.

struct webhook_intake;

struct webhook_intake_kind {
    const char *name; // of the source
    const char *path;
    size_t body_max_bytes;
    int64_t patience_ms;
    bool by_our_clock; // the times of what it reads are the collector's
    const char *loss_reason;
    // Emits what begins at *place (0: the body was not looked at yet) and moves it; *done at the
    // end of the body. `at` is when the body came. REJECT when the body is not what it should be.
    bool (*take)(struct webhook_intake *intake, struct outbox *outbox, const struct buffer *body,
                 int64_t at, size_t *place, bool *done, struct error *err);
    // Fills the answer to a body that is durable.
    void (*recorded)(const struct buffer *body, struct webhook_reply *reply);
    void (*unrecorded)(const char *body, size_t length, struct webhook_reply *reply);
    // After the outbox was committed or rolled back; NULL: the kind remembers nothing.
    void (*settled)(struct webhook_intake *intake, bool committed);
    void (*close)(struct webhook_intake *intake);
};

struct webhook_intake_options {
    const char *listen;
    const char *cluster;
    const char *const *namespaces; // count 0: all
    size_t namespace_count;
    const char *token_file; // NULL: none is asked for
    bool wants_certificate;
};

// What has been read, as far as coverage goes by it.
struct webhook_progress {
    int64_t since;     // the first since the start; TIMESTAMP_NONE before it
    int64_t through;   // the newest
    int64_t torn_from; // where something that could not be used left a hole; NONE without one
};

// The kind's own source begins with it.
struct webhook_intake {
    struct source source;
    struct source_class class; // with the kind's name
    const struct webhook_intake_kind *kind;
    struct webhook_route *route;
    struct audit_coverage coverage; // its strings are our own
    char *cluster;
    char *token_file;
    char *key;
    struct held *held; // requests that were taken and are not answered
    size_t held_count;
    bool loaded;
    bool more; // the last step stopped because it had done enough
    bool refusing;
    struct webhook_loss loss;      // not yet told
    struct webhook_loss told_loss; // told in this step
    struct webhook_progress now;
    struct webhook_progress committed;
    int64_t watched_ms;
    int64_t watched_through;
};

// Adds the kind's route to the server, which outlives the intake. The intake is zeroed memory of
// the caller's; the source's close frees it, after a failure too.
bool webhook_intake_open(struct webhook_intake *intake, const struct webhook_intake_kind *kind,
                         struct webhook *webhook, const struct webhook_intake_options *options,
                         struct error *err) WARN_UNUSED;

// For kinds, in take: something that happened, or was asked for, at this time was read; `begins`
// is from when on nothing was missed.
bool webhook_intake_note(struct webhook_intake *intake, struct outbox *outbox, int64_t begins,
                         int64_t at, struct error *err) WARN_UNUSED;

// For kinds, in take: something could not be used, and may have been anything.
void webhook_intake_torn(struct webhook_intake *intake);
