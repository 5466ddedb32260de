// The frame of every writing transaction.
// Limits on the server stand beside our own deadlines: a writer that vanished without closing its
// connection must not hold the writer lock for long.

#include "store/batch_transaction.h"

// DateStyle and time zone: belief_load.c reads instants in this form. The planner settings: keys
// come as arrays of a few thousand, and only an index probe for each costs the same whatever the
// statistics of a fast-growing table say.
static const char settings[] = "SET LOCAL synchronous_commit = on;"
                               "SET LOCAL lock_timeout = '30s';"
                               "SET LOCAL idle_in_transaction_session_timeout = '60s';"
                               "SET LOCAL timezone = 'UTC';"
                               "SET LOCAL datestyle = 'ISO, YMD';"
                               "SET LOCAL enable_hashjoin = off;"
                               "SET LOCAL enable_mergejoin = off;"
                               "SET LOCAL enable_material = off;"
                               "SET LOCAL enable_seqscan = off;"
                               "SET LOCAL jit = off;"
                               "SELECT FROM modeltrail.writer_lock WHERE log = 1 FOR UPDATE";

// READ COMMITTED: each statement after the lock sees what the writer before us committed; with one
// snapshot for all, the lock would be waited for in vain.
bool batch_transaction_begin(struct database *db, int statement_timeout_ms, struct error *err)
{
    SCOPED(xfree_char)
    char *sql = xasprintf("BEGIN ISOLATION LEVEL READ COMMITTED;"
                          "SET LOCAL statement_timeout = %d;%s",
                          statement_timeout_ms, settings);
    return database_execute(db, sql, err) || fail_in(err, "cannot take the writer lock");
}

bool batch_transaction_commit(struct database *db, struct error *err)
{
    return database_execute(db, "COMMIT", err) || fail_in(err, "commit");
}

void batch_transaction_abandon(struct database *db)
{
    struct error err;
    // A ROLLBACK that fails marks the connection as lost, which the next call sees.
    if (database_is_usable(db) && !database_execute(db, "ROLLBACK", &err))
        return;
}
