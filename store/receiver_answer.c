// The answers to frames: how they are sent, and where a refusal is told. Which answer a frame gets
// is for the other files; what is sent unasked is dismissal.c.

#include <stdio.h>

#include "store/receiver_parts.h"

// Never waits: one collector that does not read must not hold off the others. It says hello again
// and gets its answer from the mark.
void receiver_send(struct receiver *receiver, const struct peer *peer, const struct frame *frame)
{
    SCOPED_BUFFER out = {0};
    frame_write(frame, &out);
    if (!listeners_send(receiver->listeners, peer, &out))
        session_end(&receiver->sessions, peer);
}

// Logged whether the peer takes it or not: the log is for people, the frame for the program.
void receiver_nack(struct receiver *receiver, const struct peer *peer, const char *collector,
                   const struct nack *nack)
{
    struct frame frame = {
        .kind = FRAME_NACK, .reason = nack->reason, .seq = nack->acked, .epoch = nack->newest};
    snprintf(frame.message, sizeof(frame.message), "%s", nack->message);
    refusal_log_add(&receiver->refusal_log, collector, nack->reason, nack->message);
    receiver_send(receiver, peer, &frame);
}

// A refusal holds without its row, so a database that is away delays no nack.
void receiver_note_refusal(struct receiver *receiver, const char *collector, int64_t epoch,
                           enum nack_reason reason, const char *message)
{
    struct error err;
    if (storage_ready(receiver->storage) &&
        !refusal_note(&receiver->refusals, receiver->storage->db, collector, reason, epoch, message,
                      &err))
        storage_failed(receiver->storage, &err);
}

// Noted first, so that who hears the nack and asks the database finds why.
void receiver_refuse(struct receiver *receiver, const struct peer *peer, const char *collector,
                     int64_t epoch, const struct nack *nack)
{
    receiver_note_refusal(receiver, collector, epoch, nack->reason, nack->message);
    receiver_nack(receiver, peer, collector, nack);
}

// Frames behind the refused one may be under way, and must not be taken for its successors (D16).
void receiver_refuse_session(struct receiver *receiver, struct session *session,
                             enum nack_reason reason, int64_t acked, const char *message)
{
    const struct nack nack = {.reason = reason, .acked = acked, .message = message};
    session->refused = true;
    const struct session copy = *session; // sending may end the session
    receiver_refuse(receiver, &copy.peer, copy.collector, copy.epoch, &nack);
}
