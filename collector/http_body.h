#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"

// The body of an answer on its way to whoever wants it: decompressed, handed on piece by piece, and
// kept here while no more of it is wanted.

#define HTTP_ABORT SIZE_MAX                          // a body handler gives the transfer up
#define HTTP_COLLECT_MAX_BYTES ((size_t)1024 * 1024) // of bodies that are kept whole

struct z_stream_s; // zlib's z_stream

// In the caller's storage, who sets what stands first.
struct http_body {
    // Takes bytes and returns how many were used, or HTTP_ABORT; NULL: the body is collected.
    size_t (*take)(void *context, const char *bytes, size_t length);
    void *context;
    uint64_t max_bytes; // decompressed; 0: no bound
    bool is_collected;  // whatever `take` is: the answer is no success
    bool is_gzip;

    uint64_t handed_bytes;
    const char *problem; // why it was given up; NULL: it was not
    struct buffer raw;   // received and not yet handed on
    size_t raw_used;
    struct buffer plain; // decompressed and not yet handed on
    size_t plain_used;
    struct z_stream_s *inflater;
    struct buffer collected;
};

void http_body_reset(struct http_body *body);

// Takes the next bytes, once nothing waits of the ones before (http_body_has_rest). False when the
// body is given up.
bool http_body_add(struct http_body *body, const char *bytes, size_t length);

// True while something waits to be taken.
bool http_body_has_rest(const struct http_body *body);

// Offers the rest again; *blocked when some of it has to stay. False when the body is given up.
bool http_body_offer(struct http_body *body, bool *blocked);
