#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/memory.h"

// The spool's SQLite file, without knowing what an event is: opening, durability, statements.
// A full disk is RETRY; everything else that SQLite reports, a failed fsync above all, is STOP,
// because nothing that it says afterwards can be relied on.

#define SPOOL_PAGE_BYTES 16384
#define SPOOL_PAGE_TEXT "16384"

// Opens or creates (mode 0600) the file with WAL, synchronous=FULL and an exclusive lock, and makes
// its tables. STOP when another process holds it. The caller closes with spool_file_close.
bool spool_file_open(const char *path, sqlite3 **out, struct error *err) WARN_UNUSED;
void spool_file_close(sqlite3 *db);

// Fills err from the connection's last failure, with what was being done, and returns false.
bool spool_file_fail(sqlite3 *db, const char *doing, struct error *err);

// Runs SQL text and drops rows.
bool spool_file_execute(sqlite3 *db, const char *sql, struct error *err) WARN_UNUSED;

// Prepares one statement; the caller frees with sqlite3_finalize.
bool spool_file_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out,
                        struct error *err) WARN_UNUSED;

// Runs a bound statement that gives no rows, and resets it.
bool spool_file_run(sqlite3_stmt *statement, struct error *err) WARN_UNUSED;

// Steps to the next row: *row tells whether there is one. Resets the statement when there is none.
bool spool_file_row(sqlite3_stmt *statement, bool *row, struct error *err) WARN_UNUSED;

static inline void spool_statement_free(sqlite3_stmt *statement)
{
    sqlite3_finalize(statement);
}
DEFINE_CLEANUP(sqlite3_stmt, spool_statement_free)

// Resets a borrowed statement when it leaves the scope, so that early returns leave no read open.
static inline void spool_statement_reset(sqlite3_stmt *statement)
{
    if (statement != NULL)
        sqlite3_reset(statement);
}
DEFINE_CLEANUP(sqlite3_stmt, spool_statement_reset)
