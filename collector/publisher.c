// The collector's end of the wire: one connection at a time, hello, then data frames in order, at
// most two without an ack, and no more bytes in them than the store's window. It keeps nothing that
// the spool does not have; every doubt ends in a new connection, where welcome says what the store
// has committed.

#include "collector/publisher.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/clock.h"
#include "collector/link.h"
#include "common/event.h"
#include "common/log.h"
#include "common/text.h"
#include "common/timestamp.h"

#define FLIGHTS 2
#define FRAME_BODY_BYTES ((size_t)1024 * 1024) // of 4 MiB allowed: encrypting takes several copies
// What a store of version 1, which tells no window, must be able to hold.
#define WINDOW_V1 ((int64_t)(FLIGHTS * FRAME_BODY_BYTES))
#define BACKOFF_LEAST_MS 100
#define BACKOFF_MOST_MS 15000
#define BLOCKED_RETRY_MS 60000 // a fork or a refusal needs a person: say it again every minute
#define LOOKS_EVERY_MS 1000
#define BEAT_EVERY_MS 10000
#define TROUBLE_BYTES 512

enum stage {
    STAGE_APART,     // no connection; next try at due_ms
    STAGE_GREETING,  // hello is sent; welcome must come before due_ms
    STAGE_STREAMING, // welcome came; while frames fly, an ack must come before due_ms
};

// A frame without ack.
struct flight {
    int64_t last; // event
    int64_t bytes;
};

struct publisher {
    void *context;
    struct spool *spool;
    struct publisher_options options;
    struct link *link;
    enum stage stage;
    int64_t due_ms;
    size_t address;                 // in options.stores
    unsigned failures;              // in a row, without progress between
    char (*trouble)[TROUBLE_BYTES]; // by address: what was logged last; empty while all is well
    char fork[512];                 // why the store refuses this spool; empty when it does not
    bool doubted;                   // on this connection: the store was asked to judge our chain
    bool relist;
    int64_t acked;  // of this connection
    int64_t sent;   // last event sent on it
    int64_t window; // bytes that may fly
    struct flight flights[FLIGHTS];
    size_t flight_count;
    bool held; // the next event does not fit beside what flies
    struct buffer body;
    char *looks;          // to be sent when looks_seq is acknowledged
    char words[256];      // what is wrong, to be sent with the looks
    char words_sent[256]; // with the last ones
    int64_t looks_seq;
    char *looks_sent;
    int64_t looks_ms; // when looks were last asked for
    int64_t beat_ms;  // when the last beat was sent
};

static const char *address_of(const struct publisher *publisher)
{
    return publisher->options.stores[publisher->address].address;
}

struct publisher *publisher_open(void *zmq_context, struct spool *spool,
                                 const struct publisher_options *options)
{
    struct publisher *publisher = xcalloc(1, sizeof(*publisher));
    publisher->context = zmq_context;
    publisher->spool = spool;
    publisher->options = *options;
    publisher->trouble = xcalloc(options->store_count, sizeof(*publisher->trouble));
    return publisher;
}

static void forget_connection(struct publisher *publisher)
{
    link_close(publisher->link);
    publisher->link = NULL;
    publisher->stage = STAGE_APART;
    publisher->flight_count = 0;
    publisher->held = false;
    publisher->doubted = false;
    free(publisher->looks);
    free(publisher->looks_sent);
    publisher->looks = NULL;
    publisher->looks_sent = NULL;
    buffer_reset(&publisher->body);
}

void publisher_close(struct publisher *publisher)
{
    if (publisher == NULL)
        return;
    forget_connection(publisher);
    free(publisher->trouble);
    curve_key_wipe(&publisher->options.key);
    free(publisher);
}

void publisher_replace_key(struct publisher *publisher, const struct curve_key *key)
{
    publisher->options.key = *key;
    forget_connection(publisher);
    publisher->due_ms = monotonic_ms();
}

size_t publisher_descriptors(struct publisher *publisher, zmq_pollitem_t *items)
{
    if (publisher->link == NULL)
        return 0;
    link_descriptors(publisher->link, items);
    return LINK_DESCRIPTORS;
}

long publisher_timeout_ms(const struct publisher *publisher)
{
    int64_t due = publisher->due_ms;
    if (publisher->stage == STAGE_STREAMING) {
        // Looks that wait for an ack need no clock: the ack wakes us.
        int64_t looks_due = publisher->looks_ms + LOOKS_EVERY_MS;
        bool waits = publisher->flight_count > 0;
        if (!waits || (publisher->looks == NULL && looks_due < due))
            due = looks_due;
    }
    int64_t left = due - monotonic_ms();
    return left > 0 ? (long)left : 0;
}

bool publisher_take_relist(struct publisher *publisher)
{
    bool relist = publisher->relist;
    publisher->relist = false;
    return relist;
}

bool publisher_is_drained(const struct publisher *publisher)
{
    return spool_acked(publisher->spool) == spool_last(publisher->spool);
}

bool publisher_is_confirmed(const struct publisher *publisher)
{
    return publisher->stage == STAGE_STREAMING && publisher_is_drained(publisher);
}

bool publisher_is_forked(const struct publisher *publisher, const char **reason)
{
    *reason = publisher->fork;
    return publisher->fork[0] != '\0';
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

// Ends the connection and says why, unless it was said already.
static void fall_apart(struct publisher *publisher, enum log_level level, const char *reason)
{
    char *said = publisher->trouble[publisher->address];
    if (strcmp(said, reason) != 0) {
        log_line(level, "store connection failed", "store", address_of(publisher), "reason", reason,
                 NULL);
        snprintf(said, TROUBLE_BYTES, "%s", reason);
    }
    forget_connection(publisher);
    publisher->failures++;
    publisher->address = (publisher->address + 1) % publisher->options.store_count;
    publisher->due_ms = monotonic_ms() + backoff_ms(publisher);
}

// The store will not take this spool whatever we send: nothing is sent until a person has acted.
// The greeting is tried again every minute, so that the error is seen and a repaired store is
// noticed.
static void stand_still(struct publisher *publisher, const char *message, const char *reason)
{
    log_line(LOG_ERROR, message, "store", address_of(publisher), "reason", reason, NULL);
    forget_connection(publisher);
    publisher->address = (publisher->address + 1) % publisher->options.store_count;
    publisher->due_ms = monotonic_ms() + BLOCKED_RETRY_MS;
}

static void refuse_fork(struct publisher *publisher, const char *reason)
{
    snprintf(publisher->fork, sizeof(publisher->fork), "%.300s", reason);
    stand_still(publisher,
                "fork: the store holds another history of this spool, nothing is sent; hint: stop "
                "the other collector of this name, or move the spool file away to begin anew",
                reason);
}

// Says who we are, where our history stands and what comes next; the store compares with its mark.
static bool send_hello(struct publisher *publisher, int64_t next_seq, struct error *err)
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
    SCOPED_BUFFER frame = {0};
    frame_write(&hello, &frame);
    struct error trouble;
    if (!link_send(publisher->link, &frame, &trouble))
        fall_apart(publisher, LOG_WARN, trouble.text);
    return true;
}

// ZeroMQ connects in the background: hello waits in the new socket until the handshake is done, and
// is thrown away with it when there is none in time.
static bool connect_store(struct publisher *publisher, struct error *err)
{
    struct error trouble;
    const struct store_address *store = &publisher->options.stores[publisher->address];
    if (!link_open(publisher->context, store->address, store->key, &publisher->options.key,
                   &publisher->link, &trouble)) {
        fall_apart(publisher, LOG_WARN, trouble.text);
        return true;
    }
    publisher->stage = STAGE_GREETING;
    publisher->due_ms = monotonic_ms() + publisher->options.timeout_ms;
    return send_hello(publisher, spool_last(publisher->spool) + 1, err);
}

// failures is kept until something is acknowledged: a store that greets and then falls over again
// and again must not be called on without pause.
static void begin_streaming(struct publisher *publisher, int64_t acked)
{
    char acked_text[24];
    char waiting[24];
    snprintf(acked_text, sizeof(acked_text), "%" PRId64, acked);
    snprintf(waiting, sizeof(waiting), "%" PRId64, spool_last(publisher->spool) - acked);
    log_line(LOG_INFO, "connected to store", "store", address_of(publisher), "acked", acked_text,
             "waiting", waiting, NULL);
    publisher->trouble[publisher->address][0] = '\0';
    publisher->fork[0] = '\0';
    publisher->stage = STAGE_STREAMING;
    publisher->acked = acked;
    publisher->sent = acked;
    publisher->looks_ms = 0;
    publisher->beat_ms = 0;
    if (acked == spool_last(publisher->spool))
        publisher->failures = 0;
}

// The store has lost events that are no longer here: say so in a new epoch and read everything
// anew.
static bool begin_new_epoch(struct publisher *publisher, int64_t acked, struct error *err)
{
    char store_text[24];
    char here[24];
    snprintf(store_text, sizeof(store_text), "%" PRId64, acked);
    snprintf(here, sizeof(here), "%" PRId64, spool_base(publisher->spool) + 1);
    log_line(LOG_ERROR,
             "the store lost events that this collector no longer has: a gap is reported, a new "
             "epoch begins, all sources are read anew",
             "store", address_of(publisher), "store_has", store_text, "oldest_here", here, NULL);
    if (!spool_new_epoch(publisher->spool, acked, err)) {
        if (err->react != REACT_RETRY)
            return false;
        fall_apart(publisher, LOG_ERROR, err->text); // there may be room when it is tried again
        return true;
    }
    forget_connection(publisher);
    publisher->due_ms = monotonic_ms();
    publisher->relist = true;
    return true;
}

// Our chain at that event is another than the store's. A second hello shows it, so that the store
// itself refuses this spool and people find that there; a store that does not is not asked again.
static bool doubt_chain(struct publisher *publisher, int64_t seq, struct error *err)
{
    if (publisher->doubted) {
        refuse_fork(publisher, "the store's chain differs from this spool's at the same event");
        return true;
    }
    publisher->doubted = true;
    return send_hello(publisher, seq + 1, err);
}

// What the store has of this epoch decides where to go on: behind it, further back, in a new epoch,
// or nowhere when its history and ours are not the same.
static bool take_welcome(struct publisher *publisher, const struct frame *frame, struct error *err)
{
    struct spool *spool = publisher->spool;
    if (frame->wire_max < WIRE_VERSION_MIN || frame->wire_max > WIRE_VERSION) {
        fall_apart(publisher, LOG_ERROR, "the store speaks another wire version; hint: update one");
        return true;
    }
    if (frame->seq > spool_last(spool)) {
        refuse_fork(publisher, "the store has more events of this epoch than this spool ever made");
        return true;
    }
    if (frame->seq < spool_base(spool))
        return begin_new_epoch(publisher, frame->seq, err);
    uint8_t chain[DIGEST_BYTES];
    bool known;
    if (!spool_chain_at(spool, frame->seq, chain, &known, err))
        return false;
    if (!known || memcmp(chain, frame->chain, DIGEST_BYTES) != 0)
        return doubt_chain(publisher, frame->seq, err);
    if (frame->seq < spool_acked(spool))
        log_line(LOG_WARN, "the store went back, retained events are sent again", "store",
                 address_of(publisher), NULL);
    begin_streaming(publisher, frame->seq);
    publisher->window = frame->window > 0 ? frame->window : WINDOW_V1;
    return spool_acknowledge(spool, frame->seq, err);
}

static void set_ack_deadline(struct publisher *publisher)
{
    publisher->due_ms = monotonic_ms() + 3 * (int64_t)publisher->options.timeout_ms;
}

// Acks are cumulative and may stand inside of a frame.
static bool take_ack(struct publisher *publisher, const struct frame *frame, struct error *err)
{
    if (frame->seq < publisher->acked || frame->seq > publisher->sent) {
        fall_apart(publisher, LOG_ERROR, "the store acknowledged what was not sent");
        return true;
    }
    if (frame->window > 0)
        publisher->window = frame->window;
    if (frame->seq == publisher->acked)
        return true;
    publisher->acked = frame->seq;
    publisher->failures = 0;
    publisher->held = false;
    set_ack_deadline(publisher);
    size_t kept = 0;
    for (size_t i = 0; i < publisher->flight_count; i++) {
        if (publisher->flights[i].last > frame->seq)
            publisher->flights[kept++] = publisher->flights[i];
    }
    publisher->flight_count = kept;
    return spool_acknowledge(publisher->spool, frame->seq, err);
}

// Born while the clock stood before the birth of an earlier spool: nothing of this one is stored
// anywhere, so its events may as well bear a newer epoch. Everything else that is older is a copy.
static bool begin_later_epoch(struct publisher *publisher, int64_t newest, struct error *err)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, newest);
    log_line(LOG_WARN, "a newer epoch is known, this new spool begins behind it", "store",
             address_of(publisher), "newest", text, NULL);
    forget_connection(publisher);
    publisher->due_ms = monotonic_ms();
    return spool_move_epoch(publisher->spool, newest, err);
}

static bool take_nack(struct publisher *publisher, const struct frame *frame, struct error *err)
{
    if (frame->reason == NACK_FORK && spool_may_move(publisher->spool, frame->epoch))
        return begin_later_epoch(publisher, frame->epoch, err);
    char reason[400];
    snprintf(reason, sizeof(reason), "nack %s: %s", nack_reason_name(frame->reason),
             frame->message);
    switch (frame->reason) {
    case NACK_GAP:
        // Rewinding on this connection would race with the nacks of frames still in flight; a new
        // one begins at what its welcome says.
        fall_apart(publisher, LOG_WARN, reason);
        break;
    case NACK_DRAINING:
        fall_apart(publisher, LOG_INFO, reason);
        break;
    case NACK_FORK:
        refuse_fork(publisher, reason);
        break;
    case NACK_NOT_ALLOWED:
    case NACK_TOO_LARGE:
        stand_still(publisher, "the store refuses this collector, nothing is sent", reason);
        break;
    }
    return true;
}

static bool take_frame(struct publisher *publisher, const struct frame *frame, struct error *err)
{
    if (frame->kind == FRAME_WELCOME && publisher->stage == STAGE_GREETING)
        return take_welcome(publisher, frame, err);
    if (frame->kind == FRAME_ACK && publisher->stage == STAGE_STREAMING)
        return take_ack(publisher, frame, err);
    if (frame->kind == FRAME_NACK)
        return take_nack(publisher, frame, err);
    fall_apart(publisher, LOG_ERROR, "the store sent a frame that is out of place");
    return true;
}

// Receives one frame; *more is false when there was none or the connection ended over it.
static bool receive_one(struct publisher *publisher, bool *more, struct error *err)
{
    zmq_msg_t message;
    struct error trouble;
    struct frame frame;
    *more = false;
    bool received;
    if (!link_receive(publisher->link, &message, &received, &trouble)) {
        fall_apart(publisher, LOG_WARN, trouble.text);
        return true;
    }
    if (!received)
        return true;
    bool taken = true;
    if (frame_parse(zmq_msg_data(&message), zmq_msg_size(&message), &frame, &trouble))
        taken = take_frame(publisher, &frame, err);
    else
        fall_apart(publisher, LOG_ERROR, trouble.text);
    zmq_msg_close(&message);
    *more = publisher->link != NULL;
    return taken;
}

static bool receive_all(struct publisher *publisher, struct error *err)
{
    bool more = publisher->link != NULL;
    while (more) {
        if (!receive_one(publisher, &more, err))
            return false;
    }
    struct error trouble;
    // After the frames: a nack says more than the end of the connection behind it.
    if (publisher->link != NULL && !link_check(publisher->link, &trouble))
        fall_apart(publisher, LOG_WARN, trouble.text);
    return true;
}

static int64_t flying_bytes(const struct publisher *publisher)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < publisher->flight_count; i++)
        bytes += publisher->flights[i].bytes;
    return bytes;
}

// Half of the window a frame, so that the store has the next one while it commits the first.
static size_t frame_bytes(const struct publisher *publisher)
{
    int64_t half = publisher->window / FLIGHTS;
    int64_t left = publisher->window - flying_bytes(publisher);
    int64_t bytes = left < half ? left : half;
    if (bytes > (int64_t)FRAME_BODY_BYTES)
        bytes = FRAME_BODY_BYTES;
    return bytes > 0 ? (size_t)bytes : 0;
}

// Reads the next frame's worth from the spool. Nothing is remembered of it but its last event: to
// send it again means to read it again.
static bool send_data(struct publisher *publisher, struct error *err)
{
    struct spool *spool = publisher->spool;
    struct frame data = {
        .kind = FRAME_DATA, .epoch = spool_epoch(spool), .seq = publisher->sent + 1};
    bool known;
    int64_t events;
    buffer_clear(&publisher->body);
    size_t most = frame_bytes(publisher);
    if (!spool_chain_at(spool, publisher->sent, data.chain, &known, err) ||
        !spool_clock_of(spool, data.seq, FRAME_MAX_EVENTS, &data.at, &events, err) ||
        !spool_read(spool, data.seq, events, most, &publisher->body, &data.count, err))
        return false;
    if (!known || data.count == 0)
        return fail(err, REACT_STOP, "the spool lacks event %" PRId64, data.seq);
    // One event is always read, however large. Alone it may go, or it never would.
    publisher->held = publisher->flight_count > 0 && publisher->body.length > most;
    if (publisher->held)
        return true;
    data.body = publisher->body.data;
    data.body_length = publisher->body.length;
    SCOPED_BUFFER frame = {0};
    frame_write(&data, &frame);
    struct error trouble;
    if (!link_send(publisher->link, &frame, &trouble)) {
        fall_apart(publisher, LOG_WARN, trouble.text);
        return true;
    }
    if (publisher->flight_count == 0)
        set_ack_deadline(publisher);
    publisher->sent += data.count;
    publisher->flights[publisher->flight_count++] =
        (struct flight){publisher->sent, (int64_t)data.body_length};
    return true;
}

bool publisher_wants_looks(struct publisher *publisher)
{
    return publisher->stage == STAGE_STREAMING && publisher->looks == NULL &&
           monotonic_ms() - publisher->looks_ms >= LOOKS_EVERY_MS;
}

// Cut within no character: an event's reader refuses what is no UTF-8.
static void set_words(struct publisher *publisher, const char *trouble)
{
    snprintf(publisher->words, sizeof(publisher->words), "%s", trouble);
    size_t length = strlen(publisher->words);
    while (!text_is_utf8(publisher->words, length))
        publisher->words[--length] = '\0';
}

void publisher_offer_looks(struct publisher *publisher, const char *looks, const char *trouble)
{
    publisher->looks_ms = monotonic_ms();
    set_words(publisher, trouble);
    bool same = text_equal(looks, publisher->looks_sent) &&
                strcmp(publisher->words, publisher->words_sent) == 0;
    if (publisher->stage != STAGE_STREAMING ||
        (same && publisher->looks_ms - publisher->beat_ms < BEAT_EVERY_MS))
        return;
    free(publisher->looks);
    publisher->looks = xstrdup(looks);
    publisher->looks_seq = spool_last(publisher->spool);
}

// Looks say "nothing more happened until then", which is only true for a reader who has all events
// that were spooled before the looks were taken.
static void send_beat(struct publisher *publisher)
{
    if (publisher->looks == NULL || publisher->acked < publisher->looks_seq)
        return;
    struct frame beat = {.kind = FRAME_BEAT,
                         .epoch = spool_epoch(publisher->spool),
                         .at = clock_now(),
                         .body = publisher->looks,
                         .body_length = strlen(publisher->looks)};
    memcpy(beat.message, publisher->words, sizeof(beat.message));
    SCOPED_BUFFER frame = {0};
    frame_write(&beat, &frame);
    struct error trouble;
    if (!link_send(publisher->link, &frame, &trouble)) {
        fall_apart(publisher, LOG_WARN, trouble.text);
        return;
    }
    memcpy(publisher->words_sent, publisher->words, sizeof(publisher->words));
    free(publisher->looks_sent);
    publisher->looks_sent = publisher->looks;
    publisher->looks = NULL;
    publisher->beat_ms = monotonic_ms();
}

void publisher_say_goodbye(struct publisher *publisher, const char *looks)
{
    if (publisher->stage != STAGE_STREAMING)
        return;
    bool drained = publisher->acked == spool_last(publisher->spool);
    const char *last = drained ? looks : publisher->looks_sent;
    if (last == NULL)
        return;
    free(publisher->looks);
    publisher->looks = xstrdup(last);
    publisher->looks_seq = publisher->acked;
    set_words(publisher, TROUBLE_STOPPED);
    send_beat(publisher);
    if (publisher->link != NULL)
        link_linger(publisher->link);
}

static bool send_all(struct publisher *publisher, struct error *err)
{
    while (publisher->stage == STAGE_STREAMING && publisher->flight_count < FLIGHTS &&
           !publisher->held && publisher->sent < spool_last(publisher->spool)) {
        if (!send_data(publisher, err))
            return false;
    }
    if (publisher->stage == STAGE_STREAMING)
        send_beat(publisher);
    if (publisher->flight_count == 0)
        buffer_reset(&publisher->body); // an idle collector is a small one
    return true;
}

static void check_deadline(struct publisher *publisher)
{
    if (monotonic_ms() < publisher->due_ms)
        return;
    if (publisher->stage == STAGE_GREETING)
        fall_apart(publisher, LOG_WARN, "the store does not answer hello in time");
    else if (publisher->stage == STAGE_STREAMING && publisher->flight_count > 0)
        fall_apart(publisher, LOG_WARN, "the store does not acknowledge in time");
}

bool publisher_step(struct publisher *publisher, struct error *err)
{
    if (!receive_all(publisher, err))
        return false;
    check_deadline(publisher);
    if (publisher->stage == STAGE_APART && monotonic_ms() >= publisher->due_ms &&
        !connect_store(publisher, err))
        return false;
    return send_all(publisher, err);
}
