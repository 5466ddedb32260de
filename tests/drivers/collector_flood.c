// Many collectors in one process, all of them at full speed, with the real spool and publisher:
// `driver_collector_flood ENDPOINT STORE_KEY KEYS SPOOLS COUNT LINE_BYTES BACKLOG_BYTES`.
//
// Collector I of COUNT is called fI, speaks for cluster c-fI with key KEYS/fI.key and spool
// SPOOLS/fI.db. Whenever less than BACKLOG_BYTES of it wait for the store it commits 16 more events
// of about LINE_BYTES. SIGTERM ends that; once everything is acknowledged (or after two minutes,
// with exit code 1) it prints a line `NAME EVENTS COMMITTED ACKED` for each commit: how many events
// the spool then had, and the two instants in milliseconds of the monotonic clock.

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "collector/publisher.h"
#include "collector/spool.h"
#include "common/event.h"
#include "common/log.h"
#include "common/timestamp.h"

#define EVENTS_PER_COMMIT 16
#define WORKLOADS 20
#define DRAIN_MS 120000

struct commit {
    int64_t last; // event
    int64_t committed_ms;
    int64_t acked_ms; // 0: not yet
};

struct flooder {
    char name[24];
    char cluster[24];
    struct spool *spool;
    struct store_address store;
    struct publisher *publisher;
    struct commit *commits;
    size_t count;
    size_t capacity;
    size_t acked; // commits
};

struct flood {
    struct flooder *items;
    size_t count;
    char *filling;
    int64_t backlog_bytes;
    void *context;
    zmq_pollitem_t *polls;
};

static volatile sig_atomic_t stopping;

static void stop(int number)
{
    (void)number;
    stopping = 1;
}

// Every second event is an observation that moves a placement, the others are requests.
static bool append_one(struct flood *flood, struct flooder *flooder, struct error *err)
{
    int64_t number = spool_last(flooder->spool) + 1;
    int64_t position = number + 1;
    int workload = (int)(number / 2 % WORKLOADS);
    SCOPED_BUFFER data = {0};
    buffer_printf(&data,
                  "{\"cluster\":\"%s\",\"resource\":\"models.mlops.seldon.io\",\"kind\":\"Model\","
                  "\"namespace\":\"dev\",\"name\":\"m%d\","
                  "\"uid\":\"00000000-0000-4000-8000-%012d\",\"position\":\"%" PRId64 "\","
                  "\"generation\":\"%" PRId64 "\",\"at\":\"2026-01-01T00:00:00Z\",",
                  flooder->cluster, workload, workload, position, position);
    if (number % 2 == 0) {
        buffer_printf(&data,
                      "\"extractor\":1,\"at_source\":\"audit\",\"removed\":false,\"failed\":false,"
                      "\"placements\":[{\"component\":\"model\",\"role\":\"live\",\"stopped\":false"
                      ",\"replicas\":1,\"uri\":\"s3://models/m%d/%" PRId64 ".0.0\",\"labels\":{},"
                      "\"revisioned\":false}],\"routes\":[],\"object\":{\"pad\":\"%s\"}}",
                      workload, number % 7, flood->filling);
        return spool_append(flooder->spool, TYPE_WORKLOAD_OBSERVED, NULL, TIMESTAMP_NONE, data.data,
                            data.length, err);
    }
    buffer_printf(&data,
                  "\"audit_id\":\"%s-%" PRId64 "\",\"stage\":\"ResponseComplete\","
                  "\"verb\":\"update\",\"code\":\"200\",\"principal\":\"alice\",\"groups\":[],"
                  "\"via\":\"audit_log\",\"object\":\"%s\"}",
                  flooder->name, number, flood->filling);
    return spool_append(flooder->spool, TYPE_REQUEST_AUDITED, NULL, TIMESTAMP_NONE, data.data,
                        data.length, err);
}

static bool fill(struct flood *flood, struct flooder *flooder, struct error *err)
{
    if (stopping || spool_waiting_bytes(flooder->spool) >= flood->backlog_bytes)
        return true;
    if (!spool_begin(flooder->spool, err))
        return false;
    for (int i = 0; i < EVENTS_PER_COMMIT; i++) {
        if (!append_one(flood, flooder, err))
            return false;
    }
    if (spool_wants_trim(flooder->spool) && !spool_trim(flooder->spool, err))
        return false;
    if (!spool_commit(flooder->spool, err))
        return false;
    flooder->commits =
        xgrow(flooder->commits, &flooder->capacity, flooder->count + 1, sizeof(*flooder->commits));
    flooder->commits[flooder->count++] =
        (struct commit){spool_last(flooder->spool), monotonic_ms(), 0};
    return true;
}

static void note_acked(struct flooder *flooder)
{
    while (flooder->acked < flooder->count &&
           flooder->commits[flooder->acked].last <= spool_acked(flooder->spool))
        flooder->commits[flooder->acked++].acked_ms = monotonic_ms();
}

static bool is_drained(const struct flood *flood)
{
    for (size_t i = 0; i < flood->count; i++) {
        if (!publisher_is_drained(flood->items[i].publisher))
            return false;
    }
    return true;
}

static void wait_for_work(struct flood *flood)
{
    size_t used = 0;
    long wait = stopping ? 200 : 1000;
    for (size_t i = 0; i < flood->count; i++) {
        const struct flooder *flooder = &flood->items[i];
        used += publisher_descriptors(flooder->publisher, flood->polls + used);
        long due = publisher_timeout_ms(flooder->publisher);
        // Looks are never offered here, so their clock would wake us for nothing.
        if (due > 0 && due < wait)
            wait = due;
        if (!stopping && spool_waiting_bytes(flooder->spool) < flood->backlog_bytes)
            wait = 0;
    }
    zmq_poll(flood->polls, (int)used, wait > 0 ? wait : 1);
}

static bool turn(struct flood *flood, struct error *err)
{
    wait_for_work(flood);
    for (size_t i = 0; i < flood->count; i++) {
        struct flooder *flooder = &flood->items[i];
        if (!fill(flood, flooder, err) || !publisher_step(flooder->publisher, err))
            return fail_in(err, "%s", flooder->name);
        note_acked(flooder);
    }
    return true;
}

static bool open_one(struct flood *flood, size_t index, char **argv, struct error *err)
{
    struct flooder *flooder = &flood->items[index];
    snprintf(flooder->name, sizeof(flooder->name), "f%zu", index + 1);
    snprintf(flooder->cluster, sizeof(flooder->cluster), "c-f%zu", index + 1);
    SCOPED(xfree_char) char *path = xasprintf("%s/%s.db", argv[4], flooder->name);
    SCOPED(xfree_char) char *key = xasprintf("%s/%s.key", argv[3], flooder->name);
    struct spool_options spool = {.path = path,
                                  .collector = flooder->name,
                                  .cluster = flooder->cluster,
                                  .max_bytes = 4 * flood->backlog_bytes + (64 << 20),
                                  .retain_events = 100,
                                  .retain_bytes = 1 << 20};
    flooder->store.address = argv[1];
    struct publisher_options publisher = {
        .stores = &flooder->store, .store_count = 1, .timeout_ms = 10000};
    if (!curve_public_from_hex(argv[2], flooder->store.key, err) ||
        !curve_key_load(key, &publisher.key, err) || !spool_open(&spool, &flooder->spool, err))
        return false;
    flooder->publisher = publisher_open(flood->context, flooder->spool, &publisher);
    return true;
}

static void print_samples(const struct flood *flood)
{
    for (size_t i = 0; i < flood->count; i++) {
        const struct flooder *flooder = &flood->items[i];
        for (size_t c = 0; c < flooder->count; c++) {
            const struct commit *commit = &flooder->commits[c];
            printf("%s %" PRId64 " %" PRId64 " %" PRId64 "\n", flooder->name, commit->last,
                   commit->committed_ms, commit->acked_ms);
        }
    }
}

static void close_all(struct flood *flood)
{
    for (size_t i = 0; i < flood->count; i++) {
        publisher_close(flood->items[i].publisher);
        spool_close(flood->items[i].spool);
        free(flood->items[i].commits);
    }
    zmq_ctx_term(flood->context);
    free(flood->items);
    free(flood->polls);
    free(flood->filling);
}

static bool run(struct flood *flood, char **argv, struct error *err)
{
    for (size_t i = 0; i < flood->count; i++) {
        if (!open_one(flood, i, argv, err))
            return false;
    }
    puts("flooding");
    fflush(stdout);
    int64_t deadline = 0;
    while (!stopping || !is_drained(flood)) {
        if (stopping && deadline == 0)
            deadline = monotonic_ms() + DRAIN_MS;
        if (stopping && monotonic_ms() > deadline)
            return fail(err, REACT_STOP, "not everything was acknowledged in two minutes");
        if (!turn(flood, err))
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 8 || sodium_init() < 0)
        return 2;
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    log_init("flood", LOG_INFO);
    size_t padding = (size_t)strtoul(argv[6], NULL, 10);
    struct flood flood = {.count = (size_t)strtoul(argv[5], NULL, 10),
                          .backlog_bytes = strtoll(argv[7], NULL, 10),
                          .context = zmq_ctx_new()};
    flood.items = xcalloc(flood.count, sizeof(*flood.items));
    flood.polls = xcalloc(flood.count * PUBLISHER_DESCRIPTORS, sizeof(*flood.polls));
    padding = padding > 800 ? padding - 800 : 0;
    flood.filling = xmalloc(padding + 1);
    memset(flood.filling, 'x', padding);
    flood.filling[padding] = '\0';
    struct error err;
    bool good = run(&flood, argv, &err);
    print_samples(&flood);
    if (!good)
        log_line(LOG_ERROR, err.text, NULL);
    close_all(&flood);
    return good ? 0 : 1;
}
