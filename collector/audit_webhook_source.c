// The audit_webhook source: each item of a list is taken as a line of an audit log is. The API
// server sends a list again when it did not hear in time that it was recorded, so items that were
// just seen are left out; the store knows the others by cluster, auditID and stage.

#include "collector/audit_webhook_source.h"

#include <stdlib.h>
#include <string.h>

#include "collector/audit_event.h"
#include "collector/audit_event_list.h"
#include "collector/audit_request.h"
#include "collector/observation.h"
#include "collector/recent_digests.h"
#include "common/digest.h"
#include "common/log.h"
#include "common/timestamp.h"

#define BODY_MAX_BYTES ((size_t)16 * 1024 * 1024)
#define PATIENCE_MS 20000 // the API server itself gives up after thirty seconds
#define PART_ITEMS 50     // of a list, between two looks at the clock
#define REJECTED_MAX 10   // of one list that are told one by one
#define RECENT_DIGESTS 8192
// A request that took longer was a watch or an upload: it began before we listened.
#define REQUEST_MAX_US (60 * (int64_t)1000000)
#define WHERE "audit_webhook"

struct audit_webhook {
    struct webhook_intake intake;
    struct audit_gaps gaps; // of state, which is not covered by it: never used
    struct recent_digests *recent;
    size_t rejected; // of the list that is being taken
};

static struct audit_webhook *own(struct webhook_intake *intake)
{
    return (struct audit_webhook *)intake;
}

static bool reject_item(struct audit_webhook *audit, struct outbox *outbox, struct span item,
                        struct error *err)
{
    if (err->react != REACT_REJECT)
        return false;
    struct error cause = *err;
    webhook_intake_torn(&audit->intake);
    if (audit->rejected++ >= REJECTED_MAX)
        return true;
    log_line(LOG_WARN, "audit event rejected", "where", WHERE, "reason", cause.text, NULL);
    return input_rejected_emit(outbox, WHERE, cause.text, item.bytes, item.length, err);
}

static bool note_time(struct webhook_intake *intake, struct outbox *outbox,
                      const struct audit_line *line, struct error *err)
{
    bool is_long = line->staged_at - line->received_at > REQUEST_MAX_US;
    return webhook_intake_note(intake, outbox, is_long ? line->staged_at : line->received_at,
                               line->received_at, err);
}

static bool take_item(struct audit_webhook *audit, struct outbox *outbox, struct span item,
                      struct error *err)
{
    struct audit_line line;
    uint8_t digest[DIGEST_BYTES];
    digest_sha256(item.bytes, item.length, digest);
    if (recent_digests_has(audit->recent, digest))
        return true;
    if (!audit_item_read(item.bytes, item.length, &line, err))
        return reject_item(audit, outbox, item, err);
    if (!line.is_final)
        return true;
    if (!note_time(&audit->intake, outbox, &line, err))
        return false;
    if (!audit_event_emit(outbox, &line, &audit->intake.coverage, WHERE, &audit->gaps, err))
        return reject_item(audit, outbox, item, err);
    recent_digests_add(audit->recent, digest);
    return true;
}

static bool take(struct webhook_intake *intake, struct outbox *outbox, const struct buffer *body,
                 int64_t at, size_t *place, bool *done, struct error *err)
{
    struct audit_webhook *audit = own(intake);
    struct span item;
    (void)at; // an event has times of its own
    if (*place == 0) {
        audit->rejected = 0;
        if (!audit_event_list_read(body->data, body->length, place, err))
            return false;
    }
    for (size_t i = 0; i < PART_ITEMS && !*done; i++) {
        if (!audit_event_list_next(body->data, body->length, place, &item))
            *done = true;
        else if (!take_item(audit, outbox, item, err))
            return false;
    }
    return true;
}

static void settled(struct webhook_intake *intake, bool committed)
{
    recent_digests_settle(own(intake)->recent, committed);
}

static void recorded(const struct buffer *body, struct webhook_reply *reply)
{
    (void)body;
    reply->code = 200;
}

// The API server comes again, and keeps it as long as it can.
static void unrecorded(const char *bytes, size_t length, struct webhook_reply *reply)
{
    (void)bytes;
    (void)length;
    reply->code = 503;
}

static void close_audit(struct webhook_intake *intake)
{
    recent_digests_free(own(intake)->recent);
}

static const struct webhook_intake_kind audit_webhook = {
    .name = VIA_AUDIT_WEBHOOK,
    .path = "/audit",
    .body_max_bytes = BODY_MAX_BYTES,
    .patience_ms = PATIENCE_MS,
    .loss_reason = "lists of audit events were put off, and may not have come again",
    .take = take,
    .recorded = recorded,
    .unrecorded = unrecorded,
    .settled = settled,
    .close = close_audit,
};

bool audit_webhook_source_open(struct webhook *webhook,
                               const struct webhook_intake_options *options, struct source **out,
                               struct error *err)
{
    struct audit_webhook *audit = xcalloc(1, sizeof(*audit));
    audit->recent = recent_digests_new(RECENT_DIGESTS);
    bool opened = webhook_intake_open(&audit->intake, &audit_webhook, webhook, options, err);
    *out = &audit->intake.source;
    return opened;
}
