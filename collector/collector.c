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

#include "collector/clock.h"
#include "collector/footprint.h"
#include "collector/publisher.h"
#include "collector/redact_message.h"
#include "collector/source.h"
#include "collector/sources.h"
#include "collector/spool.h"
#include "collector/spool_outbox.h"
#include "common/curve_key.h"
#include "common/digest.h"
#include "common/log.h"
#include "common/timestamp.h"

#define SOURCE_DESCRIPTORS 256 // of all sources together
#define DESCRIPTORS (1 + PUBLISHER_DESCRIPTORS + SOURCE_DESCRIPTORS)
#define RETAIN_BYTES ((int64_t)64 * 1024 * 1024)
#define CLOCK_KEY "clock"
#define DRAIN_MS 3000 // for the last acknowledgements when a signal ends the program

struct collector {
    const struct config *config;
    bool once;
    int signal_fd;
    void *zmq;
    struct spool *spool;
    struct outbox *outbox;
    struct store_address *stores; // the publisher's
    struct publisher *publisher;
    struct sources *sources;
    zmq_pollitem_t items[DESCRIPTORS];
    size_t item_count;
    zmq_pollitem_t *source_items; // inside of items
    bool stopping;
    int64_t stop_ms; // when waiting for acknowledgements ends
    struct footprint footprint;
    bool clock_saved;
    int64_t clock_set_us; // by so much, and not yet durable
};

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
    sources_close(collector->sources);
    publisher_close(collector->publisher);
    free(collector->stores);
    if (collector->zmq != NULL)
        zmq_ctx_term(collector->zmq);
    outbox_close(collector->outbox);
    spool_close(collector->spool);
}

// Fills the poll items; gives how long to wait for them. When stopping, sources are not listened
// to: what is ready there would wake us for nothing.
static long prepare_wait(struct collector *collector)
{
    int64_t now = monotonic_ms();
    long wait = publisher_timeout_ms(collector->publisher);
    if (collector->stopping)
        wait = source_sooner(wait, collector->stop_ms > now ? (long)(collector->stop_ms - now) : 0);
    collector->items[0] = (zmq_pollitem_t){.fd = collector->signal_fd, .events = ZMQ_POLLIN};
    collector->item_count = 1 + publisher_descriptors(collector->publisher, collector->items + 1);
    if (collector->stopping)
        return wait;
    size_t count;
    collector->source_items = collector->items + collector->item_count;
    long sources = sources_prepare(collector->sources, collector->source_items,
                                   DESCRIPTORS - collector->item_count, &count);
    collector->item_count += count;
    return source_sooner(wait, sources);
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
        sources_reread(collector->sources);
        return;
    }
    // A second signal does not wait for the store.
    collector->stop_ms = collector->stopping ? 0 : monotonic_ms() + DRAIN_MS;
    if (!collector->stopping)
        log_line(LOG_INFO, "stopping", NULL);
    collector->stopping = true;
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
    if (!sources_clock_set(collector->sources, by_us, collector->outbox, err))
        return false;
    SCOPED(xfree_char) char *text = clock_print();
    return (collector->clock_set_us == 0 ||
            spool_clock_set(collector->spool, collector->clock_set_us, err)) &&
           outbox_set_cursor(collector->outbox, CLOCK_KEY, text, err);
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
    // Without it nothing new may be written: no source is stepped before it is durable.
    sources_refuse(collector->sources, err);
    return false;
}

static void note_clock_saved(struct collector *collector)
{
    collector->clock_saved = true;
    collector->clock_set_us = 0;
}

static bool step_due(struct collector *collector, struct error *err)
{
    if (!collector->stopping && !sources_step(collector->sources, collector->source_items,
                                              collector->spool, collector->outbox, err))
        return false;
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
    sources_settle(collector->sources, committed, &cause);
    return committed || cause.react == REACT_RETRY;
}

// After the commit of this turn, so that looks never claim what is not yet durable here.
static void offer_looks(struct collector *collector)
{
    if (!publisher_wants_looks(collector->publisher))
        return;
    SCOPED(xfree_char) char *looks = sources_print_looks(collector->sources);
    SCOPED_BUFFER trouble = {0};
    SCOPED_BUFFER clean = {0};
    sources_trouble(collector->sources, &trouble);
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
    sources_close(collector->sources);
    collector->sources = NULL;
    return sources_open(collector->config, &collector->sources, err);
}

// What only a person can mend ends a run that is to end; without --once it is waited for.
static bool check_welcome(const struct publisher *publisher, struct error *err)
{
    const char *reason;
    if (publisher_is_forked(publisher, &reason))
        return fail(err, REACT_STOP, "fork: %s", reason);
    if (publisher_is_refused(publisher, &reason))
        return fail(err, REACT_STOP, "refused: %s", reason);
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
    if (collector->once && !check_welcome(collector->publisher, err))
        return false;
    bool drained = publisher_is_drained(collector->publisher);
    bool confirmed = publisher_is_confirmed(collector->publisher);
    *done = (collector->once && confirmed && sources_are_finished(collector->sources)) ||
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
                   sources_open(config, &collector.sources, err) && resume_clock(&collector, err);
    if (running)
        log_start(&collector);
    while (running && !done)
        running = turn(&collector, &done, err);
    if (running) {
        SCOPED(xfree_char) char *looks = sources_print_looks(collector.sources);
        publisher_say_goodbye(collector.publisher, looks);
        log_end(&collector);
    }
    if (running)
        running = save_at_end(collector.spool, err);
    close_all(&collector);
    return running;
}
