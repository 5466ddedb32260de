#pragma once

// What the files of the server share (webhook*.c): the thread's and what both sides touch.

#include <microhttpd.h>
#include <pthread.h>

#include "collector/webhook.h"

#define WEBHOOK_ROUTES 4
#define WEBHOOK_GENERATIONS 4 // daemons: the newest, and older ones whose callers are not done

// What callers are refused for.
enum refusal { REFUSAL_BAD, REFUSAL_LARGE, REFUSAL_STRANGER, REFUSAL_SLOW, REFUSAL_BUSY, REFUSALS };

// Where a request stands. The thread owns it but for TAKEN, and frees what both have let go.
enum request_state {
    REQUEST_BEGUN,
    REQUEST_READING,
    REQUEST_WAITING,  // in the route's queue, its connection suspended
    REQUEST_TAKEN,    // by the reader
    REQUEST_ANSWERED, // the thread has to wake its connection
    REQUEST_REPLYING,
};

struct webhook_request {
    struct webhook *webhook;
    struct webhook_route *route;  // NULL: none has this path
    struct webhook_request *next; // in the route's queue or the server's answers
    struct MHD_Connection *connection;
    struct peer *peer;
    enum request_state state;
    bool held;     // by the reader
    bool finished; // the connection has let go
    int refused;   // status code for what is not even read to its end, 0: none
    struct buffer body;
    struct webhook_reply reply;
    int64_t begun_ms;
    int64_t arrived_ms;
    int64_t replied_ms;
};

// One connection.
struct peer {
    struct peer *next;
    struct generation *generation;
    struct MHD_Connection *connection;
    struct webhook_request *request; // the one that is under way
    int fd;
    int64_t since_ms; // began, or finished its last request
    bool has_served;  // at least one request was good
    bool is_cut;
};

// A daemon with the certificates of one moment.
struct generation {
    struct webhook *webhook;
    struct MHD_Daemon *daemon;
    int epoll_fd;
    int64_t replaced_ms; // 0: it is the newest
};

struct webhook_route {
    struct webhook *webhook;
    struct webhook_route_options options;
    struct buffer token;
    int ready_fd;
    // Under the server's lock:
    struct webhook_request *first;
    struct webhook_request *last;
    bool refuses;
    struct webhook_loss loss;
    int64_t refusals[REFUSALS];
    int64_t unrecorded;
    int64_t refused_ms; // the last one
    // The thread's own, for the log:
    int64_t told;
    int64_t told_ms;
};

// What a set of files was when it was read.
struct file_stamps {
    struct {
        int64_t changed_ns;
        int64_t size;
        int64_t inode;
    } files[3 + WEBHOOK_ROUTES];
};

struct webhook {
    struct webhook_options options; // its strings are our own
    int listen_fd;
    int wake_fd;
    pthread_t thread;
    bool started;
    struct webhook_route routes[WEBHOOK_ROUTES];
    size_t route_count;
    // The thread's own:
    struct generation *generations[WEBHOOK_GENERATIONS]; // [0] is the newest
    struct peer *peers;
    size_t peer_count;
    size_t body_bytes; // of all requests that are here
    struct file_stamps stamps;
    int64_t stamped_ms;
    int64_t swept_ms;
    bool is_short;          // of descriptors: the next sweep tries to accept again
    char trouble[256];      // why the files were not reread, as logged last
    char daemon_words[256]; // what libmicrohttpd said last
    // Both sides':
    pthread_mutex_t lock;
    struct webhook_request *answers;
    bool stops;
    bool rereads;
};

// webhook_exchange.c: what libmicrohttpd calls.
void *webhook_request_begin(void *server, const char *uri, struct MHD_Connection *connection);
enum MHD_Result webhook_request_feed(void *server, struct MHD_Connection *connection,
                                     const char *url, const char *method, const char *version,
                                     const char *bytes, size_t *length, void **context);
void webhook_request_end(void *server, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode how);
// Gives up on a request that waits: it is answered as not recorded. Under the lock.
void webhook_request_give_up(struct webhook_request *request);
// Gives up on a request that would keep its daemon from ending.
void webhook_request_drop(struct webhook_request *request);
// Wakes the connections whose answers have come.
void webhook_send_answers(struct webhook *webhook);

// webhook.c: wakes the thread.
void webhook_wake(struct webhook *webhook);

// webhook_route.c: counters. The lock must not be held.
void webhook_count_refusal(struct webhook_route *route, enum refusal refusal);
void webhook_route_log(struct webhook_route *route, int64_t now, bool ends);
void webhook_count_loss(struct webhook_route *route);
// The same under the lock.
void webhook_note_loss(struct webhook_route *route);
// Puts a whole request into its route's queue, and its connection to sleep; false when nothing is
// taken now.
bool webhook_queue(struct webhook_request *request);

// webhook_peer.c: connections.
void webhook_peer_notify(void *generation, struct MHD_Connection *connection, void **context,
                         enum MHD_ConnectionNotificationCode what);
void webhook_accept(struct webhook *webhook);
bool webhook_may_accept(const struct webhook *webhook);
// Cuts and gives up whatever has had its time; called a few times a second.
void webhook_sweep(struct webhook *webhook, int64_t now);

// webhook_tls.c: daemons and the files that they are made from.
bool webhook_generation_open(struct webhook *webhook, struct error *err) WARN_UNUSED;
void webhook_generation_close(struct webhook *webhook, size_t index);
// Reads the files anew when they changed, or when told to.
void webhook_files_check(struct webhook *webhook, bool told, int64_t now);
// True when the client has shown a certificate of our CA.
bool webhook_is_verified(struct MHD_Connection *connection);
// Remembers what the files are, before they are read.
void webhook_files_stamp(struct webhook *webhook);
bool webhook_read_token(struct webhook_route *route, struct error *err) WARN_UNUSED;
