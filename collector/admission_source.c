// The admission source. A review that cannot be read is refused with 400: then the API server goes
// by its failurePolicy, which our manifest sets to Ignore.

#include "collector/admission_source.h"

#include "collector/admission_review.h"
#include "collector/audit_request.h"

// The API server takes 3 MiB of a request and keeps 1.5 MiB of an object; a review has two of them.
#define BODY_MAX_BYTES ((size_t)4 * 1024 * 1024)
// Half of the timeoutSeconds of our manifest: a write is never held up for longer.
#define PATIENCE_MS 1000

static bool take(struct webhook_intake *intake, struct outbox *outbox, const struct buffer *body,
                 int64_t at, size_t *place, bool *done, struct error *err)
{
    struct admission_review review;
    (void)place;
    if (!admission_review_read(body->data, body->length, &review, err) ||
        !admission_review_emit(outbox, &review, &intake->coverage, at, err) ||
        !webhook_intake_note(intake, outbox, at, at, err))
        return false;
    *done = true;
    return true;
}

static void allow(const char *bytes, size_t length, struct webhook_reply *reply)
{
    struct admission_review review;
    struct error err;
    if (!admission_review_read(bytes, length, &review, &err)) {
        reply->code = 400;
        return;
    }
    reply->code = 200;
    admission_review_allow(&review, &reply->body);
}

static void recorded(const struct buffer *body, struct webhook_reply *reply)
{
    allow(body->data, body->length, reply);
}

static const struct webhook_intake_kind admission = {
    .name = VIA_ADMISSION,
    .path = "/admission",
    .body_max_bytes = BODY_MAX_BYTES,
    .patience_ms = PATIENCE_MS,
    .by_our_clock = true,
    .loss_reason = "admission reviews were let pass without being recorded",
    .take = take,
    .recorded = recorded,
    .unrecorded = allow,
};

bool admission_source_open(struct webhook *webhook, const struct webhook_intake_options *options,
                           struct source **out, struct error *err)
{
    struct webhook_intake *intake = xcalloc(1, sizeof(*intake));
    bool opened = webhook_intake_open(intake, &admission, webhook, options, err);
    *out = &intake->source;
    return opened;
}
