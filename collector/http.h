#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

#include "collector/http_body.h"
#include "collector/kubeconfig.h"
#include "common/error.h"

// Many GET requests at once to one API server, over libcurl, within the collector's zmq_poll.
// Bodies are handed on piece by piece; a handler that takes less than offered pauses its transfer,
// so what is not yet wanted stays in the socket.

struct http_client;
struct http_transfer;

struct http_result {
    long status;           // 0 when no answer came
    int64_t retry_after_s; // 0 when the server asked for nothing
    bool complete;         // the answer ended as it should
    const char *problem;   // what broke the transfer; "" otherwise
    const char *body;      // collected body; "" when it was handed on
    size_t body_length;
};

struct http_handler {
    // Takes bytes of a 200 answer and returns how many were used; NULL: the body is collected.
    // Bodies of other answers are always collected.
    size_t (*body)(void *context, const char *bytes, size_t length);
    // Called once, when all bytes were taken; the transfer is gone afterwards.
    void (*done)(void *context, const struct http_result *result);
};

struct http_request {
    const char *path;        // with query
    bool gzip;               // the answer may be compressed
    bool quiet;              // long silence is no fault (a watch)
    uint64_t max_body_bytes; // after decompression; 0 = no bound
    const struct http_handler *handler;
    void *context;
};

// The client borrows config, which must outlive it. The caller closes it.
bool http_client_open(struct kubeconfig *config, struct http_client **out,
                      struct error *err) WARN_UNUSED;
void http_client_close(struct http_client *client);
DEFINE_CLEANUP(struct http_client, http_client_close)

// Starts a request. The transfer belongs to the client until its done handler was called.
struct http_transfer *http_get(struct http_client *client, const struct http_request *request);

// Ends a transfer without calling its handler again. Not from within a body handler.
void http_cancel(struct http_transfer *transfer);

// When the answer's first line arrived (wall clock), or TIMESTAMP_NONE.
int64_t http_head_at(const struct http_transfer *transfer);

// The wall clock was set: moves that instant.
void http_clock_set(struct http_transfer *transfer, int64_t by_us);

// The answer's status so far; 0 before its first line.
long http_status(const struct http_transfer *transfer);

// True while the transfer waits for its body handler.
bool http_is_paused(const struct http_transfer *transfer);

// True while any transfer waits for its body handler.
bool http_has_paused(const struct http_client *client);

// As in struct source_class.
size_t http_descriptors(struct http_client *client, zmq_pollitem_t *items, size_t capacity);
long http_timeout_ms(struct http_client *client);

// Reads, writes and ends what is ready; calls handlers.
void http_step(struct http_client *client, const zmq_pollitem_t *ready, size_t count);

// Offers paused bodies to their handlers again.
void http_resume(struct http_client *client);
