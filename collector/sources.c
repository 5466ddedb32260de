// The sources of a configuration, each with what the loop has to know of it: what it waits for,
// whether it takes part in the open transaction, and whether its last step was refused.

#include "collector/sources.h"

#include <stdlib.h>

#include "collector/admission_source.h"
#include "collector/audit_source.h"
#include "collector/audit_webhook_source.h"
#include "collector/git_source.h"
#include "collector/kubernetes_source.h"
#include "collector/source.h"
#include "collector/webhook.h"
#include "common/json.h"
#include "common/log.h"
#include "common/timestamp.h"

#define RETRY_MS 1000 // after the spool refused a source

struct slot {
    struct source *source;
    size_t first; // its poll items
    size_t count;
    bool stepped;       // in the open transaction
    bool refused;       // its last step was taken back
    struct error cause; // why
    int64_t retry_ms;
};

struct sources {
    struct slot *slots;
    size_t count;
    struct webhook **webhooks; // servers that sources share
    size_t webhook_count;
};

// The server that listens where this source wants to be called.
static bool find_webhook(struct sources *sources, const struct webhook_options *options,
                         struct webhook **out, struct error *err)
{
    bool same = false;
    for (size_t i = 0; i < sources->webhook_count && !same; i++) {
        *out = sources->webhooks[i];
        if (!webhook_is_for(*out, options, &same, err))
            return false;
    }
    if (same)
        return webhook_want_clients(*out, options->client_ca, err);
    if (!webhook_open(options, out, err))
        return false;
    sources->webhooks[sources->webhook_count++] = *out;
    return true;
}

static bool open_called(struct sources *sources, const struct source_config *config,
                        struct source **out, struct error *err)
{
    struct webhook *webhook;
    if (!find_webhook(sources, &config->webhook, &webhook, err))
        return false;
    return config->type == SOURCE_ADMISSION
               ? admission_source_open(webhook, &config->intake, out, err)
               : audit_webhook_source_open(webhook, &config->intake, out, err);
}

static bool open_source(struct sources *sources, const struct source_config *config,
                        struct source **out, struct error *err)
{
    switch (config->type) {
    case SOURCE_KUBERNETES:
        return kubernetes_source_open(&config->kubernetes, out, err);
    case SOURCE_AUDIT_LOG:
        *out = audit_source_open(&config->audit_log);
        return true;
    case SOURCE_ADMISSION:
    case SOURCE_AUDIT_WEBHOOK:
        return open_called(sources, config, out, err);
    case SOURCE_GIT:
        return git_source_open(&config->git, out, err);
    }
    return fail(err, REACT_STOP, "unknown source");
}

void sources_close(struct sources *sources)
{
    if (sources == NULL)
        return;
    for (size_t i = 0; i < sources->count; i++) {
        struct source *source = sources->slots[i].source;
        if (source != NULL)
            source->class->close(source);
    }
    // They answer for sources, whose routes they own.
    for (size_t i = 0; i < sources->webhook_count; i++)
        webhook_close(sources->webhooks[i]);
    free(sources->webhooks);
    free(sources->slots);
    free(sources);
}

bool sources_open(const struct config *config, struct sources **out, struct error *err)
{
    SCOPED(sources_close) struct sources *sources = xcalloc(1, sizeof(*sources));
    sources->count = config->source_count;
    sources->slots = xcalloc(sources->count, sizeof(*sources->slots));
    sources->webhooks = xcalloc(sources->count, sizeof(struct webhook *));
    for (size_t i = 0; i < sources->count; i++) {
        if (!open_source(sources, &config->sources[i], &sources->slots[i].source, err))
            return false;
    }
    for (size_t i = 0; i < sources->webhook_count; i++) {
        if (!webhook_start(sources->webhooks[i], err))
            return false;
    }
    *out = sources;
    sources = NULL;
    return true;
}

// A refused source is not listened to for a while: what is ready there would wake us for nothing.
static bool is_listening(const struct slot *slot, int64_t now)
{
    return !(slot->refused && now < slot->retry_ms);
}

static size_t add_items(struct slot *slot, zmq_pollitem_t *items, size_t first, size_t capacity)
{
    slot->first = first;
    slot->count = slot->source->class->descriptors(slot->source, items + first, capacity - first);
    for (size_t i = first; i < first + slot->count; i++)
        items[i].revents = 0;
    return first + slot->count;
}

long sources_prepare(struct sources *sources, zmq_pollitem_t *items, size_t capacity, size_t *count)
{
    int64_t now = monotonic_ms();
    long wait = -1;
    *count = 0;
    for (size_t i = 0; i < sources->count; i++) {
        struct slot *slot = &sources->slots[i];
        slot->count = 0;
        if (is_listening(slot, now)) {
            *count = add_items(slot, items, *count, capacity);
            wait = source_sooner(wait, slot->source->class->timeout_ms(slot->source));
        } else {
            wait = source_sooner(wait, (long)(slot->retry_ms - now));
        }
    }
    return wait;
}

// A source is stepped when a descriptor of its own is ready or its time has come.
static bool is_due(const struct slot *slot, const zmq_pollitem_t *items)
{
    if (!is_listening(slot, monotonic_ms()))
        return false;
    for (size_t i = slot->first; i < slot->first + slot->count; i++) {
        if (items[i].revents != 0)
            return true;
    }
    return slot->source->class->timeout_ms(slot->source) == 0;
}

// Said once when a source begins to wait, not at every attempt, and not when the program ends.
static void note_refused(struct slot *slot, const struct error *err)
{
    if (!slot->refused && err->react != REACT_STOP)
        log_line(LOG_ERROR, "source waits: nothing more can be accepted", "source",
                 slot->source->class->name, "reason", err->text, NULL);
    slot->cause = *err;
    slot->refused = true;
    slot->retry_ms = monotonic_ms() + RETRY_MS;
}

static void note_accepted(struct slot *slot)
{
    if (slot->refused)
        log_line(LOG_INFO, "source goes on", "source", slot->source->class->name, NULL);
    slot->refused = false;
}

// A refused step is taken back alone, the others' stay.
static bool step_source(struct slot *slot, const zmq_pollitem_t *items, struct spool *spool,
                        struct outbox *outbox, struct error *err)
{
    const struct source_class *class = slot->source->class;
    if (!spool_savepoint(spool, err))
        return false;
    if (class->step(slot->source, items + slot->first, slot->count, outbox, err)) {
        slot->stepped = true;
        return spool_release(spool, err);
    }
    if (err->react == REACT_STOP)
        return false;
    struct error cause = *err;
    bool taken_back = spool_take_back(spool, err);
    class->settled(slot->source, false);
    note_refused(slot, &cause);
    return taken_back;
}

bool sources_step(struct sources *sources, const zmq_pollitem_t *items, struct spool *spool,
                  struct outbox *outbox, struct error *err)
{
    for (size_t i = 0; i < sources->count; i++) {
        struct slot *slot = &sources->slots[i];
        if (is_due(slot, items) && !step_source(slot, items, spool, outbox, err))
            return false;
    }
    return true;
}

void sources_settle(struct sources *sources, bool committed, const struct error *cause)
{
    for (size_t i = 0; i < sources->count; i++) {
        struct slot *slot = &sources->slots[i];
        if (!slot->stepped)
            continue;
        slot->stepped = false;
        slot->source->class->settled(slot->source, committed);
        if (committed)
            note_accepted(slot);
        else
            note_refused(slot, cause);
    }
}

void sources_refuse(struct sources *sources, const struct error *err)
{
    for (size_t i = 0; i < sources->count; i++)
        note_refused(&sources->slots[i], err);
}

void sources_reread(struct sources *sources)
{
    for (size_t i = 0; i < sources->webhook_count; i++)
        webhook_reread(sources->webhooks[i]);
}

bool sources_clock_set(struct sources *sources, int64_t by_us, struct outbox *outbox,
                       struct error *err)
{
    for (size_t i = 0; i < sources->count; i++) {
        struct source *source = sources->slots[i].source;
        if (source->class->clock_set != NULL &&
            !source->class->clock_set(source, by_us, outbox, err))
            return false;
    }
    return true;
}

char *sources_print_looks(const struct sources *sources)
{
    SCOPED(cJSON_Delete) cJSON *looks = cJSON_CreateArray();
    for (size_t i = 0; i < sources->count; i++) {
        struct source *source = sources->slots[i].source;
        source->class->looks(source, looks);
    }
    return json_print(looks);
}

void sources_trouble(const struct sources *sources, struct buffer *out)
{
    for (size_t i = 0; i < sources->count && out->length == 0; i++) {
        const struct slot *slot = &sources->slots[i];
        if (slot->refused)
            buffer_printf(out, "%s waits: %s", slot->source->class->name, slot->cause.text);
    }
    for (size_t i = 0; i < sources->count && out->length == 0; i++) {
        const struct source *source = sources->slots[i].source;
        source->class->trouble(source, out);
    }
}

bool sources_are_finished(const struct sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        const struct source *source = sources->slots[i].source;
        if (!source->class->is_finished(source))
            return false;
    }
    return true;
}
