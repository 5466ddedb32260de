#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/event.h"
#include "store/receiver.h"

// Seams between the files of the receiver.

// ---- receiver_answer.c: what is sent ------------------------------------------------------------

// What a nack says.
struct nack {
    enum nack_reason reason;
    int64_t acked;  // what the collector may go on from
    int64_t newest; // the newest epoch known, for a spool that may begin anew; 0: not told
    const char *message;
};

// Sends without waiting. A peer that takes nothing loses its session, so a session that is held
// across this call must be looked up again.
void receiver_send(struct receiver *receiver, const struct peer *peer, const struct frame *frame);

// Says no, to the peer and in the log, and nowhere else: for peers that are not in the allow-list,
// messages that are no frames, and what a new connection mends.
void receiver_nack(struct receiver *receiver, const struct peer *peer, const char *collector,
                   const struct nack *nack);

// Notes a refusal in the database, for whoever asks why a collector's scopes are not covered. Only
// for names of the allow-list: a stranger must not make rows.
void receiver_note_refusal(struct receiver *receiver, const char *collector, int64_t epoch,
                           enum nack_reason reason, const char *message);

// Refuses what a collector of the allow-list sent for this epoch: notes it and says no.
void receiver_refuse(struct receiver *receiver, const struct peer *peer, const char *collector,
                     int64_t epoch, const struct nack *nack);

// The same for a session, which then hears nothing more until a new hello, and may have ended when
// this returns.
void receiver_refuse_session(struct receiver *receiver, struct session *session,
                             enum nack_reason reason, int64_t acked, const char *message);

// ---- receiver_hello.c, receiver_beat.c: what is said of the sender ------------------------------

// Said of hellos and of beats.
#define NEWER_EPOCH                                                                                \
    "a newer epoch of this collector is known; hint: this spool is an old copy, remove it"

// Begins a session and welcomes the collector, or refuses it. Silence when the database cannot be
// asked: the collector says hello again.
void receiver_take_hello(struct receiver *receiver, const struct peer *peer,
                         const struct allowed *allowed, const struct frame *hello);

// Notes in the mark what a beat says of its session's collector.
void receiver_take_beat(struct receiver *receiver, struct session *session,
                        const struct allowed *allowed, const struct frame *beat);

// Notes that a hello or a beat was heard, and learns from the database how far its clock is ahead
// of this machine's. *heard is what was told and what the mark said to it; it borrows from the
// frame and the session.
bool receiver_heard(struct receiver *receiver, struct session *session,
                    const struct allowed *allowed, const struct frame *frame, struct heard *heard,
                    struct error *err) WARN_UNUSED;

// ---- receiver_commit.c, receiver.c --------------------------------------------------------------

// Takes one message before its turn or reads a line of one, while the database is waited for.
// False when there is nothing to do, or enough was done.
bool receiver_work_ahead(struct receiver *receiver);

// How many bytes a collector may have unacknowledged, with the sessions of now; and when `old`
// sessions speak version 1.
int64_t receiver_window(const struct receiver *receiver);
int64_t receiver_window_with(const struct receiver *receiver, size_t old);
