// Signs of life of collectors: that one was heard, how far its sources have looked, and how its
// clock stands. They are control rows (docs/rules.md 28), outside of every batch.

#include <string.h>

#include "common/log.h"
#include "common/timestamp.h"
#include "store/batch.h"
#include "store/receiver_parts.h"

// Only a beat has looks and trouble; a hello means nothing by what it has in their place.
bool receiver_heard(struct receiver *receiver, struct session *session,
                    const struct allowed *allowed, const struct frame *frame, struct heard *heard,
                    struct error *err)
{
    bool is_beat = frame->kind == FRAME_BEAT;
    *heard = (struct heard){.epoch = session->epoch,
                            .acked = session->acked,
                            .at = frame->at,
                            .program = session->program,
                            .looks = is_beat ? frame->body : NULL,
                            .looks_length = frame->body_length,
                            .trouble = is_beat ? frame->message : NULL};
    if (!mark_touch(receiver->storage->db, allowed, heard, err))
        return false;
    session->database_ahead_us = heard->heard_at - timestamp_now();
    return true;
}

// A beat that is bad harms only coverage, so the connection goes on. One that comes while the
// database is away is lost: the next one says the same and more.
void receiver_take_beat(struct receiver *receiver, struct session *session,
                        const struct allowed *allowed, const struct frame *beat)
{
    if (session->refused || !storage_ready(receiver->storage))
        return;
    struct error err;
    struct heard heard;
    if (receiver_heard(receiver, session, allowed, beat, &heard, &err)) {
        if (!heard.is_newest) // it came by way of another store, behind this session's hello
            receiver_refuse_session(receiver, session, NACK_FORK, session->received, NEWER_EPOCH);
        else if (!heard.is_stored) // the next welcome says from where on to send again
            receiver_refuse_session(receiver, session, NACK_GAP, session->received,
                                    "the database has less than what was acknowledged");
    } else if (err.react == REACT_REJECT) {
        log_line(LOG_WARN, "beat ignored", "collector", allowed->name, "error", err.text, NULL);
    } else {
        storage_failed(receiver->storage, &err);
    }
}
