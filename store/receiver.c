// From a message to what it means: whose it is, whether it is a frame, and whether its session
// expects it. Nothing here trusts a peer further than its key.

#include "store/receiver.h"

#include <string.h>

#include "common/timestamp.h"
#include "store/receiver_parts.h"
#include "store/window.h"

// Bounds a turn, so that a flood of messages holds off neither signals nor the commit.
#define MESSAGES_PER_TURN 256

// ---- memory -------------------------------------------------------------------------------------

int64_t receiver_window_with(const struct receiver *receiver, size_t old)
{
    const struct store_config *config = receiver->config;
    return window_share(config->memory_max_bytes, config->allow_list->count, old);
}

int64_t receiver_window(const struct receiver *receiver)
{
    return receiver_window_with(receiver, session_count_old(&receiver->sessions, NULL));
}

// What all windows allow together may lie here at once, whichever collectors it is from.
void receiver_share_memory(struct receiver *receiver)
{
    const struct store_config *config = receiver->config;
    receiver->ahead.bytes_most =
        (size_t)window_room(config->memory_max_bytes, config->allow_list->count);
}

// ---- frames -------------------------------------------------------------------------------------

// Advances the session over a frame that it expects. Else it stays as it was, and the answer is
// why, with the nack's reason; NULL: it has advanced.
static const char *advance(struct session *session, const struct frame *data,
                           enum nack_reason *reason)
{
    // An epoch begins with hello alone: its mark was read there.
    *reason = NACK_NOT_ALLOWED;
    if (data->epoch != session->epoch)
        return "data of another epoch than hello's";
    *reason = NACK_GAP;
    if (data->seq != session->received + 1)
        return "first is not acked + 1";
    *reason = NACK_FORK;
    if (memcmp(data->chain, session->chain, DIGEST_BYTES) != 0)
        return "the chain differs from what is stored; hint: this spool is a copy or was restored";
    *reason = NACK_TOO_LARGE;
    if (data->count < 1 || data->count > FRAME_MAX_EVENTS || !session_advance(session, data))
        return "the body does not hold the number of events that the header says";
    return NULL;
}

// Checked against the session here, so that a wrong frame is refused before a batch is made of it,
// and against the mark in the transaction, which alone decides (R26).
static void take_data(struct receiver *receiver, struct session *session,
                      const struct allowed *allowed, const struct frame *data)
{
    if (session->refused)
        return; // frames that were under way when the nack was sent
    enum nack_reason reason;
    const char *refusal = advance(session, data, &reason);
    if (refusal != NULL) {
        receiver_refuse_session(receiver, session, reason, session->received, refusal);
        return;
    }
    // The lines that were read ahead go over to the inbox.
    struct ahead_message *message = &receiver->message;
    inbox_add(&receiver->inbox, session, allowed, data, message->events, message->event_count);
    receiver->inbox.entries[receiver->inbox.count - 1].part.lag_us = session_lag(session, data->at);
    message->events = NULL;
    message->event_count = 0;
}

// A peer may choose its routing id, and with it the session of one that is gone. The key decides.
static struct session *find_session(struct receiver *receiver, const struct peer *peer,
                                    const struct allowed *allowed)
{
    struct session *session = session_find(&receiver->sessions, peer);
    if (session != NULL && strcmp(session->collector, allowed->name) != 0)
        return NULL;
    return session;
}

// Kinds that only a store sends are ignored.
static void dispatch(struct receiver *receiver, const struct peer *peer,
                     const struct allowed *allowed, const struct frame *frame)
{
    struct session *session = find_session(receiver, peer, allowed);
    if (frame->kind == FRAME_HELLO)
        receiver_take_hello(receiver, peer, allowed, frame);
    else if (session == NULL) // a gap is what a new hello mends
        receiver_nack(receiver, peer, allowed->name,
                      &(struct nack){NACK_GAP, .message = "no hello on this connection"});
    else if (frame->kind == FRAME_DATA)
        take_data(receiver, session, allowed, frame);
    else if (frame->kind == FRAME_BEAT)
        receiver_take_beat(receiver, session, allowed, frame);
}

// ---- messages -----------------------------------------------------------------------------------

// `at` is what the sender's clock shows, so it goes on while the message waits for its turn: else a
// database that stalls for minutes would make every clock look slow.
static void age_frame(struct frame *frame, int64_t received_ms)
{
    if (frame->at != 0)
        frame->at += (monotonic_ms() - received_ms) * 1000;
}

// The key's collector is looked up each time, so that a revoked key stops at once, also when its
// collector got another one.
static void take_message(struct receiver *receiver, const struct peer *peer, const char *user)
{
    const struct allowed *allowed = allow_list_by_name(receiver->config->allow_list, user);
    if (allowed == NULL || !allowed_has_key(allowed, peer->key)) {
        session_end(&receiver->sessions, peer);
        receiver_nack(
            receiver, peer, user,
            &(struct nack){NACK_NOT_ALLOWED, .message = "this key is not in the allow-list"});
        return;
    }
    struct frame frame;
    struct error err;
    const struct buffer *payload = &receiver->message.payload;
    if (!frame_parse(payload->data ? payload->data : "", payload->length, &frame, &err)) {
        receiver_nack(receiver, peer, allowed->name,
                      &(struct nack){NACK_NOT_ALLOWED, .message = err.text});
        return;
    }
    age_frame(&frame, receiver->message.received_ms);
    dispatch(receiver, peer, allowed, &frame);
}

// Bounded by messages as well as by the inbox: those that fill no inbox (hello, beat, nonsense)
// must not hold off commit and signals either. Messages taken ahead come first, so the order in
// which they came is kept.
static void take_messages(struct receiver *receiver)
{
    struct ahead_message *message = &receiver->message;
    for (int taken = 0; taken < MESSAGES_PER_TURN; taken++) {
        if (inbox_is_full(&receiver->inbox) || receiver->halt->stopping || receiver->halt->reload ||
            !ahead_take(&receiver->ahead, receiver->listeners, message))
            return;
        take_message(receiver, &message->peer, message->user);
    }
}

// A batch that waits for a database that is away fills nothing but ahead: what windows allow, and
// the hellos of those who wait (store/ahead.h). The spools hold what else comes.
static void wait_with_batch(struct receiver *receiver)
{
    for (int taken = 0; taken < MESSAGES_PER_TURN && receiver_work_ahead(receiver); taken++)
        continue;
}

void receiver_take(struct receiver *receiver)
{
    if (receiver_has_batch(receiver))
        wait_with_batch(receiver);
    else
        take_messages(receiver);
}

bool receiver_has_batch(const struct receiver *receiver)
{
    return receiver->inbox.count > 0;
}

// Without a batch there always is: messages are handled as they come, those put aside first.
bool receiver_has_room(const struct receiver *receiver)
{
    return !receiver_has_batch(receiver) || !ahead_is_full(&receiver->ahead);
}

bool receiver_has_ahead(const struct receiver *receiver)
{
    return !ahead_is_empty(&receiver->ahead);
}

void receiver_reset(struct receiver *receiver)
{
    session_table_reset(&receiver->sessions);
    inbox_reset(&receiver->inbox);
    ahead_message_reset(&receiver->message);
    ahead_reset(&receiver->ahead);
    refusals_reset(&receiver->refusals);
}
