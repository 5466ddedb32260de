// The loop: waits for everything at once, steps the sources that are due inside one transaction of
// the spool, commits, and lets the publisher send what has become durable.

#include "collector/collector.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

#include "collector/audit_source.h"
#include "collector/clock.h"
#include "collector/footprint.h"
#include "collector/kubernetes_source.h"
#include "collector/publisher.h"
#include "collector/redact_message.h"
#include "collector/source.h"
#include "collector/spool.h"
#include "collector/spool_outbox.h"
#include "common/curve_key.h"
#include "common/digest.h"
#include "common/json.h"
#include "common/log.h"
#include "common/timestamp.h"

#define SOURCE_DESCRIPTORS 256 // of all sources together
#define DESCRIPTORS (1 + PUBLISHER_DESCRIPTORS + SOURCE_DESCRIPTORS)
#define RETAIN_BYTES ((int64_t)64 * 1024 * 1024)
#define RETRY_MS 1000 // after the spool refused a source
#define CLOCK_KEY "clock"
#define DRAIN_MS 3000 // for the last acknowledgements when a signal ends the program

// One source and what the loop knows of it.
struct slot {
    struct source *source;
    size_t first; // its poll items
    size_t count;
    bool stepped;       // in the open transaction
    bool refused;       // its last step was taken back
    struct error cause; // why
    int64_t retry_ms;
};

struct collector {
    const struct config *config;
    bool once;
    int signal_fd;
    void *zmq;
    struct spool *spool;
    struct outbox *outbox;
    struct store_address *stores; // the publisher's
    struct publisher *publisher;
    struct slot *slots;
    size_t slot_count;
    zmq_pollitem_t items[DESCRIPTORS];
    size_t item_count;
    size_t publisher_items;
    bool stopping;
    int64_t stop_ms; // when waiting for acknowledgements ends
    struct footprint footprint;
    bool clock_saved;
    int64_t clock_set_us; // by so much, and not yet durable
};

static bool open_source(const struct source_config *config, struct source **out, struct error *err)
{
    switch (config->type) {
    case SOURCE_KUBERNETES:
        return kubernetes_source_open(&config->kubernetes, out, err);
    case SOURCE_AUDIT_LOG:
        *out = audit_source_open(&config->audit_log);
        return true;
    }
    return fail(err, REACT_STOP, "unknown source");
}

static void close_sources(struct collector *collector)
{
    for (size_t i = 0; i < collector->slot_count; i++) {
        struct source *source = collector->slots[i].source;
        if (source != NULL)
            source->class->close(source);
    }
    free(collector->slots);
    collector->slots = NULL;
    collector->slot_count = 0;
}

static bool open_sources(struct collector *collector, struct error *err)
{
    collector->slot_count = collector->config->source_count;
    collector->slots = xcalloc(collector->slot_count, sizeof(*collector->slots));
    for (size_t i = 0; i < collector->slot_count; i++) {
        if (!open_source(&collector->config->sources[i], &collector->slots[i].source, err))
            return false;
    }
    return true;
}

static bool open_spool(struct collector *collector, struct error *err)
{
    const struct config *config = collector->config;
    struct spool_options options = {.path = config->spool,
                                    .collector = config->collector,
                                    .cluster = config->cluster,
                                    .max_bytes = config->spool_max_bytes,
                                    .retain_events = config->retain_events,
                                    .retain_bytes = RETAIN_BYTES};
    return spool_open(&options, &collector->spool, err) &&
           outbox_open(collector->spool, &collector->outbox, err);
}

// Each address with each key. Which store has which key is not asked: a handshake with the wrong
// one costs a tenth of a second, and keys are exchanged seldom.
static void list_stores(struct collector *collector, struct publisher_options *options)
{
    const struct config *config = collector->config;
    collector->stores =
        xcalloc(config->store_count * config->store_key_count, sizeof(*collector->stores));
    for (size_t i = 0; i < config->store_count; i++) {
        for (size_t j = 0; j < config->store_key_count; j++) {
            struct store_address *store = &collector->stores[options->store_count++];
            store->address = config->stores[i];
            memcpy(store->key, config->store_keys[j], CURVE_KEY_BYTES);
        }
    }
    options->stores = collector->stores;
}

// The key file is read before anything is watched: a collector that cannot send need not begin.
static bool open_publisher(struct collector *collector, struct error *err)
{
    const struct config *config = collector->config;
    struct publisher_options options = {.timeout_ms = config->timeout_ms};
    if (!curve_key_load(config->key_file, &options.key, err))
        return false;
    collector->zmq = zmq_ctx_new();
    if (collector->zmq == NULL)
        return fail(err, REACT_STOP, "cannot start ZeroMQ: %s", zmq_strerror(errno));
    list_stores(collector, &options);
    collector->publisher = publisher_open(collector->zmq, collector->spool, &options);
    curve_key_wipe(&options.key);
    return true;
}

// In the order of dependence: sources use the outbox, the publisher reads the spool.
static void close_all(struct collector *collector)
{
    close_sources(collector);
    publisher_close(collector->publisher);
    free(collector->stores);
    if (collector->zmq != NULL)
        zmq_ctx_term(collector->zmq);
    outbox_close(collector->outbox);
    spool_close(collector->spool);
}

static void add_source_items(struct collector *collector, struct slot *slot)
{
    const struct source_class *class = slot->source->class;
    slot->first = collector->item_count;
    slot->count = class->descriptors(slot->source, collector->items + slot->first,
                                     DESCRIPTORS - collector->item_count);
    collector->item_count += slot->count;
    for (size_t i = slot->first; i < collector->item_count; i++)
        collector->items[i].revents = 0;
}

// Sources that were refused, and all of them when stopping, are not listened to: what is ready
// there would wake us for nothing.
static bool is_listening(const struct collector *collector, const struct slot *slot, int64_t now)
{
    return !collector->stopping && !(slot->refused && now < slot->retry_ms);
}

static long least_wait(long left, long right)
{
    if (left < 0)
        return right;
    return right < 0 || left < right ? left : right;
}

// Fills the poll items; gives how long to wait for them.
static long prepare_wait(struct collector *collector)
{
    int64_t now = monotonic_ms();
    long wait = publisher_timeout_ms(collector->publisher);
    if (collector->stopping)
        wait = least_wait(wait, collector->stop_ms > now ? (long)(collector->stop_ms - now) : 0);
    collector->items[0] = (zmq_pollitem_t){.fd = collector->signal_fd, .events = ZMQ_POLLIN};
    collector->publisher_items = publisher_descriptors(collector->publisher, collector->items + 1);
    collector->item_count = 1 + collector->publisher_items;
    for (size_t i = 0; i < collector->slot_count; i++) {
        struct slot *slot = &collector->slots[i];
        slot->count = 0;
        if (is_listening(collector, slot, now)) {
            add_source_items(collector, slot);
            wait = least_wait(wait, slot->source->class->timeout_ms(slot->source));
        } else if (!collector->stopping) {
            wait = least_wait(wait, (long)(slot->retry_ms - now));
        }
    }
    return wait;
}

// The only place where the program sleeps.
static bool wait_for_work(struct collector *collector, struct error *err)
{
    long wait = prepare_wait(collector);
    if (zmq_poll(collector->items, (int)collector->item_count, wait) < 0 && errno != EINTR)
        return fail(err, REACT_STOP, "cannot wait for work: %s", zmq_strerror(errno));
    return true;
}

// A collector without a usable key goes on with the one that it has.
static void reread_key(struct collector *collector)
{
    SCOPED_CURVE_KEY key = {0};
    struct error err;
    if (!curve_key_load(collector->config->key_file, &key, &err)) {
        log_line(LOG_ERROR, "key not reread, the old one stays", "reason", err.text, NULL);
        return;
    }
    char public_hex[CURVE_KEY_HEX];
    hex_encode(key.public, CURVE_KEY_BYTES, public_hex);
    log_line(LOG_INFO, "key reread", "key", public_hex, NULL);
    publisher_replace_key(collector->publisher, &key);
}

static void take_signal(struct collector *collector)
{
    struct signalfd_siginfo info;
    if (collector->items[0].revents == 0 ||
        read(collector->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    if (info.ssi_signo == SIGHUP) {
        reread_key(collector);
        return;
    }
    // A second signal does not wait for the store.
    collector->stop_ms = collector->stopping ? 0 : monotonic_ms() + DRAIN_MS;
    if (!collector->stopping)
        log_line(LOG_INFO, "stopping", NULL);
    collector->stopping = true;
}

// A source is stepped when a descriptor of its own is ready or its time has come.
static bool is_due(const struct collector *collector, const struct slot *slot)
{
    if (!is_listening(collector, slot, monotonic_ms()))
        return false;
    for (size_t i = slot->first; i < slot->first + slot->count; i++) {
        if (collector->items[i].revents != 0)
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

// Steps one source; a refused step is taken back alone, the others' stay.
static bool step_source(struct collector *collector, struct slot *slot, struct error *err)
{
    const struct source_class *class = slot->source->class;
    if (!spool_savepoint(collector->spool, err))
        return false;
    if (class->step(slot->source, collector->items + slot->first, slot->count, collector->outbox,
                    err)) {
        slot->stepped = true;
        return spool_release(collector->spool, err);
    }
    if (err->react == REACT_STOP)
        return false;
    struct error cause = *err;
    bool taken_back = spool_take_back(collector->spool, err);
    class->settled(slot->source, false);
    note_refused(slot, &cause);
    return taken_back;
}

// Tells the stepped sources whether what they did is durable.
static void settle_sources(struct collector *collector, bool committed, const struct error *cause)
{
    for (size_t i = 0; i < collector->slot_count; i++) {
        struct slot *slot = &collector->slots[i];
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

// A clock that was set between two runs is noticed too, as long as the machine was not booted anew.
static bool resume_clock(struct collector *collector, struct error *err)
{
    SCOPED(xfree_char) char *text = NULL;
    if (!outbox_get_cursor(collector->outbox, CLOCK_KEY, &text, err))
        return false;
    collector->clock_saved = text != NULL && clock_resume(text);
    return true;
}

// In one transaction, for instants of the one clock must not be read as the other's.
static bool save_clock(struct collector *collector, int64_t by_us, struct error *err)
{
    for (size_t i = 0; i < collector->slot_count; i++) {
        struct source *source = collector->slots[i].source;
        if (source->class->clock_set != NULL &&
            !source->class->clock_set(source, by_us, collector->outbox, err))
            return false;
    }
    SCOPED(xfree_char) char *text = clock_print();
    return (collector->clock_set_us == 0 ||
            spool_clock_set(collector->spool, collector->clock_set_us, err)) &&
           outbox_set_cursor(collector->outbox, CLOCK_KEY, text, err);
}

// Without it nothing new may be written: no source is stepped before it is durable.
static void refuse_all(struct collector *collector, const struct error *err)
{
    for (size_t i = 0; i < collector->slot_count; i++)
        note_refused(&collector->slots[i], err);
}

// At the beginning of each turn, so that all that it brings is of one clock.
static bool follow_clock(struct collector *collector, struct error *err)
{
    int64_t by_us = clock_agree();
    if (by_us != 0) {
        char seconds[32];
        snprintf(seconds, sizeof(seconds), "%.3f", (double)by_us / 1e6);
        log_line(LOG_WARN, "the clock was set", "by_seconds", seconds, NULL);
        collector->clock_set_us += by_us;
        collector->clock_saved = false;
    }
    if (collector->clock_saved || save_clock(collector, by_us, err))
        return true;
    refuse_all(collector, err);
    return false;
}

static void note_clock_saved(struct collector *collector)
{
    collector->clock_saved = true;
    collector->clock_set_us = 0;
}

static bool step_due(struct collector *collector, struct error *err)
{
    for (size_t i = 0; i < collector->slot_count; i++) {
        struct slot *slot = &collector->slots[i];
        if (is_due(collector, slot) && !step_source(collector, slot, err))
            return false;
    }
    if (spool_wants_save(collector->spool))
        spool_touch(collector->spool);
    return !spool_wants_trim(collector->spool) || spool_trim(collector->spool, err);
}

// One transaction for everything that this turn brings. RETRY means that the disk is full: all
// sources wait, and nothing is lost.
static bool collect(struct collector *collector, struct error *err)
{
    if (!spool_tend(collector->spool, err) || !spool_begin(collector->spool, err))
        return false;
    bool stepped = follow_clock(collector, err) && step_due(collector, err);
    if (!stepped)
        spool_rollback(collector->spool);
    bool committed = stepped && spool_commit(collector->spool, err);
    if (committed)
        note_clock_saved(collector);
    struct error cause = {0};
    if (!committed)
        cause = *err;
    settle_sources(collector, committed, &cause);
    return committed || cause.react == REACT_RETRY;
}

static char *print_looks(const struct collector *collector)
{
    SCOPED(cJSON_Delete) cJSON *looks = cJSON_CreateArray();
    for (size_t i = 0; i < collector->slot_count; i++) {
        struct source *source = collector->slots[i].source;
        source->class->looks(source, looks);
    }
    return json_print(looks);
}

// What keeps this collector from looking, the worst first: a spool that takes nothing stops all.
static void append_trouble(const struct collector *collector, struct buffer *out)
{
    for (size_t i = 0; i < collector->slot_count && out->length == 0; i++) {
        const struct slot *slot = &collector->slots[i];
        if (slot->refused)
            buffer_printf(out, "%s waits: %s", slot->source->class->name, slot->cause.text);
    }
    for (size_t i = 0; i < collector->slot_count && out->length == 0; i++) {
        const struct source *source = collector->slots[i].source;
        source->class->trouble(source, out);
    }
}

// After the commit of this turn, so that looks never claim what is not yet durable here.
static void offer_looks(struct collector *collector)
{
    if (!publisher_wants_looks(collector->publisher))
        return;
    SCOPED(xfree_char) char *looks = print_looks(collector);
    SCOPED_BUFFER trouble = {0};
    SCOPED_BUFFER clean = {0};
    append_trouble(collector, &trouble);
    bool redacted = trouble.length > 0 && redact_message(trouble.data, trouble.length, &clean);
    const char *words = redacted ? clean.data : trouble.data;
    publisher_offer_looks(collector->publisher, looks, words ? words : "");
}

// A new epoch has forgotten all cursors: sources with a memory of their own must not keep it.
static bool publish(struct collector *collector, struct error *err)
{
    offer_looks(collector);
    if (!publisher_step(collector->publisher, err))
        return false;
    if (!publisher_take_relist(collector->publisher))
        return true;
    close_sources(collector);
    return open_sources(collector, err);
}

static bool all_finished(const struct collector *collector)
{
    for (size_t i = 0; i < collector->slot_count; i++) {
        const struct source *source = collector->slots[i].source;
        if (!source->class->is_finished(source))
            return false;
    }
    return true;
}

// One turn: wait, read and commit, send. Everything that the program does happens in here.
static bool turn(struct collector *collector, bool *done, struct error *err)
{
    if (!wait_for_work(collector, err))
        return false;
    take_signal(collector);
    if (!collect(collector, err) || !publish(collector, err))
        return false;
    footprint_step(&collector->footprint, monotonic_ms());
    const char *fork;
    if (collector->once && publisher_is_forked(collector->publisher, &fork))
        return fail(err, REACT_STOP, "fork: %s", fork);
    bool drained = publisher_is_drained(collector->publisher);
    bool confirmed = publisher_is_confirmed(collector->publisher);
    *done = (collector->once && confirmed && all_finished(collector)) ||
            (collector->stopping && (drained || monotonic_ms() >= collector->stop_ms));
    return true;
}

static void log_start(const struct collector *collector)
{
    char waiting[24];
    char epoch[24];
    snprintf(epoch, sizeof(epoch), "%" PRId64, spool_epoch(collector->spool));
    snprintf(waiting, sizeof(waiting), "%" PRId64,
             spool_last(collector->spool) - spool_acked(collector->spool));
    log_line(LOG_INFO, "started", "version", MODELTRAIL_VERSION, "collector",
             collector->config->collector, "cluster", collector->config->cluster, "epoch", epoch,
             "waiting", waiting, NULL);
}

static void log_end(const struct collector *collector)
{
    char waiting[24];
    char acked[24];
    snprintf(acked, sizeof(acked), "%" PRId64, spool_acked(collector->spool));
    snprintf(waiting, sizeof(waiting), "%" PRId64,
             spool_last(collector->spool) - spool_acked(collector->spool));
    log_line(LOG_INFO, "ended", "acked", acked, "waiting", waiting, NULL);
}

// How far the store is, for the next run. On a full disk it costs a few repeats not to know; a disk
// that fails must not end in silence.
static bool save_at_end(struct spool *spool, struct error *err)
{
    bool saved = spool_begin(spool, err);
    if (saved)
        spool_touch(spool);
    if (saved && spool_commit(spool, err) && spool_write_back(spool, err))
        return true;
    if (err->react == REACT_RETRY)
        log_line(LOG_WARN, "spool not saved at the end", "reason", err->text, NULL);
    return err->react == REACT_RETRY;
}

bool collector_run(const struct config *config, bool once, int signal_fd, struct error *err)
{
    struct collector collector = {.config = config, .once = once, .signal_fd = signal_fd};
    bool done = false;
    bool running = open_spool(&collector, err) && open_publisher(&collector, err) &&
                   open_sources(&collector, err) && resume_clock(&collector, err);
    if (running)
        log_start(&collector);
    while (running && !done)
        running = turn(&collector, &done, err);
    if (running) {
        SCOPED(xfree_char) char *looks = print_looks(&collector);
        publisher_say_goodbye(collector.publisher, looks);
        log_end(&collector);
    }
    if (running)
        running = save_at_end(collector.spool, err);
    close_all(&collector);
    return running;
}
