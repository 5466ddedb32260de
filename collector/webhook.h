#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/error.h"
#include "common/memory.h"

// An HTTPS server for callers that want to know that what they sent is durable. A thread of its own
// speaks HTTP and hands whole bodies to a route's queue; who reads that queue answers each of them
// after its commit, so that many wait for one. A caller that waited too long is answered without:
// the thread is never held up by a disk that is slow.

struct webhook;
struct webhook_route;
struct webhook_request;

struct webhook_options {
    const char *listen; // "ADDRESS:PORT", "[ADDRESS]:PORT"
    const char *tls_cert;
    const char *tls_key;
    const char *client_ca; // NULL: clients need no certificate
};

// What a caller is told.
struct webhook_reply {
    int code;
    struct buffer body; // "" : the code says it all
};

// What is served below one path. Strings are borrowed for the server's life.
struct webhook_route_options {
    const char *path; // "/admission"
    size_t body_max_bytes;
    int64_t patience_ms;    // how long a whole request may wait for its answer
    bool wants_certificate; // of a client, signed by client_ca
    const char *token_file; // NULL: no bearer token is asked for
    // Fills the answer to a request that nobody recorded. Called in the server's thread.
    void (*unrecorded)(const char *body, size_t length, struct webhook_reply *reply);
};

// Requests that were answered, or cut off, without having been recorded, since the last
// webhook_take.
struct webhook_loss {
    int64_t count;
    int64_t first_ms; // monotonic
    int64_t last_ms;
};

// Binds the address and loads the certificate. STOP names what cannot be used. The caller closes it
// with webhook_close.
bool webhook_open(const struct webhook_options *options, struct webhook **out,
                  struct error *err) WARN_UNUSED;

// True when the server is the one that these options ask for; STOP in err when it listens there
// with others.
bool webhook_is_for(const struct webhook *webhook, const struct webhook_options *options,
                    bool *same, struct error *err) WARN_UNUSED;

// Asks clients of a server that was opened without for certificates of this CA; NULL asks for
// nothing. STOP when the file cannot be used or the server has another one. Before the start.
bool webhook_want_clients(struct webhook *webhook, const char *client_ca,
                          struct error *err) WARN_UNUSED;

// Adds a route before the start; it lives as long as the server. STOP when the path is taken, or
// the token file cannot be read.
bool webhook_add_route(struct webhook *webhook, const struct webhook_route_options *options,
                       struct webhook_route **out, struct error *err) WARN_UNUSED;

// Begins to answer.
bool webhook_start(struct webhook *webhook, struct error *err) WARN_UNUSED;

// Reads certificate, key, CA and tokens anew. What cannot be used changes nothing, and is logged.
void webhook_reread(struct webhook *webhook);

// Ends the thread; whoever still waits is told that nothing was recorded.
void webhook_close(struct webhook *webhook);
DEFINE_CLEANUP(struct webhook, webhook_close)

// Readable while requests or losses wait to be taken.
int webhook_route_descriptor(const struct webhook_route *route);

// Hands over the oldest waiting requests, at most so many and about so many bytes, but one whatever
// its size; and what was lost, added to *loss. Each request goes back with webhook_answer.
size_t webhook_take(struct webhook_route *route, struct webhook_request **requests, size_t most,
                    size_t max_bytes, struct webhook_loss *loss);

// The body, borrowed until the answer, and when it was whole (monotonic).
const struct buffer *webhook_body(const struct webhook_request *request);
int64_t webhook_arrived_ms(const struct webhook_request *request);

// Answers with `code` and `body`, which is copied; the request is gone then.
void webhook_answer(struct webhook_request *request, int code, const char *body, size_t length);

// While refusing, requests are answered at once with what `unrecorded` says, and counted as lost.
void webhook_refuse(struct webhook_route *route, bool refuses);

// Appends what callers were refused of late, and why; nothing when nobody was.
void webhook_route_trouble(struct webhook_route *route, struct buffer *out);
