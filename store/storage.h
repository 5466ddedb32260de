#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/database.h"
#include "store/config.h"
#include "store/halt.h"

// The store's one connection to PostgreSQL: opened anew when it is lost, with longer and longer
// pauses, and nobody waits for it. What is read and written through it is for others to know.

// The owner sets the first group; else zeroed storage is a connection that was not opened yet.
struct storage {
    const struct store_config *config; // the conninfo, and the allow-list that must be in the log
    struct halt *halt;
    struct database_watch signals; // heard also while the database answers nothing

    struct database *db; // borrow it after storage_ready; NULL while it is away
    int64_t retry_at_ms; // not before this is it tried again
    int backoff_ms;      // the last pause; 0 while all is well
    int64_t partitions_at_ms;
    int64_t alive_at_ms;
    struct error trouble; // what a person must mend; text "" while all is well
};

// True when the database may be asked. Opens the connection when there is none and it is time to
// try; goes without, at once, when it is not, or when the store is stopping.
bool storage_ready(struct storage *storage);

// What every failed call is answered with: gives the connection up, and by the error's reaction
// either pauses or stops the store.
void storage_failed(struct storage *storage, const struct error *err);

// Notes that a batch went through, so the next trouble is met with the shortest pause.
void storage_worked(struct storage *storage);

// Replaces the connection by a fresh one, for which certificates, passwords and conninfo are read
// again. When that cannot be had, one that works is kept.
void storage_renew(struct storage *storage);

// Bounds what the calls under way may still take (database_limit); -1 takes the bound away.
void storage_limit(struct storage *storage, int ms);

// How many ms until a lost connection may be tried again; 0: now.
int64_t storage_wait_ms(const struct storage *storage);

// Does what is due by the clock alone: makes partitions ahead of the log, and says that this store
// lives. To be called each turn.
void storage_tend(struct storage *storage);

// Tells the database what a person must mend at this store, and again each time that it says that
// it lives; NULL: it is mended. A database that is away hears of it when it is back.
void storage_note_trouble(struct storage *storage, const struct error *trouble);

// Notes that the store has ended in order, where that can be said, and closes the connection.
void storage_close(struct storage *storage);
