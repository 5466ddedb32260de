// The store's loop. A turn takes what has arrived (bounded), commits it as one transaction, and
// answers. While PostgreSQL does not take a batch, nothing more is read: the spools of the
// collectors hold it.

#include "store/server.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

#include "common/log.h"
#include "common/timestamp.h"
#include "store/ahead.h"
#include "store/batch.h"
#include "store/dismissal.h"
#include "store/halt.h"
#include "store/inbox.h"
#include "store/listeners.h"
#include "store/refusal.h"
#include "store/refusal_log.h"
#include "store/session.h"
#include "store/storage.h"
#include "store/window.h"
#include "store/zap.h"

// Bounds a turn, so that a flood of messages holds off neither signals nor the commit.
#define MESSAGES_PER_TURN 256
// What the database may still take after a signal. SIGTERM leaves two seconds more to what else the
// end needs; after SIGHUP a key that was revoked must not be heard for longer.
#define SIGNAL_LIMIT_MS 3000
// One thread uses it; the ZAP thread has its own state and shares the allow-list under a lock
// (zap.c).
struct server {
    struct store_config *config;
    const char *config_path;
    void *context;
    struct zap *zap;
    struct listeners *listeners;
    struct storage storage;
    struct session_table sessions;
    struct inbox inbox;           // frames taken and not yet committed
    struct ahead ahead;           // messages taken while the inbox was being committed
    struct ahead_message message; // being handled
    int signals;                  // a signalfd: signals are read in the loop, and interrupt nothing
    struct halt halt;
    struct refusal_log refusals; // for the log
    struct refusals refused;     // for the database
};

// ---- memory -------------------------------------------------------------------------------------

// How many bytes a collector may have unacknowledged, when `old` sessions speak version 1.
static int64_t window_with(const struct server *server, size_t old)
{
    const struct store_config *config = server->config;
    return window_share(config->memory_max_bytes, config->allow_list->count, old);
}

static int64_t window_now(const struct server *server)
{
    return window_with(server, session_count_old(&server->sessions, NULL));
}

static void share_memory(struct server *server)
{
    const struct store_config *config = server->config;
    server->ahead.bytes_most =
        (size_t)window_room(config->memory_max_bytes, config->allow_list->count);
}

// ---- answers ------------------------------------------------------------------------------------

// Never waits: one collector that does not read must not hold off the others.
static void send_frame(struct server *server, const struct peer *peer, const struct frame *frame)
{
    SCOPED_BUFFER out = {0};
    frame_write(frame, &out);
    // A peer that takes nothing says hello again and gets its answer from the mark.
    if (!listeners_send(server->listeners, peer, &out))
        session_end(&server->sessions, peer);
}

// What a nack says. `acked` is what the collector may go on from, and `newest` is told for one
// reason alone (fork_nack).
struct nack {
    enum nack_reason reason;
    int64_t acked;
    int64_t newest; // the newest epoch known; 0: not told
    const char *message;
};

// Says no, to the peer and in the log. All that a stranger gets: it must not make rows.
static void send_nack(struct server *server, const struct peer *peer, const char *collector,
                      const struct nack *nack)
{
    struct frame frame = {
        .kind = FRAME_NACK, .reason = nack->reason, .seq = nack->acked, .epoch = nack->newest};
    snprintf(frame.message, sizeof(frame.message), "%s", nack->message);
    refusal_log_add(&server->refusals, collector, nack->reason, nack->message);
    send_frame(server, peer, &frame);
}

// For whoever asks why a collector's scopes are not covered. Only for names of the allow-list.
static void note_refusal(struct server *server, const char *collector, int64_t epoch,
                         enum nack_reason reason, const char *message)
{
    struct error err;
    if (storage_ready(&server->storage) && !refusal_note(&server->refused, server->storage.db,
                                                         collector, reason, epoch, message, &err))
        storage_failed(&server->storage, &err);
}

// Refuses what a collector of the allow-list sent for this epoch. Noted first, so that who hears
// the nack and asks the database finds why.
static void refuse(struct server *server, const struct peer *peer, const char *collector,
                   int64_t epoch, const struct nack *nack)
{
    note_refusal(server, collector, epoch, nack->reason, nack->message);
    send_nack(server, peer, collector, nack);
}

// The session hears nothing more until a new hello (D16): frames behind the refused one may be
// under way, and must not be taken for its successors.
static void refuse_session(struct server *server, struct session *session, enum nack_reason reason,
                           int64_t acked, const char *message)
{
    const struct nack nack = {.reason = reason, .acked = acked, .message = message};
    session->refused = true;
    const struct session gone = *session; // sending may end the session
    refuse(server, &gone.peer, gone.collector, gone.epoch, &nack);
}

// ---- committing what was taken ------------------------------------------------------------------

// The session may have gone since: the mark has it, and the next welcome tells.
static void answer_part(struct server *server, const struct inbox_entry *entry)
{
    const struct batch_part *part = &entry->part;
    struct session *session = session_find(&server->sessions, &entry->peer);
    if (session == NULL || session->refused)
        return;
    if (part->outcome == PART_STORED) {
        struct frame ack = {.kind = FRAME_ACK, .seq = part->acked};
        if (session->wire > 1)
            ack.window = window_now(server);
        send_frame(server, &entry->peer, &ack);
        return;
    }
    refuse_session(server, session, part->outcome == PART_FORK ? NACK_FORK : NACK_GAP, part->acked,
                   part->message);
}

// While PostgreSQL works on a batch the next one is received and read.
static bool read_ahead(void *context)
{
    struct server *server = context;
    // ZeroMQ's thread waits when nobody takes what the monitor tells.
    listeners_log_handshakes(server->listeners);
    return !server->halt.stopping && ahead_work(&server->ahead, server->listeners);
}

// On failure the inbox stays as it is and is tried again: when only the answer to COMMIT was lost,
// the marks find repeats.
static void commit(struct server *server)
{
    if (server->inbox.count == 0 || !storage_ready(&server->storage))
        return;
    struct error err;
    SCOPED(xfree_part) struct batch_part *parts = inbox_parts(&server->inbox);
    database_set_idle(server->storage.db, (struct database_idle){read_ahead, server});
    bool stored = batch_store(server->storage.db, parts, server->inbox.count, &err);
    database_set_idle(server->storage.db, (struct database_idle){0});
    if (!stored) {
        storage_failed(&server->storage, &err);
        return;
    }
    storage_worked(&server->storage);
    for (size_t i = 0; i < server->inbox.count; i++) {
        // Outcomes were filled in the copies.
        server->inbox.entries[i].part = parts[i];
        answer_part(server, &server->inbox.entries[i]);
    }
    inbox_clear(&server->inbox);
}

// ---- frames -------------------------------------------------------------------------------------

#define NEWER_EPOCH                                                                                \
    "a newer epoch of this collector is known; hint: this spool is an old copy, remove it"

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
               "under "
               "one name";
    return NULL;
}

// Why a hello is not welcomed whatever the database says; NULL: it is.
static const char *refusal_of(const struct server *server, const struct allowed *allowed,
                              const struct frame *hello, int wire)
{
    if (wire < hello->wire_min || wire < WIRE_VERSION_MIN)
        return "no common wire version; hint: upgrade the older program";
    size_t others = session_count_old(&server->sessions, allowed->name);
    if (wire == 1 && window_with(server, others + 1) < WINDOW_LEAST)
        return "no memory for one more collector of wire version 1; hint: upgrade it, or raise "
               "the store's memory_max_bytes";
    return NULL;
}

// A new spool that was born while its machine's clock was wrong may look older than the one before
// it. Of an epoch of which nothing is stored the newest one is told, so that it can begin anew.
static struct nack fork_nack(int64_t acked, int64_t newest, const char *message)
{
    return (struct nack){
        .reason = NACK_FORK, .acked = acked, .newest = acked == 0 ? newest : 0, .message = message};
}

// Of a hello or a beat, which alone has looks.
static bool note_heard(struct server *server, struct session *session,
                       const struct allowed *allowed, const struct frame *frame, bool *is_newest,
                       struct error *err)
{
    struct heard heard = {.epoch = session->epoch,
                          .at = frame->at,
                          .program = session->program,
                          .looks = frame->kind == FRAME_BEAT ? frame->body : NULL,
                          .looks_length = frame->body_length,
                          .trouble = frame->kind == FRAME_BEAT ? frame->message : NULL};
    if (!mark_touch(server->storage.db, allowed, &heard, err))
        return false;
    *is_newest = heard.is_newest;
    session->database_ahead_us = heard.heard_at - timestamp_now();
    return true;
}

// Refuses a hello before any mark was read: there is no session yet, or none any more.
static void turn_away(struct server *server, const struct peer *peer, const struct allowed *allowed,
                      int64_t epoch, const char *message)
{
    const struct nack nack = {.reason = NACK_NOT_ALLOWED, .message = message};
    refuse(server, peer, allowed->name, epoch, &nack);
}

// Answers with what is committed, never with what was received (docs/events.md): a welcome that
// promised more could lose events with this process.
static void take_hello(struct server *server, const struct peer *peer,
                       const struct allowed *allowed, const struct frame *hello)
{
    int wire = hello->wire_max < WIRE_VERSION ? hello->wire_max : WIRE_VERSION;
    const char *refusal = refusal_of(server, allowed, hello, wire);
    if (refusal != NULL) {
        turn_away(server, peer, allowed, hello->epoch, refusal);
        return;
    }
    // What an older connection brought in this turn counts as received: the mark must know it, or
    // events sent again would look like others.
    if (inbox_has(&server->inbox, allowed->name))
        commit(server);
    // Silence, not a refusal: the collector's own time-out brings it again.
    if (!storage_ready(&server->storage) || inbox_has(&server->inbox, allowed->name))
        return; // the collector says hello again
    struct frame welcome = {.kind = FRAME_WELCOME, .wire_max = wire};
    int64_t newest;
    struct error err;
    if (!mark_read(server->storage.db, allowed->name, hello->epoch, &welcome.seq, welcome.chain,
                   &newest, &err)) {
        storage_failed(&server->storage, &err);
        return;
    }
    const char *fork = fork_of(hello, welcome.seq, welcome.chain, newest);
    if (fork != NULL) {
        const struct nack nack = fork_nack(welcome.seq, newest, fork);
        refuse(server, peer, allowed->name, hello->epoch, &nack);
        return;
    }
    struct session *session = session_begin(&server->sessions, peer, allowed->name);
    session->epoch = hello->epoch;
    session->wire = wire;
    if (wire > 1)
        welcome.window = window_now(server);
    // A collector that is ahead (a mark went back) sends from here on, or meets a gap.
    session->received = welcome.seq;
    memcpy(session->chain, welcome.chain, DIGEST_BYTES);
    memcpy(session->program, hello->program, sizeof(session->program));
    bool is_newest; // fork_of has seen to it
    if (!note_heard(server, session, allowed, hello, &is_newest, &err)) {
        session_end(&server->sessions, peer);
        storage_failed(&server->storage, &err);
        return;
    }
    // Behind what was heard, which would end it. Whoever sent what is stored has it still: the
    // welcome tells this one that it is another.
    if (hello->seq <= welcome.seq)
        note_refusal(server, allowed->name, hello->epoch, NACK_FORK,
                     "more events of this epoch are stored than this spool ever made");
    log_line(LOG_INFO, "collector connected", "collector", allowed->name, "program",
             session->program, NULL);
    send_frame(server, peer, &welcome);
}

// Checked against the session here, so that a wrong frame is refused before a batch is made of it,
// and against the mark in the transaction, which alone decides (R26).
static void take_data(struct server *server, struct session *session, const struct allowed *allowed,
                      const struct frame *data)
{
    if (session->refused)
        return; // frames that were under way when the nack was sent
    // An epoch begins with hello alone: its mark was read there.
    if (data->epoch != session->epoch) {
        refuse_session(server, session, NACK_NOT_ALLOWED, session->received,
                       "data of another epoch than hello's");
        return;
    }
    if (data->seq != session->received + 1) {
        refuse_session(server, session, NACK_GAP, session->received, "first is not acked + 1");
        return;
    }
    if (memcmp(data->chain, session->chain, DIGEST_BYTES) != 0) {
        refuse_session(
            server, session, NACK_FORK, session->received,
            "the chain differs from what is stored; hint: this spool is a copy or was restored");
        return;
    }
    if (data->count < 1 || data->count > FRAME_MAX_EVENTS || !session_advance(session, data)) {
        refuse_session(server, session, NACK_TOO_LARGE, session->received,
                       "the body does not hold the number of events that the header says");
        return;
    }
    struct ahead_message *message = &server->message;
    inbox_add(&server->inbox, session, allowed, data, message->events, message->event_count);
    server->inbox.entries[server->inbox.count - 1].part.lag_us = session_lag(session, data->at);
    message->events = NULL;
    message->event_count = 0;
}

// A beat that is bad harms only coverage, so the connection goes on.
static void take_beat(struct server *server, struct session *session, const struct allowed *allowed,
                      const struct frame *beat)
{
    if (session->refused || !storage_ready(&server->storage))
        return; // the next beat says the same and more
    struct error err;
    bool is_newest;
    if (note_heard(server, session, allowed, beat, &is_newest, &err)) {
        if (!is_newest) // it came by way of another store, behind this session's hello
            refuse_session(server, session, NACK_FORK, session->received, NEWER_EPOCH);
    } else if (err.react == REACT_REJECT) {
        log_line(LOG_WARN, "beat ignored", "collector", allowed->name, "error", err.text, NULL);
    } else {
        storage_failed(&server->storage, &err);
    }
}

// Kinds that only a store sends are ignored.
static void dispatch(struct server *server, const struct peer *peer, const struct allowed *allowed,
                     const struct frame *frame)
{
    struct session *session = session_find(&server->sessions, peer);
    // A peer may choose its routing id, and with it the session of one that is gone. The key
    // decides.
    if (session != NULL && strcmp(session->collector, allowed->name) != 0)
        session = NULL;
    if (frame->kind == FRAME_HELLO) {
        // The name in hello is only a check against mixed-up configurations; the key decides who it
        // is.
        if (strcmp(frame->collector, allowed->name) == 0)
            take_hello(server, peer, allowed, frame);
        else
            turn_away(server, peer, allowed, frame->epoch,
                      "hello names another collector than the key's");
    } else if (session == NULL) {
        send_nack(server, peer, allowed->name,
                  &(struct nack){NACK_GAP, .message = "no hello on this connection"});
    } else if (frame->kind == FRAME_DATA) {
        take_data(server, session, allowed, frame);
    } else if (frame->kind == FRAME_BEAT) {
        take_beat(server, session, allowed, frame);
    }
}

// Handles one message. The key's collector is looked up each time, so that a revoked key stops at
// once, also when its collector got another one.
static void take_message(struct server *server, const struct peer *peer, const char *user)
{
    const struct allowed *allowed = allow_list_by_name(server->config->allow_list, user);
    if (allowed == NULL || !allowed_has_key(allowed, peer->key)) {
        session_end(&server->sessions, peer);
        send_nack(server, peer, user,
                  &(struct nack){NACK_NOT_ALLOWED, .message = "this key is not in the allow-list"});
        return;
    }
    struct frame frame;
    struct error err;
    const struct buffer *payload = &server->message.payload;
    if (!frame_parse(payload->data ? payload->data : "", payload->length, &frame, &err)) {
        send_nack(server, peer, allowed->name,
                  &(struct nack){NACK_NOT_ALLOWED, .message = err.text});
        return;
    }
    dispatch(server, peer, allowed, &frame);
}

// Messages taken ahead come first: ahead_take keeps the order in which they came.
static void receive(struct server *server)
{
    struct ahead_message *message = &server->message;
    // Messages that fill no inbox (hello, beat, nonsense) must not hold off commit and signals
    // either.
    for (int taken = 0; taken < MESSAGES_PER_TURN; taken++) {
        if (inbox_is_full(&server->inbox) || server->halt.stopping || server->halt.reload ||
            !ahead_take(&server->ahead, server->listeners, message))
            return;
        take_message(server, &message->peer, message->user);
    }
}

// ---- signals ------------------------------------------------------------------------------------

// A second signal waits for nothing.
static int begin_stop(struct server *server)
{
    if (server->halt.stopping)
        return 0;
    log_line(LOG_INFO, "stopping", NULL);
    server->halt.stopping = true;
    if (server->zap != NULL) // NULL while the store starts
        zap_refuse_all(server->zap);
    // Those with frames in the batch under way are told when they know its outcome.
    dismiss_all(&server->sessions, server->listeners, &server->inbox);
    return SIGNAL_LIMIT_MS;
}

// Also called while the database is waited for (struct database_watch); gives what the database may
// still take. SIGHUP is only noted: what is being committed borrows from the list that it replaces.
static int take_signal(void *context)
{
    struct server *server = context;
    struct signalfd_siginfo info;
    if (read(server->signals, &info, sizeof(info)) != sizeof(info))
        return -1;
    if (info.ssi_signo != SIGHUP)
        return begin_stop(server);
    server->halt.reload = true;
    return SIGNAL_LIMIT_MS;
}

// Frames that could not be committed are given up, since they borrow from the old list; their
// sessions end with them, and the collectors send them again.
static void drop_inbox(struct server *server)
{
    for (size_t i = 0; i < server->inbox.count; i++)
        session_end(&server->sessions, &server->inbox.entries[i].peer);
    inbox_clear(&server->inbox);
}

static void replace_allow_list(struct server *server, struct store_config *fresh)
{
    struct allow_list *old = server->config->allow_list;
    server->config->allow_list = fresh->allow_list;
    fresh->allow_list = old;
    server->config->memory_max_bytes = fresh->memory_max_bytes;
    share_memory(server);
    zap_replace_list(server->zap, server->config->allow_list);
    log_line(LOG_INFO, "allow-list reloaded", NULL);
}

static void change_listeners(struct server *server)
{
    struct error err;
    if (listeners_change(server->listeners, &err))
        return;
    log_line(LOG_ERROR, "not all listeners are open", "error", err.text, NULL);
    if (listeners_any(server->listeners))
        return;
    halt_for(&server->halt, &err); // whoever restarts the store may have better luck
}

// A configuration that cannot be used whole changes nothing. The database comes last: it may not
// answer, and who is refused must not wait for that.
static void reload(struct server *server)
{
    SCOPED(store_config_free) struct store_config *fresh = NULL;
    struct error err;
    server->halt.reload = false;
    if (!store_config_read(server->config_path, &fresh, &err) ||
        !listeners_prepare(server->listeners, fresh, &err)) {
        log_line(LOG_ERROR, "configuration not reloaded, the old one stays", "error", err.text,
                 NULL);
        storage_limit(&server->storage, -1);
        return;
    }
    drop_inbox(server);
    replace_allow_list(server, fresh);
    dismiss_unwelcome(&server->sessions, server->listeners, server->config->allow_list);
    change_listeners(server);
    storage_limit(&server->storage, -1);
    storage_renew(&server->storage);
}

// ---- a turn of the loop -------------------------------------------------------------------------

// Five seconds at most, so that partitions are made and a dead ZAP thread is noticed in an idle
// store too.
static long wait_ms(const struct server *server)
{
    if (server->halt.reload)
        return 0;
    if (server->inbox.count > 0)
        return (long)storage_wait_ms(&server->storage);
    return ahead_is_empty(&server->ahead) ? 5000 : 0;
}

// A batch that waits for a database that is away fills nothing but ahead: what windows allow, and
// the hellos of those who wait (store/ahead.h). The spools hold what else comes.
static void wait_with_batch(struct server *server)
{
    for (int taken = 0; taken < MESSAGES_PER_TURN && read_ahead(server); taken++)
        continue;
}

static void turn(struct server *server)
{
    bool waits = server->inbox.count > 0;
    bool reads = !waits || !ahead_is_full(&server->ahead);
    zmq_pollitem_t items[1 + 2 * LISTENERS_MAX] = {{.fd = server->signals, .events = ZMQ_POLLIN}};
    size_t count = 1 + listeners_items(server->listeners, reads, items + 1);
    if (zmq_poll(items, (int)count, wait_ms(server)) < 0 && errno != EINTR) {
        struct error err;
        fail(&err, REACT_STOP, "cannot wait for messages: %s", zmq_strerror(zmq_errno()));
        halt_for(&server->halt, &err);
        return;
    }
    if (items[0].revents & ZMQ_POLLIN)
        storage_limit(&server->storage, take_signal(server));
    listeners_log_handshakes(server->listeners);
    if (waits)
        wait_with_batch(server);
    else
        receive(server);
    storage_tend(&server->storage);
    commit(server);
    if (server->halt.reload && !server->halt.stopping)
        reload(server);
    if (!zap_is_alive(server->zap)) {
        struct error err;
        fail(&err, REACT_STOP, "the authentication handler has ended");
        halt_for(&server->halt, &err);
    }
}

// ---- beginning and end --------------------------------------------------------------------------

// Through a descriptor: a handler could do nothing safely, and a signal between two calls is not
// lost.
static bool open_signals(struct server *server, struct error *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    // Before any thread starts, so that all threads inherit the mask.
    sigprocmask(SIG_BLOCK, &set, NULL);
    server->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (server->signals < 0)
        return fail(err, REACT_STOP, "cannot watch signals: %s", strerror(errno));
    return true;
}

// ZAP before the listeners: until its handler runs, nobody may come in (R27).
static bool open_all(struct server *server, struct error *err)
{
    if (!open_signals(server, err))
        return false;
    server->storage = (struct storage){.config = server->config,
                                       .halt = &server->halt,
                                       .signals = {server->signals, take_signal, server}};
    server->context = zmq_ctx_new();
    server->listeners = listeners_new(server->context);
    if (!listeners_prepare(server->listeners, server->config, err))
        return false;
    // A wrong schema is a matter for a person, and is seen before anyone may connect. A database
    // that does not answer yet is waited for like one that went away.
    if (!storage_ready(&server->storage) && server->halt.fatal.react == REACT_STOP) {
        *err = server->halt.fatal;
        return false;
    }
    return zap_start(server->context, server->config->allow_list, &server->zap, err) &&
           listeners_change(server->listeners, err);
}

// Sockets before the context, or zmq_ctx_term waits for ever. What is in inbox and ahead is not
// acknowledged, and comes again.
static void close_all(struct server *server)
{
    listeners_free(server->listeners);
    zap_stop(server->zap);
    storage_close(&server->storage);
    if (server->context != NULL)
        zmq_ctx_term(server->context);
    session_table_reset(&server->sessions);
    inbox_reset(&server->inbox);
    ahead_message_reset(&server->message);
    ahead_reset(&server->ahead);
    refusals_reset(&server->refused);
    if (server->signals >= 0)
        close(server->signals);
}

// What must be closed is closed on every way out, so open_all may stop anywhere.
bool server_run(struct store_config *config, const char *config_path, struct error *err)
{
    struct server server = {.config = config, .config_path = config_path, .signals = -1};
    share_memory(&server);
    bool good = open_all(&server, err);
    while (good && !server.halt.stopping)
        turn(&server);
    dismiss_all(&server.sessions, server.listeners, NULL);
    if (server.halt.fatal.react == REACT_STOP) {
        *err = server.halt.fatal;
        good = false;
    }
    close_all(&server);
    return good;
}
