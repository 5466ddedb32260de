#pragma once

#include <libpq-fe.h>

#include "common/database_wait.h"
#include "common/error.h"

// What the connection is for: writing asks for target_session_attrs=read-write where the conninfo
// says nothing else, reading for libpq's default.
enum database_use { DATABASE_READS, DATABASE_WRITES };

// Connects to the first server of the conninfo ("" = PG* variables and service files) that suits
// its target_session_attrs, within timeout_ms for all of them: a server that does not answer costs
// its share of what is left, and no more than connect_timeout. Host names are looked up within the
// same time. UTC and UTF-8 are settled, for all who read instants and texts back as strings. STOP
// when trying again would help with none of the servers, else RETRY. `wait` has its watch, and
// keeps the limit that this may have set. The caller ends *out with PQfinish.
bool database_connect(const char *conninfo, const char *application, enum database_use use,
                      int timeout_ms, struct database_wait *wait, PGconn **out,
                      struct error *err) WARN_UNUSED;
