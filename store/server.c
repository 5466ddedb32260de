// The store's loop: signals, turns, and what is opened before the first and closed behind the last.
// A turn takes what has arrived (bounded), commits it as one transaction, and answers (receiver.h).
// While PostgreSQL does not take a batch, little more is read: the spools of the collectors hold
// it.

#include "store/server.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

#include "common/log.h"
#include "store/dismissal.h"
#include "store/halt.h"
#include "store/listeners.h"
#include "store/receiver.h"
#include "store/storage.h"
#include "store/zap.h"

// What the database may still take after a signal. SIGTERM leaves two seconds more to what else the
// end needs; after SIGHUP a key that was revoked must not be heard for longer.
#define SIGNAL_LIMIT_MS 3000
// The longest wait of an idle store, so that what is due by the clock is done (storage_tend) and a
// dead ZAP thread is noticed there too.
#define IDLE_MS 5000

// One thread uses it; the ZAP thread has its own state and shares the allow-list under a lock
// (zap.c).
struct server {
    struct store_config *config;
    const char *config_path;
    int signals; // a signalfd: signals are read in the loop, and interrupt nothing
    struct halt halt;
    struct storage storage;
    void *context;
    struct zap *zap;
    struct listeners *listeners;
    struct receiver receiver;
};

// ---- signals ------------------------------------------------------------------------------------

// A second signal waits for nothing. Nobody new is let in from here on, and who is connected is
// told at once, since another store can take what is sent meanwhile.
static int begin_stop(struct server *server)
{
    if (server->halt.stopping)
        return 0;
    log_line(LOG_INFO, "stopping", NULL);
    server->halt.stopping = true;
    if (server->zap != NULL) // NULL while the store starts
        zap_refuse_all(server->zap);
    // Those with frames in the batch under way are told when they know its outcome.
    dismiss_all(&server->receiver.sessions, server->listeners, &server->receiver.inbox);
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

// ---- reading the configuration again ------------------------------------------------------------

// Somebody may have meant it; nobody should have to guess why all collectors are refused.
static void warn_of_nobody(const struct allow_list *list)
{
    if (list->count == 0)
        log_line(LOG_WARN, "the list of collectors is empty: nobody may speak", NULL);
}

// The old list goes with `fresh`, after the ZAP thread was given the new one. Nothing else borrows
// from it by now (receiver_drop_batch).
static void replace_allow_list(struct server *server, struct store_config *fresh)
{
    struct allow_list *old = server->config->allow_list;
    server->config->allow_list = fresh->allow_list;
    fresh->allow_list = old;
    server->config->memory_max_bytes = fresh->memory_max_bytes;
    // By the number of collectors, which may be another one now.
    receiver_share_memory(&server->receiver);
    zap_replace_list(server->zap, server->config->allow_list);
    log_line(LOG_INFO, "allow-list reloaded", NULL);
    warn_of_nobody(server->config->allow_list);
}

// A store that listens somewhere is better than none.
static bool change_listeners(struct server *server, struct error *err)
{
    if (listeners_change(server->listeners, err))
        return true;
    log_line(LOG_ERROR, "not all listeners are open", "error", err->text, NULL);
    if (!listeners_any(server->listeners))
        halt_for(&server->halt, err); // whoever restarts the store may have better luck
    return fail_in(err, "not all listeners are open");
}

// Told to the database too: a key that was to be taken back is still welcome, and the log is read
// by nobody who believes that it is not.
static void keep_old(struct server *server, struct error *err)
{
    log_line(LOG_ERROR, "configuration not reloaded, the old one stays", "error", err->text, NULL);
    fail_in(err, "configuration not reloaded");
    storage_limit(&server->storage, -1);
    storage_note_trouble(&server->storage, err);
}

// A configuration that cannot be used whole changes nothing. The database comes last: it may not
// answer, and who is refused must not wait for that. Either way the bound that SIGHUP has put on
// the database (take_signal) has served and is taken away.
static void reload(struct server *server)
{
    SCOPED(store_config_free) struct store_config *fresh = NULL;
    struct error err;
    server->halt.reload = false;
    if (!store_config_read(server->config_path, &fresh, &err) ||
        !listeners_prepare(server->listeners, fresh, &err)) {
        keep_old(server, &err);
        return;
    }
    receiver_drop_batch(&server->receiver);
    replace_allow_list(server, fresh);
    dismiss_unwelcome(&server->receiver.sessions, server->listeners, server->config->allow_list);
    bool all_open = change_listeners(server, &err);
    storage_limit(&server->storage, -1);
    storage_renew(&server->storage);
    storage_note_trouble(&server->storage, all_open ? NULL : &err);
}

// ---- a turn of the loop -------------------------------------------------------------------------

// With a batch there is nothing to do before the database may be tried again; messages that come
// end the wait.
static long wait_ms(const struct server *server)
{
    if (server->halt.reload)
        return 0;
    if (receiver_has_batch(&server->receiver))
        return (long)storage_wait_ms(&server->storage);
    return receiver_has_ahead(&server->receiver) ? 0 : IDLE_MS;
}

// Takes a signal when there is one, so that it is heard before the messages of its turn. False when
// nothing can be waited for any more.
static bool wait_for_input(struct server *server)
{
    // Sockets that nobody reads would end each wait at once.
    bool reads = receiver_has_room(&server->receiver);
    zmq_pollitem_t items[1 + 2 * LISTENERS_MAX] = {{.fd = server->signals, .events = ZMQ_POLLIN}};
    size_t count = 1 + listeners_items(server->listeners, reads, items + 1);
    if (zmq_poll(items, (int)count, wait_ms(server)) < 0 && errno != EINTR) {
        struct error err;
        fail(&err, REACT_STOP, "cannot wait for messages: %s", zmq_strerror(zmq_errno()));
        halt_for(&server->halt, &err);
        return false;
    }
    if (items[0].revents & ZMQ_POLLIN)
        storage_limit(&server->storage, take_signal(server));
    return true;
}

// Without its handler no new connection is let in, and the old ones would hide that for long.
static void check_zap(struct server *server)
{
    struct error err;
    if (zap_is_alive(server->zap))
        return;
    fail(&err, REACT_STOP, "the authentication handler has ended");
    halt_for(&server->halt, &err);
}

// A batch that is under way when the store is told to stop is committed all the same: its
// collectors wait for the answer. A reload comes behind the commit, so that it has little to drop.
static void turn(struct server *server)
{
    if (!wait_for_input(server))
        return;
    listeners_log_handshakes(server->listeners);
    receiver_take(&server->receiver);
    storage_tend(&server->storage);
    receiver_commit(&server->receiver);
    if (server->halt.reload && !server->halt.stopping)
        reload(server);
    check_zap(server);
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

// Says what each piece borrows. The server does not move from here on.
static void wire_up(struct server *server)
{
    server->storage = (struct storage){.config = server->config,
                                       .halt = &server->halt,
                                       .signals = {server->signals, take_signal, server}};
    server->receiver = (struct receiver){.config = server->config,
                                         .listeners = server->listeners,
                                         .storage = &server->storage,
                                         .halt = &server->halt};
    receiver_share_memory(&server->receiver);
}

// ZAP before the listeners: until its handler runs, nobody may come in (R27).
static bool open_all(struct server *server, struct error *err)
{
    if (!open_signals(server, err))
        return false;
    server->context = zmq_ctx_new();
    server->listeners = listeners_new(server->context);
    wire_up(server);
    if (!listeners_prepare(server->listeners, server->config, err))
        return false;
    warn_of_nobody(server->config->allow_list);
    // A wrong schema is a matter for a person, and is seen before anyone may connect. A database
    // that does not answer yet is waited for like one that went away.
    if (!storage_ready(&server->storage) && server->halt.fatal.react == REACT_STOP) {
        *err = server->halt.fatal;
        return false;
    }
    return zap_start(server->context, server->config->allow_list, &server->zap, err) &&
           listeners_change(server->listeners, err);
}

// Sockets before the context, or zmq_ctx_term waits for ever; it waits a little for the last
// answers to leave.
static void close_all(struct server *server)
{
    listeners_free(server->listeners);
    zap_stop(server->zap);
    storage_close(&server->storage);
    if (server->context != NULL)
        zmq_ctx_term(server->context);
    receiver_reset(&server->receiver);
    if (server->signals >= 0)
        close(server->signals);
}

// What must be closed is closed on every way out, so open_all may stop anywhere. Before that all
// who are connected are told, also when the loop ended by itself.
bool server_run(struct store_config *config, const char *config_path, struct error *err)
{
    struct server server = {.config = config, .config_path = config_path, .signals = -1};
    bool good = open_all(&server, err);
    while (good && !server.halt.stopping)
        turn(&server);
    dismiss_all(&server.receiver.sessions, server.listeners, NULL);
    if (server.halt.fatal.react == REACT_STOP) {
        *err = server.halt.fatal;
        good = false;
    }
    close_all(&server);
    return good;
}
