#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

// The write-ahead log beside the spool's file, and the room that both need on the disk. Every
// transaction first gets room in the file for what it adds, so that the log can always be written
// back; and the log's own file keeps its length meanwhile, so that after a write-back a small
// transaction fits. Thus a full disk can refuse events, but not the deletion that makes room
// for them.

struct spool_wal {
    sqlite3 *db; // borrowed
    sqlite3_stmt *page_count;
    int64_t file_bytes; // the file is known to have
    int pages;          // in the log since it was last written back
};

// Takes over the log of an open file, at the caller's address until the close, and writes back what
// the last run left in it: what a kill left unsynced is durable before anybody reads it.
bool spool_wal_open(struct spool_wal *wal, sqlite3 *db, struct error *err) WARN_UNUSED;
void spool_wal_close(struct spool_wal *wal);

// Before a COMMIT: gets room in the file for the open transaction. RETRY when the disk is full.
bool spool_wal_reserve(struct spool_wal *wal, struct error *err) WARN_UNUSED;

// True when the log is long enough to be worth writing back.
bool spool_wal_is_long(const struct spool_wal *wal);

// Outside of transactions: syncs the log and writes it back into the file; the next transaction
// begins the log anew. RETRY when the disk is full, STOP when it fails.
bool spool_wal_write_back(struct spool_wal *wal, struct error *err) WARN_UNUSED;
