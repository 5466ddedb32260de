// What the store says, and what follows from it. Every doubt ends the connection: the next welcome
// says what the store has committed, which is where to go on.

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "collector/publisher_parts.h"
#include "common/timestamp.h"

// The reason is kept for publisher_is_forked until a store welcomes this spool again.
static void refuse_fork(struct publisher *publisher, const char *reason)
{
    snprintf(publisher->fork, sizeof(publisher->fork), "%.300s", reason);
    publisher_stand_still(
        publisher,
        "fork: the store holds another history of this spool, nothing is sent; hint: stop "
        "the other collector of this name, or move the spool file away to begin anew",
        reason);
}

// The first reason is kept for publisher_is_refused until a store welcomes this collector.
static void note_refusal(struct publisher *publisher, const char *reason)
{
    if (publisher->refusal[0] != '\0')
        return;
    snprintf(publisher->refusal, sizeof(publisher->refusal), "%.400s", reason);
    publisher->turns_refused = 0;
}

static void log_connected(const struct publisher *publisher, int64_t acked)
{
    char acked_text[24];
    char waiting[24];
    snprintf(acked_text, sizeof(acked_text), "%" PRId64, acked);
    snprintf(waiting, sizeof(waiting), "%" PRId64, spool_last(publisher->spool) - acked);
    log_line(LOG_INFO, "connected to store", "store", publisher_address(publisher), "acked",
             acked_text, "waiting", waiting, NULL);
}

// failures is kept until something is acknowledged: a store that greets and then falls over again
// and again must not be called on without pause.
static void begin_streaming(struct publisher *publisher, const struct frame *welcome)
{
    log_connected(publisher, welcome->seq);
    publisher->trouble[publisher->address][0] = '\0'; // what comes next is news again
    publisher->fork[0] = '\0';
    publisher->refusal[0] = '\0';
    publisher->stage = STAGE_STREAMING;
    flights_begin(&publisher->flights, welcome->seq, welcome->window);
    publisher_begin_beats(publisher);
    if (welcome->seq == spool_last(publisher->spool))
        publisher->failures = 0;
}

static void log_store_lost(const struct publisher *publisher, int64_t acked)
{
    char store_text[24];
    char here[24];
    snprintf(store_text, sizeof(store_text), "%" PRId64, acked);
    snprintf(here, sizeof(here), "%" PRId64, spool_base(publisher->spool) + 1);
    log_line(LOG_ERROR,
             "the store lost events that this collector no longer has: a gap is reported, a new "
             "epoch begins, all sources are read anew",
             "store", publisher_address(publisher), "store_has", store_text, "oldest_here", here,
             NULL);
}

// The store has lost events that are no longer here: say so in a new epoch and read everything
// anew.
static bool begin_new_epoch(struct publisher *publisher, int64_t acked, struct error *err)
{
    log_store_lost(publisher, acked);
    if (!spool_new_epoch(publisher->spool, acked, err)) {
        if (err->react != REACT_RETRY)
            return false;
        // There may be room when it is tried again.
        publisher_fall_apart(publisher, LOG_ERROR, err->text);
        return true;
    }
    // To the same store, at once: this hello will be of the new epoch.
    publisher_disconnect(publisher);
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
    return publisher_greet(publisher, seq + 1, err);
}

// Both have the event that the store stands at: if it is the same one, we go on behind it.
static bool compare_chains(struct publisher *publisher, const struct frame *welcome,
                           struct error *err)
{
    struct spool *spool = publisher->spool;
    uint8_t chain[DIGEST_BYTES];
    bool known;
    if (!spool_chain_at(spool, welcome->seq, chain, &known, err))
        return false;
    if (!known || memcmp(chain, welcome->chain, DIGEST_BYTES) != 0)
        return doubt_chain(publisher, welcome->seq, err);
    if (welcome->seq < spool_acked(spool))
        log_line(LOG_WARN, "the store went back, retained events are sent again", "store",
                 publisher_address(publisher), NULL);
    begin_streaming(publisher, welcome);
    return spool_acknowledge(spool, welcome->seq, err);
}

// What the store has of this epoch decides where to go on: behind it, further back, in a new epoch,
// or nowhere when its history and ours are not the same.
static bool take_welcome(struct publisher *publisher, const struct frame *frame, struct error *err)
{
    struct spool *spool = publisher->spool;
    if (frame->wire_max < WIRE_VERSION_MIN || frame->wire_max > WIRE_VERSION) {
        publisher_fall_apart(publisher, LOG_ERROR,
                             "the store speaks another wire version; hint: update one");
        return true;
    }
    if (frame->seq > spool_last(spool)) {
        refuse_fork(publisher, "the store has more events of this epoch than this spool ever made");
        return true;
    }
    if (frame->seq < spool_base(spool))
        return begin_new_epoch(publisher, frame->seq, err);
    return compare_chains(publisher, frame, err);
}

// Acks are cumulative and may stand inside of a frame.
static bool take_ack(struct publisher *publisher, const struct frame *frame, struct error *err)
{
    struct flights *flights = &publisher->flights;
    if (frame->seq < flights->acked || frame->seq > flights->sent) {
        publisher_fall_apart(publisher, LOG_ERROR, "the store acknowledged what was not sent");
        return true;
    }
    if (frame->window > 0)
        flights->window = frame->window;
    // A repeated ack tells of the window alone; it is no progress, and moves no deadline.
    if (frame->seq == flights->acked)
        return true;
    flights_ack(flights, frame->seq);
    publisher->failures = 0;
    publisher_expect_ack(publisher);
    return spool_acknowledge(publisher->spool, frame->seq, err);
}

// Born while the clock stood before the birth of an earlier spool: nothing of this one is stored
// anywhere, so its events may as well bear a newer epoch. Everything else that is older is a copy.
static bool begin_later_epoch(struct publisher *publisher, int64_t newest, struct error *err)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, newest);
    log_line(LOG_WARN, "a newer epoch is known, this new spool begins behind it", "store",
             publisher_address(publisher), "newest", text, NULL);
    publisher_disconnect(publisher);
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
        publisher_fall_apart(publisher, LOG_WARN, reason);
        break;
    case NACK_DRAINING: // the store ends in order: another one may be there already
        publisher_fall_apart(publisher, LOG_INFO, reason);
        break;
    case NACK_FORK: // only people know which of two histories is the true one
        refuse_fork(publisher, reason);
        break;
    case NACK_NOT_ALLOWED:
    case NACK_TOO_LARGE: // the same events would be refused again
        note_refusal(publisher, reason);
        publisher_stand_still(publisher, "the store refuses this collector, nothing is sent",
                              reason);
        break;
    }
    return true;
}

// Nacks are taken at any stage: a store may refuse hello, or end while frames fly.
static bool take_frame(struct publisher *publisher, const struct frame *frame, struct error *err)
{
    if (frame->kind == FRAME_WELCOME && publisher->stage == STAGE_GREETING)
        return take_welcome(publisher, frame, err);
    if (frame->kind == FRAME_ACK && publisher->stage == STAGE_STREAMING)
        return take_ack(publisher, frame, err);
    if (frame->kind == FRAME_NACK)
        return take_nack(publisher, frame, err);
    publisher_fall_apart(publisher, LOG_ERROR, "the store sent a frame that is out of place");
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
        publisher_fall_apart(publisher, LOG_WARN, trouble.text);
        return true;
    }
    if (!received)
        return true;
    bool taken = true;
    if (frame_parse(zmq_msg_data(&message), zmq_msg_size(&message), &frame, &trouble))
        taken = take_frame(publisher, &frame, err);
    else
        publisher_fall_apart(publisher, LOG_ERROR, trouble.text);
    zmq_msg_close(&message); // after the frame, which borrows from it
    *more = publisher->link != NULL;
    return taken;
}

bool publisher_receive(struct publisher *publisher, struct error *err)
{
    bool more = publisher->link != NULL;
    while (more) {
        if (!receive_one(publisher, &more, err))
            return false;
    }
    struct error trouble;
    // After the frames: a nack says more than the end of the connection behind it.
    if (publisher->link != NULL && !link_check(publisher->link, &trouble)) {
        if (trouble.react == REACT_REJECT)
            note_refusal(publisher, trouble.text);
        publisher_fall_apart(publisher, LOG_WARN, trouble.text);
    }
    return true;
}
