#pragma once

#include "common/database.h"

// A transaction that holds the log's writer lock: one writer at a time (docs/architecture.md).

// Begins it with the settings that every writer uses and takes the lock; timeouts of 0 mean none.
// Milliseconds.
bool batch_transaction_begin(struct database *db, int statement_timeout_ms,
                             struct error *err) WARN_UNUSED;

// Commits. After a failure the outcome is open: only the marks tell, read under their lock in a
// new transaction.
bool batch_transaction_commit(struct database *db, struct error *err) WARN_UNUSED;

// Gives everything up. Says nothing: the server does the same when the connection is gone.
void batch_transaction_abandon(struct database *db);
