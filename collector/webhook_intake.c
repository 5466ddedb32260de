// The life of a source that others call: take what waits, emit, and after the commit answer all of
// it at once. When the outbox takes nothing, callers are sent on their way at once until it does.

#include "collector/webhook_intake.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/timestamp.h"

#define HELD_MAX 256
#define STEP_BYTES ((size_t)4 * 1024 * 1024)
#define STEP_MS 25 // others wait meanwhile
#define WATCHED_EVERY_MS (5 * 60 * 1000)
#define CODE_OK 200
#define CODE_BAD 400

struct held {
    struct webhook_request *request;
    size_t place;
    bool done;
    int code;
};

static struct webhook_intake *own(struct source *source)
{
    return (struct webhook_intake *)source;
}

// Our clock's time of an instant that was measured by the other.
static int64_t wall_time(int64_t at_ms)
{
    return clock_now() - (monotonic_ms() - at_ms) * 1000;
}

static bool emit_watched(struct webhook_intake *intake, struct outbox *outbox, struct error *err)
{
    const struct webhook_progress *now = &intake->now;
    intake->watched_ms = monotonic_ms();
    if (now->since == TIMESTAMP_NONE || now->through <= intake->watched_through)
        return true;
    intake->watched_through = now->through;
    return audit_watched_emit(outbox, &intake->coverage, now->since, now->through, err);
}

static bool save_cursor(struct webhook_intake *intake, struct outbox *outbox, struct error *err)
{
    SCOPED(cJSON_Delete) cJSON *cursor = cJSON_CreateObject();
    json_add_int64(cursor, "since", intake->now.since);
    json_add_int64(cursor, "through", intake->now.through);
    SCOPED(xfree_char) char *text = json_print(cursor);
    return outbox_set_cursor(outbox, intake->key, text, err);
}

// Nobody heard what was said while we were away: coverage begins anew with the next request. What
// the run before had covered may have stood in beats only, and is said for good.
static bool load_cursor(struct webhook_intake *intake, struct outbox *outbox, struct error *err)
{
    SCOPED(xfree_char) char *text = NULL;
    if (!outbox_get_cursor(outbox, intake->key, &text, err))
        return false;
    SCOPED(cJSON_Delete) cJSON *cursor = text ? json_parse(text, strlen(text), 8, err) : NULL;
    int64_t since;
    int64_t through;
    bool told = json_int64(cursor, "since", &since) && json_int64(cursor, "through", &through) &&
                since != TIMESTAMP_NONE;
    if (told && (!audit_watched_emit(outbox, &intake->coverage, since, through, err) ||
                 !outbox_set_cursor(outbox, intake->key, NULL, err)))
        return false;
    intake->loaded = true;
    return true;
}

bool webhook_intake_note(struct webhook_intake *intake, struct outbox *outbox, int64_t begins,
                         int64_t at, struct error *err)
{
    struct webhook_progress *now = &intake->now;
    if (now->since == TIMESTAMP_NONE)
        now->since = begins;
    if (at > now->through)
        now->through = at;
    int64_t from = now->torn_from;
    if (from == TIMESTAMP_NONE || at <= from)
        return true;
    now->torn_from = TIMESTAMP_NONE;
    return audit_gap_emit(outbox, &intake->coverage, from, at,
                          "something that was sent to the webhook could not be used", err);
}

// Before the first request nothing is covered anyway.
void webhook_intake_torn(struct webhook_intake *intake)
{
    if (intake->now.torn_from == TIMESTAMP_NONE && intake->now.since != TIMESTAMP_NONE)
        intake->now.torn_from = intake->now.through;
}

// What callers were sent away with, from the newest that was read to the last of them.
static bool emit_loss(struct webhook_intake *intake, struct outbox *outbox, struct error *err)
{
    struct webhook_loss *loss = &intake->loss;
    if (loss->count == 0)
        return true;
    int64_t from = wall_time(loss->first_ms);
    int64_t to = wall_time(loss->last_ms) + 1;
    if (!intake->kind->by_our_clock && intake->now.through != TIMESTAMP_NONE &&
        intake->now.through < from)
        from = intake->now.through;
    SCOPED(xfree_char)
    char *reason = xasprintf("%" PRId64 " %s", loss->count, intake->kind->loss_reason);
    intake->told_loss = *loss;
    *loss = (struct webhook_loss){0};
    return audit_gap_emit(outbox, &intake->coverage, from, to, reason, err);
}

static void drain_descriptor(const struct webhook_intake *intake)
{
    uint64_t count;
    ssize_t got = read(webhook_route_descriptor(intake->route), &count, sizeof(count));
    (void)got; // nothing to read is fine
}

// A body that cannot be used is its sender's business. What of it was usable stays.
static bool take_part(struct webhook_intake *intake, struct outbox *outbox, struct held *held,
                      struct error *err)
{
    int64_t at = wall_time(webhook_arrived_ms(held->request));
    held->code = CODE_OK;
    if (intake->kind->take(intake, outbox, webhook_body(held->request), at, &held->place,
                           &held->done, err))
        return true;
    if (err->react != REACT_REJECT)
        return false;
    log_line(LOG_DEBUG, "webhook body refused", "source", intake->kind->name, "reason", err->text,
             NULL);
    held->code = CODE_BAD;
    held->done = true;
    return true;
}

static void take_requests(struct webhook_intake *intake)
{
    struct webhook_request *taken[HELD_MAX];
    drain_descriptor(intake); // before looking, so that what comes in between wakes us again
    size_t count = webhook_take(intake->route, taken, HELD_MAX - intake->held_count, STEP_BYTES,
                                &intake->loss);
    for (size_t i = 0; i < count; i++)
        intake->held[intake->held_count++] = (struct held){.request = taken[i]};
    // More may wait than could be taken; the next step finds out.
    intake->more = count > 0;
}

// In the order in which they came, until enough is done.
static bool emit_held(struct webhook_intake *intake, struct outbox *outbox, struct error *err)
{
    int64_t ends_ms = monotonic_ms() + STEP_MS;
    for (size_t i = 0; i < intake->held_count; i++) {
        struct held *held = &intake->held[i];
        while (!held->done) {
            if (!take_part(intake, outbox, held, err))
                return false;
            if (!held->done && monotonic_ms() >= ends_ms)
                return true;
        }
        if (monotonic_ms() >= ends_ms)
            return true;
    }
    return true;
}

static bool intake_step(struct source *source, const zmq_pollitem_t *ready, size_t count,
                        struct outbox *outbox, struct error *err)
{
    (void)ready;
    (void)count;
    struct webhook_intake *intake = own(source);
    intake->told_loss = (struct webhook_loss){0};
    take_requests(intake);
    bool due = monotonic_ms() - intake->watched_ms >= WATCHED_EVERY_MS;
    if ((!intake->loaded && !load_cursor(intake, outbox, err)) || !emit_loss(intake, outbox, err) ||
        !emit_held(intake, outbox, err) || (due && !emit_watched(intake, outbox, err)) ||
        (intake->now.through != intake->committed.through && !save_cursor(intake, outbox, err)))
        return fail_in(err, "%s", intake->kind->name);
    return true;
}

static void answer(struct webhook_intake *intake, const struct held *held, bool committed)
{
    struct webhook_reply reply = {.code = held->code};
    const struct buffer *body = webhook_body(held->request);
    if (held->done && held->code == CODE_BAD)
        reply.code = CODE_BAD;
    else if (committed)
        intake->kind->recorded(body, &reply);
    else
        intake->kind->unrecorded(body->data, body->length, &reply);
    webhook_answer(held->request, reply.code, reply.body.data, reply.body.length);
    buffer_reset(&reply.body);
}

static void answer_done(struct webhook_intake *intake)
{
    size_t left = 0;
    for (size_t i = 0; i < intake->held_count; i++) {
        if (intake->held[i].done)
            answer(intake, &intake->held[i], true);
        else
            intake->held[left++] = intake->held[i];
    }
    intake->held_count = left;
    intake->more = intake->more || left > 0;
}

static void add_loss(struct webhook_loss *loss, const struct webhook_loss *other)
{
    if (other->count == 0)
        return;
    if (loss->count == 0 || other->first_ms < loss->first_ms)
        loss->first_ms = other->first_ms;
    if (loss->count == 0 || other->last_ms > loss->last_ms)
        loss->last_ms = other->last_ms;
    loss->count += other->count;
}

// Nothing was recorded of whatever was taken, part of which an earlier step may have sent: better
// said twice than lost.
static void answer_lost(struct webhook_intake *intake)
{
    add_loss(&intake->loss, &intake->told_loss);
    for (size_t i = 0; i < intake->held_count; i++) {
        const struct held *held = &intake->held[i];
        int64_t at_ms = webhook_arrived_ms(held->request);
        if (!held->done || held->code == CODE_OK)
            add_loss(&intake->loss, &(struct webhook_loss){1, at_ms, at_ms});
        answer(intake, held, false);
    }
    intake->held_count = 0;
}

static void intake_settled(struct source *source, bool committed)
{
    struct webhook_intake *intake = own(source);
    if (committed) {
        answer_done(intake);
        intake->committed = intake->now;
    } else {
        answer_lost(intake);
        intake->now = intake->committed;
        intake->watched_through = TIMESTAMP_NONE; // said again rather than never
    }
    if (intake->kind->settled != NULL)
        intake->kind->settled(intake, committed);
    if (intake->refusing == committed)
        webhook_refuse(intake->route, !committed);
    intake->refusing = !committed;
}

static size_t intake_descriptors(struct source *source, zmq_pollitem_t *items, size_t capacity)
{
    if (capacity == 0)
        return 0;
    items[0] =
        (zmq_pollitem_t){.fd = webhook_route_descriptor(own(source)->route), .events = ZMQ_POLLIN};
    return 1;
}

static long intake_timeout_ms(struct source *source)
{
    const struct webhook_intake *intake = own(source);
    if (!intake->loaded || intake->more || intake->refusing || intake->loss.count > 0)
        return 0;
    if (intake->committed.since == TIMESTAMP_NONE ||
        intake->committed.through <= intake->watched_through)
        return -1;
    int64_t left = intake->watched_ms + WATCHED_EVERY_MS - monotonic_ms();
    return left > 0 ? (long)left : 0;
}

// Times that our clock made are moved with it; an API server's are its own.
static bool intake_clock_set(struct source *source, int64_t by_us, struct outbox *outbox,
                             struct error *err)
{
    struct webhook_intake *intake = own(source);
    if (by_us == 0 || !intake->kind->by_our_clock || intake->now.since == TIMESTAMP_NONE)
        return true;
    intake->now.since += by_us;
    intake->now.through += by_us;
    intake->committed = intake->now;
    return save_cursor(intake, outbox, err);
}

static void intake_looks(struct source *source, cJSON *array)
{
    const struct webhook_intake *intake = own(source);
    if (intake->committed.since != TIMESTAMP_NONE)
        audit_looks_add(array, &intake->coverage, intake->cluster, intake->committed.since,
                        intake->committed.through);
}

static void intake_trouble(const struct source *source, struct buffer *out)
{
    webhook_route_trouble(((const struct webhook_intake *)source)->route, out);
}

// Callers come for ever: there is no --once for it.
static bool intake_is_finished(const struct source *source)
{
    (void)source;
    return false;
}

static void intake_close(struct source *source)
{
    struct webhook_intake *intake = own(source);
    if (intake->route != NULL)
        webhook_refuse(intake->route, true);
    for (size_t i = 0; i < intake->held_count; i++)
        answer(intake, &intake->held[i], false);
    if (intake->kind->close != NULL)
        intake->kind->close(intake);
    char **namespaces = (char **)(uintptr_t)intake->coverage.namespaces;
    for (size_t i = 0; i < intake->coverage.namespace_count; i++)
        free(namespaces[i]);
    free(namespaces);
    free(intake->held);
    free(intake->cluster);
    free(intake->token_file);
    free(intake->key);
    free(intake);
}

static const struct source_class intake_class = {
    .descriptors = intake_descriptors,
    .timeout_ms = intake_timeout_ms,
    .step = intake_step,
    .settled = intake_settled,
    .clock_set = intake_clock_set,
    .looks = intake_looks,
    .trouble = intake_trouble,
    .is_finished = intake_is_finished,
    .close = intake_close,
};

static void copy_coverage(struct webhook_intake *intake,
                          const struct webhook_intake_options *options)
{
    size_t count = options->namespace_count;
    char **names = xcalloc(count ? count : 1, sizeof(*names));
    for (size_t i = 0; i < count; i++)
        names[i] = xstrdup(options->namespaces[i]);
    intake->coverage = (struct audit_coverage){.namespaces = (const char *const *)names,
                                               .namespace_count = count,
                                               .source = intake->kind->name};
}

bool webhook_intake_open(struct webhook_intake *intake, const struct webhook_intake_kind *kind,
                         struct webhook *webhook, const struct webhook_intake_options *options,
                         struct error *err)
{
    intake->class = intake_class;
    intake->class.name = kind->name;
    intake->source.class = &intake->class;
    intake->kind = kind;
    intake->cluster = xstrdup(options->cluster);
    intake->token_file = options->token_file ? xstrdup(options->token_file) : NULL;
    intake->key = xasprintf("%s:%s", kind->name, options->listen);
    intake->held = xcalloc(HELD_MAX, sizeof(*intake->held));
    intake->now = (struct webhook_progress){TIMESTAMP_NONE, TIMESTAMP_NONE, TIMESTAMP_NONE};
    intake->committed = intake->now;
    intake->watched_through = TIMESTAMP_NONE;
    intake->watched_ms = monotonic_ms();
    copy_coverage(intake, options);
    const struct webhook_route_options route = {.path = kind->path,
                                                .body_max_bytes = kind->body_max_bytes,
                                                .patience_ms = kind->patience_ms,
                                                .wants_certificate = options->wants_certificate,
                                                .token_file = intake->token_file,
                                                .unrecorded = kind->unrecorded};
    return webhook_add_route(webhook, &route, &intake->route, err);
}
