#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/database_connect.h"
#include "common/database_wait.h"
#include "common/error.h"
#include "common/memory.h"

// libpq with deadlines and reactions. Knows nothing of models: SQL text belongs to the rooms.
// SQLSTATE decides the reaction (docs/architecture.md): 22, 54 REJECT; 23, 42, 0A, XX, 28000, 3D
// STOP; all else RETRY.

struct database;

// Connects to one of the servers of the conninfo (database_connect.h). Sets application_name,
// client_encoding UTF8 and timezone UTC. The caller closes with database_close.
bool database_open(const char *conninfo, const char *application, enum database_use use,
                   int timeout_ms, struct database **out, struct error *err) WARN_UNUSED;
void database_close(struct database *db);
DEFINE_CLEANUP(struct database, database_close)

// The same as database_open, with the watch from its first wait on.
bool database_open_watched(const char *conninfo, const char *application, enum database_use use,
                           int timeout_ms, const struct database_watch *watch,
                           struct database **out, struct error *err) WARN_UNUSED;

// How many ms all calls together may still take from now on; -1 takes an earlier such limit away.
// What is not done by then fails with RETRY, like a call that took too long.
void database_limit(struct database *db, int ms);

// Bounds every following call: one that takes longer fails with RETRY, and the connection is
// given up. 0 = no bound. No cancel request is sent; statement_timeout, which writers set, ends the
// work on the server.
void database_set_timeout(struct database *db, int timeout_ms);

// Sets the work for the time in which calls wait, and returns what it was before, so that the
// caller can set it again.
struct database_idle database_set_idle(struct database *db, struct database_idle idle);

// False once the connection is lost: close and open anew.
bool database_is_usable(const struct database *db);

// Runs SQL text, several statements allowed, results dropped.
bool database_execute(struct database *db, const char *sql, struct error *err) WARN_UNUSED;

// Runs one statement with text parameters (NULL = SQL NULL). *out (may be NULL) receives the
// result; the caller clears it with PQclear.
bool database_query(struct database *db, const char *sql, int count, const char *const params[],
                    PGresult **out, struct error *err) WARN_UNUSED;

// The same with a length and a format (0 text, 1 binary) for each parameter, as libpq wants them.
bool database_query_formats(struct database *db, const char *sql, int count,
                            const char *const params[], const int lengths[], const int formats[],
                            PGresult **out, struct error *err) WARN_UNUSED;

// COPY ... FROM STDIN: begin, send any number of pieces, end. After a failure the transaction is
// lost.
bool database_copy_begin(struct database *db, const char *sql, struct error *err) WARN_UNUSED;
bool database_copy_send(struct database *db, const char *bytes, size_t length,
                        struct error *err) WARN_UNUSED;
bool database_copy_end(struct database *db, int64_t *rows, struct error *err) WARN_UNUSED;

DEFINE_CLEANUP(PGresult, PQclear)
