#pragma once

#include <stddef.h>

#include "common/error.h"

#define RESOLVED_ADDRESSES 8
#define RESOLVED_TEXT 64 // a numeric address, with the scope of a link-local one

struct resolved {
    size_t count;
    char addresses[RESOLVED_ADDRESSES][RESOLVED_TEXT];
};

// Looks a host name up and gives its numeric addresses in the resolver's order, at most
// RESOLVED_ADDRESSES of them. Fails with RETRY when there is no answer within timeout_ms.
bool resolve_host(const char *name, int timeout_ms, struct resolved *out,
                  struct error *err) WARN_UNUSED;

// True for an address that needs no look-up.
bool resolve_is_numeric(const char *name);
