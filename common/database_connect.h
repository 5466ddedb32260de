#pragma once

#include <libpq-fe.h>
#include <stdint.h>

#include "common/error.h"

// What the connection is for: writing asks for target_session_attrs=read-write where the conninfo
// says nothing else, reading for libpq's default.
enum database_use { DATABASE_READS, DATABASE_WRITES };

// A descriptor that every wait of a connection looks at as well, so that a signal is heard while
// the server is silent. When it is readable `ready` is called once: how many ms all calls together
// may still take from then on, or -1 for as long as before. fd -1: none.
struct database_watch {
    int fd;
    int (*ready)(void *context);
    void *context;
};

// Connects to the first server of the conninfo ("" = PG* variables and service files) that suits
// its target_session_attrs, within timeout_ms for all of them: a server that does not answer costs
// its share of what is left, and no more than connect_timeout. Host names are looked up within the
// same time. UTC and UTF-8 are settled, for all who read instants and texts back as strings. STOP
// when trying again would help with none of the servers, else RETRY. The caller ends *out with
// PQfinish. *limit_ms is when the watch said that all must be over, on the monotonic clock; 0: it
// did not.
bool database_connect(const char *conninfo, const char *application, enum database_use use,
                      int timeout_ms, const struct database_watch *watch, PGconn **out,
                      int64_t *limit_ms, struct error *err) WARN_UNUSED;
