// The beginning of a session. A welcome tells what is committed, never what was received
// (docs/events.md): one that promised more could lose events with this process.

#include <string.h>

#include "common/log.h"
#include "store/batch.h"
#include "store/receiver_parts.h"
#include "store/window.h"

// ---- refusing -----------------------------------------------------------------------------------

// Why a hello is not welcomed whatever the database says; NULL: it is.
static const char *refusal_of(const struct receiver *receiver, const struct allowed *allowed,
                              const struct frame *hello, int wire)
{
    // The name is only a check against mixed-up configurations; the key decides who it is.
    if (strcmp(hello->collector, allowed->name) != 0)
        return "hello names another collector than the key's";
    if (wire < hello->wire_min || wire < WIRE_VERSION_MIN)
        return "no common wire version; hint: upgrade the older program";
    // Version 1 cannot be told a window, so it takes a fixed part of what the others share. Its own
    // older session is left out: that one ends when this begins.
    size_t others = session_count_old(&receiver->sessions, allowed->name);
    if (wire == 1 && receiver_window_with(receiver, others + 1) < WINDOW_LEAST)
        return "no memory for one more collector of wire version 1; hint: upgrade it, or raise "
               "the store's memory_max_bytes";
    return NULL;
}

// Only what the marks can tell without reading rows; the rest shows when data comes.
static const char *fork_of(const struct frame *hello, int64_t acked, const uint8_t *chain,
                           int64_t newest)
{
    if (hello->epoch < newest)
        return NEWER_EPOCH;
    if (hello->seq <= acked)
        return NULL; // decided when the collector compares welcome's chain, and again at data
    if (hello->seq == acked + 1 && memcmp(hello->chain, chain, DIGEST_BYTES) != 0)
        return "the chain before next_seq differs from what is stored; hint: two spools wrote "
               "under one name";
    return NULL;
}

// Before any mark was read: there is no session yet, or none any more.
static void turn_away(struct receiver *receiver, const struct peer *peer,
                      const struct allowed *allowed, int64_t epoch, const char *message)
{
    const struct nack nack = {.reason = NACK_NOT_ALLOWED, .message = message};
    receiver_refuse(receiver, peer, allowed->name, epoch, &nack);
}

// A new spool that was born while its machine's clock was wrong may look older than the one before
// it. Of an epoch of which nothing is stored the newest one is told, so that it can begin anew.
static void refuse_fork(struct receiver *receiver, const struct peer *peer,
                        const struct allowed *allowed, int64_t epoch, int64_t acked, int64_t newest,
                        const char *message)
{
    const struct nack nack = {
        .reason = NACK_FORK, .acked = acked, .newest = acked == 0 ? newest : 0, .message = message};
    receiver_refuse(receiver, peer, allowed->name, epoch, &nack);
}

// ---- welcoming ----------------------------------------------------------------------------------

// What an older connection brought in this turn counts as received: the mark must know it, or
// events sent again would look like others. False when the database cannot be asked.
static bool settle(struct receiver *receiver, const char *collector)
{
    if (inbox_has(&receiver->inbox, collector))
        receiver_commit(receiver);
    return storage_ready(receiver->storage) && !inbox_has(&receiver->inbox, collector);
}

// The chosen wire version is in the welcome already. A collector that is ahead (a mark went back)
// sends from acked on, or meets a gap.
static struct session *begin_session(struct receiver *receiver, const struct peer *peer,
                                     const struct allowed *allowed, const struct frame *hello,
                                     struct frame *welcome)
{
    struct session *session = session_begin(&receiver->sessions, peer, allowed->name);
    session->epoch = hello->epoch;
    session->wire = welcome->wire_max;
    session->received = welcome->seq;
    session->acked = welcome->seq;
    memcpy(session->chain, welcome->chain, DIGEST_BYTES);
    memcpy(session->program, hello->program, sizeof(session->program));
    if (session->wire > 1) // shared out with this session among the others
        welcome->window = receiver_window(receiver);
    return session;
}

// A second statement behind mark_read, and not one with it: a hello that is a fork must not count
// as heard, or its refusals would look like those of a collector that was well in between
// (refusal.c). Whether it is one was decided by what was read.
static bool note_heard(struct receiver *receiver, const struct peer *peer, struct session *session,
                       const struct allowed *allowed, const struct frame *hello)
{
    struct error err;
    struct heard heard; // fork_of has seen to what it says
    if (receiver_heard(receiver, session, allowed, hello, &heard, &err))
        return true;
    session_end(&receiver->sessions, peer);
    storage_failed(receiver->storage, &err);
    return false;
}

static void welcome_peer(struct receiver *receiver, const struct peer *peer,
                         const struct allowed *allowed, const struct frame *hello,
                         struct frame *welcome)
{
    struct session *session = begin_session(receiver, peer, allowed, hello, welcome);
    if (!note_heard(receiver, peer, session, allowed, hello))
        return;
    // Behind what was heard, which would end it. Whoever sent what is stored has it still: the
    // welcome tells this one that it is another.
    if (hello->seq <= welcome->seq)
        receiver_note_refusal(receiver, allowed->name, hello->epoch, NACK_FORK,
                              "more events of this epoch are stored than this spool ever made");
    log_line(LOG_INFO, "collector connected", "collector", allowed->name, "program",
             session->program, NULL);
    receiver_send(receiver, peer, welcome);
}

// Where nothing is answered the collector's own time-out brings the hello again. A refusal instead
// would make it wait longer.
void receiver_take_hello(struct receiver *receiver, const struct peer *peer,
                         const struct allowed *allowed, const struct frame *hello)
{
    int wire = hello->wire_max < WIRE_VERSION ? hello->wire_max : WIRE_VERSION;
    const char *refusal = refusal_of(receiver, allowed, hello, wire);
    if (refusal != NULL) {
        turn_away(receiver, peer, allowed, hello->epoch, refusal);
        return;
    }
    if (!settle(receiver, allowed->name))
        return;
    struct frame welcome = {.kind = FRAME_WELCOME, .wire_max = wire};
    int64_t newest;
    struct error err;
    if (!mark_read(receiver->storage->db, allowed->name, hello->epoch, &welcome.seq, welcome.chain,
                   &newest, &err)) {
        storage_failed(receiver->storage, &err);
        return;
    }
    const char *fork = fork_of(hello, welcome.seq, welcome.chain, newest);
    if (fork != NULL)
        refuse_fork(receiver, peer, allowed, hello->epoch, welcome.seq, newest, fork);
    else
        welcome_peer(receiver, peer, allowed, hello, &welcome);
}
