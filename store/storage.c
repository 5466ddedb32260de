// Opening, losing and opening anew, and the two chores that only need a connection and a clock. The
// reaction of an error (common/error.h) decides what follows, here for all who use the connection.

#include "store/storage.h"

#include <stdio.h>

#include "common/log.h"
#include "common/timestamp.h"
#include "store/apply.h"
#include "store/batch.h"
#include "store/migrate.h"
#include "store/trouble.h"

// Milliseconds. Thirty seconds are long for a batch, and a connection that needs more is better
// opened anew; waits between tries double from the least to the most.
#define DATABASE_TIMEOUT_MS 30000
#define BACKOFF_LEAST_MS 200
#define BACKOFF_MOST_MS 10000
// Besides the check of each batch (batch_log.c), so that an idle log is prepared as well.
#define PARTITION_INTERVAL_MS 600000
// How often the database is told that a store lives, so that whoever finds all collectors silent
// knows whether it is they.
#define ALIVE_INTERVAL_MS 10000

// ---- the connection -----------------------------------------------------------------------------

static void drop_connection(struct storage *storage)
{
    database_close(storage->db);
    storage->db = NULL;
}

// Pauses grow until a connection or a batch works, so a database that comes and goes is not waited
// for ever longer.
static void back_off(struct storage *storage, const struct error *err)
{
    storage->backoff_ms = storage->backoff_ms ? storage->backoff_ms * 2 : BACKOFF_LEAST_MS;
    if (storage->backoff_ms > BACKOFF_MOST_MS)
        storage->backoff_ms = BACKOFF_MOST_MS;
    storage->retry_at_ms = monotonic_ms() + storage->backoff_ms;
    char wait[24];
    snprintf(wait, sizeof(wait), "%d", storage->backoff_ms);
    log_line(LOG_WARN, "database trouble, trying again", "error", err->text, "wait_ms", wait, NULL);
}

// The connection is given up in any case: the transaction is lost, and a new session is the one
// clean beginning.
void storage_failed(struct storage *storage, const struct error *err)
{
    drop_connection(storage);
    if (err->react == REACT_STOP)
        halt_for(storage->halt, err);
    else
        back_off(storage, err);
}

void storage_worked(struct storage *storage)
{
    storage->backoff_ms = 0;
}

// The schema and the log's allow-list are looked at on every new connection: the server behind the
// name may be another one than before.
static bool open_connection(struct storage *storage, struct database **out, struct error *err)
{
    const struct store_config *config = storage->config;
    SCOPED(database_close) struct database *db = NULL;
    if (!database_open_watched(config->database, "modeltrail-store", DATABASE_WRITES,
                               DATABASE_TIMEOUT_MS, &storage->signals, &db, err) ||
        !migrate_check(db, err) || !allow_list_log(db, config->allow_list, err))
        return false;
    *out = db;
    db = NULL;
    return true;
}

// A store that ends opens no connection any more, since that may take as long as a batch.
bool storage_ready(struct storage *storage)
{
    if (database_is_usable(storage->db))
        return true;
    if (storage->halt->stopping || monotonic_ms() < storage->retry_at_ms)
        return false;
    struct error err;
    drop_connection(storage);
    if (!open_connection(storage, &storage->db, &err)) {
        storage_failed(storage, &err);
        return false;
    }
    storage->backoff_ms = 0;
    log_line(LOG_INFO, "database connected", NULL);
    return true;
}

// libpq reads certificates and passwords when it connects, and what they are now may be wrong: a
// connection that works is worth more than one that is only new. But the fresh allow-list must be
// in the log before an event that it let in, so the old one has to take it.
void storage_renew(struct storage *storage)
{
    struct error err;
    struct database *fresh;
    if (open_connection(storage, &fresh, &err)) {
        drop_connection(storage);
        storage->db = fresh;
        storage->backoff_ms = 0;
        return;
    }
    if (database_is_usable(storage->db)) {
        log_line(LOG_ERROR, "database connection not renewed, the old one stays", "error", err.text,
                 NULL);
        if (allow_list_log(storage->db, storage->config->allow_list, &err))
            return;
    }
    storage_failed(storage, &err);
}

// Without a connection nothing is under way.
void storage_limit(struct storage *storage, int ms)
{
    if (storage->db != NULL)
        database_limit(storage->db, ms);
}

int64_t storage_wait_ms(const struct storage *storage)
{
    int64_t left = storage->retry_at_ms - monotonic_ms();
    return left > 0 ? left : 0;
}

// ---- chores -------------------------------------------------------------------------------------

// Cheap when there is nothing to make, so no state is kept of what was made.
static void make_partitions(struct storage *storage)
{
    int64_t now = monotonic_ms();
    if (storage->halt->stopping || now < storage->partitions_at_ms || !storage_ready(storage))
        return;
    struct error err;
    if (!database_execute(storage->db, "SELECT modeltrail.ensure_partitions()", &err))
        storage_failed(storage, &err);
    else
        storage->partitions_at_ms = now + PARTITION_INTERVAL_MS;
}

// That all is well is told too: what was noted may be of a run before this one.
static bool tell_trouble(struct storage *storage, struct error *err)
{
    char store[STORE_NAME_BYTES];
    const char *text = storage->trouble.text;
    trouble_name_store(storage->config->listen[0].endpoint, store);
    return trouble_note(storage->db, store, text[0] != '\0' ? text : NULL, err);
}

// The interval begins when it was said, so what a lost connection swallowed is said again at once.
static void say_alive(struct storage *storage)
{
    int64_t now = monotonic_ms();
    if (now < storage->alive_at_ms || !storage_ready(storage))
        return;
    struct error err;
    if (!mark_touch_own(storage->db, NULL, &err) || !tell_trouble(storage, &err))
        storage_failed(storage, &err);
    else
        storage->alive_at_ms = now + ALIVE_INTERVAL_MS;
}

void storage_note_trouble(struct storage *storage, const struct error *trouble)
{
    storage->trouble = trouble != NULL ? *trouble : (struct error){0};
    storage->alive_at_ms = 0;
    say_alive(storage);
}

void storage_tend(struct storage *storage)
{
    make_partitions(storage);
    say_alive(storage);
}

// A store that is killed cannot say it: then its last sign of life stands.
static void say_stopped(struct storage *storage)
{
    struct error err;
    if (database_is_usable(storage->db) && !mark_touch_own(storage->db, TROUBLE_STOPPED, &err))
        log_line(LOG_WARN, "the end of this store is not noted", "error", err.text, NULL);
}

void storage_close(struct storage *storage)
{
    say_stopped(storage);
    drop_connection(storage);
}
