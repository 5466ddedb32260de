// Coming to a connection and losing it: the address in turn, hello, and how long to wait after a
// failure. What a connection was for is forgotten with it.

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "collector/clock.h"
#include "collector/publisher_parts.h"
#include "common/timestamp.h"

#define BACKOFF_LEAST_MS 100
#define BACKOFF_MOST_MS 15000
#define BLOCKED_RETRY_MS 60000 // a fork or a refusal needs a person: say it again every minute

const char *publisher_address(const struct publisher *publisher)
{
    return publisher->options.stores[publisher->address].address;
}

static void next_address(struct publisher *publisher)
{
    publisher->turns_refused++;
    publisher->address = (publisher->address + 1) % publisher->options.store_count;
}

void publisher_disconnect(struct publisher *publisher)
{
    link_close(publisher->link);
    publisher->link = NULL;
    publisher->stage = STAGE_APART;
    publisher->doubted = false; // the next store judges for itself
    flights_end(&publisher->flights);
    publisher_end_beats(publisher);
    buffer_reset(&publisher->body);
}

// Waits longer with every failure, once each address had its turn; jitter keeps collectors that
// lost one store together from coming back together.
static int64_t backoff_ms(const struct publisher *publisher)
{
    size_t rounds = (publisher->failures - 1) / publisher->options.store_count;
    if (publisher->failures % publisher->options.store_count != 0)
        return BACKOFF_LEAST_MS;
    int64_t wait = BACKOFF_LEAST_MS;
    for (size_t i = 0; i < rounds && wait < BACKOFF_MOST_MS; i++)
        wait *= 2;
    if (wait > BACKOFF_MOST_MS)
        wait = BACKOFF_MOST_MS;
    return wait / 2 + (int64_t)randombytes_uniform((uint32_t)(wait / 2 + 1));
}

// What is said is kept by address: of two stores that fail in turn each is told of once.
void publisher_fall_apart(struct publisher *publisher, enum log_level level, const char *reason)
{
    char *said = publisher->trouble[publisher->address];
    if (strcmp(said, reason) != 0) {
        log_line(level, "store connection failed", "store", publisher_address(publisher), "reason",
                 reason, NULL);
        snprintf(said, TROUBLE_BYTES, "%s", reason);
    }
    publisher_disconnect(publisher);
    publisher->failures++;
    next_address(publisher);
    publisher->due_ms = monotonic_ms() + backoff_ms(publisher);
}

// The greeting is tried again every minute, so that the error is seen and a repaired store is
// noticed. It is no failure of the connection: back-off does not count it.
void publisher_stand_still(struct publisher *publisher, const char *message, const char *reason)
{
    log_line(LOG_ERROR, message, "store", publisher_address(publisher), "reason", reason, NULL);
    publisher_disconnect(publisher);
    next_address(publisher);
    publisher->due_ms = monotonic_ms() + BLOCKED_RETRY_MS;
}

bool publisher_send(struct publisher *publisher, const struct frame *frame)
{
    SCOPED_BUFFER bytes = {0};
    frame_write(frame, &bytes);
    struct error trouble;
    if (link_send(publisher->link, &bytes, &trouble))
        return true;
    publisher_fall_apart(publisher, LOG_WARN, trouble.text);
    return false;
}

// Says who we are, where our history stands and what comes next; the store compares with its mark.
bool publisher_greet(struct publisher *publisher, int64_t next_seq, struct error *err)
{
    struct frame hello = {.kind = FRAME_HELLO,
                          .epoch = spool_epoch(publisher->spool),
                          .seq = next_seq,
                          .wire_min = WIRE_VERSION_MIN,
                          .wire_max = WIRE_VERSION,
                          .at = clock_now(),
                          .program = "modeltrail-collector " MODELTRAIL_VERSION};
    snprintf(hello.collector, sizeof(hello.collector), "%s", spool_collector(publisher->spool));
    bool known;
    if (!spool_chain_at(publisher->spool, hello.seq - 1, hello.chain, &known, err))
        return false;
    publisher_send(publisher, &hello);
    return true;
}

// ZeroMQ connects in the background: hello waits in the new socket until the handshake is done, and
// is thrown away with it when there is none in time.
bool publisher_connect(struct publisher *publisher, struct error *err)
{
    struct error trouble;
    const struct store_address *store = &publisher->options.stores[publisher->address];
    if (!link_open(publisher->context, store->address, store->key, &publisher->options.key,
                   &publisher->link, &trouble)) {
        publisher_fall_apart(publisher, LOG_WARN, trouble.text);
        return true;
    }
    // Before hello, which may end it again.
    publisher->stage = STAGE_GREETING;
    publisher->due_ms = monotonic_ms() + publisher->options.timeout_ms;
    return publisher_greet(publisher, spool_last(publisher->spool) + 1, err);
}
