// The collector's end of the wire: one connection at a time, hello, then data frames in order, at
// most two without an ack, and no more bytes in them than the store's window. It keeps nothing that
// the spool does not have; every doubt ends in a new connection, where welcome says what the store
// has committed. Here is the step; connections are publisher_connection.c's, what the store says
// publisher_answer.c's, looks publisher_beat.c's.

#include "collector/publisher.h"

#include <inttypes.h>
#include <stdlib.h>

#include "collector/publisher_parts.h"
#include "common/timestamp.h"

// Nothing is tried yet: due_ms of 0 lets the first step connect.
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

void publisher_close(struct publisher *publisher)
{
    if (publisher == NULL)
        return;
    publisher_disconnect(publisher);
    free(publisher->trouble);
    curve_key_wipe(&publisher->options.key);
    free(publisher);
}

void publisher_replace_key(struct publisher *publisher, const struct curve_key *key)
{
    // A connection keeps the key with which it was made. This is no failure: no back-off.
    publisher->options.key = *key;
    publisher->refusal[0] = '\0'; // was of the old one
    publisher_disconnect(publisher);
    publisher->due_ms = monotonic_ms();
}

// While apart only the clock matters.
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
        int64_t looks_due = publisher_looks_due_ms(publisher);
        bool waits = publisher->flights.count > 0;
        if (!waits || (publisher->beat.looks == NULL && looks_due < due))
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

// One of several stores may not have heard yet of a key that the others know.
bool publisher_is_refused(const struct publisher *publisher, const char **reason)
{
    *reason = publisher->refusal;
    return publisher->refusal[0] != '\0' &&
           publisher->turns_refused >= publisher->options.store_count;
}

// Longer than for hello: the store may have to wait for its database to commit.
void publisher_expect_ack(struct publisher *publisher)
{
    publisher->due_ms = monotonic_ms() + 3 * (int64_t)publisher->options.timeout_ms;
}

// Reads the next frame's worth of events from the spool. Those of one frame are of one clock, as
// the frame says only once what that clock says now.
static bool read_data(struct publisher *publisher, struct frame *data, struct error *err)
{
    struct spool *spool = publisher->spool;
    bool known;
    int64_t events;
    *data = (struct frame){
        .kind = FRAME_DATA, .epoch = spool_epoch(spool), .seq = publisher->flights.sent + 1};
    buffer_clear(&publisher->body);
    if (!spool_chain_at(spool, publisher->flights.sent, data->chain, &known, err) ||
        !spool_clock_of(spool, data->seq, FRAME_MAX_EVENTS, &data->at, &events, err) ||
        !spool_read(spool, data->seq, events, flights_frame_bytes(&publisher->flights),
                    &publisher->body, &data->count, err))
        return false;
    if (!known || data->count == 0)
        return fail(err, REACT_STOP, "the spool lacks event %" PRId64, data->seq);
    data->body = publisher->body.data;
    data->body_length = publisher->body.length;
    return true;
}

// Nothing is remembered of what was sent but its last event: to send it again means to read it
// again.
static bool send_data(struct publisher *publisher, struct error *err)
{
    struct frame data;
    if (!read_data(publisher, &data, err))
        return false;
    if (flights_hold(&publisher->flights, data.body_length) || !publisher_send(publisher, &data))
        return true;
    // While others fly, the deadline is theirs.
    if (publisher->flights.count == 0)
        publisher_expect_ack(publisher);
    flights_add(&publisher->flights, data.count, data.body_length);
    return true;
}

// Frames first: a beat that waits for their ack is looked at again when it comes.
static bool send_all(struct publisher *publisher, struct error *err)
{
    while (publisher->stage == STAGE_STREAMING && flights_may_send(&publisher->flights) &&
           publisher->flights.sent < spool_last(publisher->spool)) {
        if (!send_data(publisher, err))
            return false;
    }
    if (publisher->stage == STAGE_STREAMING)
        publisher_send_beat(publisher);
    if (publisher->flights.count == 0)
        buffer_reset(&publisher->body); // an idle collector is a small one
    return true;
}

// A store that is asked nothing may be silent for as long as it likes; whether it still lives is
// for the link to notice.
static void check_deadline(struct publisher *publisher)
{
    if (monotonic_ms() < publisher->due_ms)
        return;
    if (publisher->stage == STAGE_GREETING)
        publisher_fall_apart(publisher, LOG_WARN, "the store does not answer hello in time");
    else if (publisher->stage == STAGE_STREAMING && publisher->flights.count > 0)
        publisher_fall_apart(publisher, LOG_WARN, "the store does not acknowledge in time");
}

// What has come is taken before the deadline is looked at: an answer that waits here is not late.
bool publisher_step(struct publisher *publisher, struct error *err)
{
    if (!publisher_receive(publisher, err))
        return false;
    check_deadline(publisher);
    if (publisher->stage == STAGE_APART && monotonic_ms() >= publisher->due_ms &&
        !publisher_connect(publisher, err))
        return false;
    return send_all(publisher, err);
}
