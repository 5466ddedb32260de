// When the log is written back, and that there is room for it. SQLite does the work; it would do it
// by itself as well, but would say nothing of a disk that fails meanwhile.

#include "collector/spool_wal.h"

#include <errno.h>
#include <string.h>

#include "collector/spool_file.h"

#define LONG_PAGES 1000 // 16 MB
#define LOG_MAX_BYTES "33554432"
#define CHUNK_BYTES (16 * 16384) // the file grows by

static int note_pages(void *context, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    struct spool_wal *wal = context;
    wal->pages = pages;
    return SQLITE_OK;
}

bool spool_wal_open(struct spool_wal *wal, sqlite3 *db, struct error *err)
{
    *wal = (struct spool_wal){.db = db};
    int chunk = CHUNK_BYTES;
    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_CHUNK_SIZE, &chunk) != SQLITE_OK)
        return spool_file_fail(db, "open", err);
    sqlite3_wal_hook(db, note_pages, wal);
    if (!spool_file_execute(db, "PRAGMA journal_size_limit = " LOG_MAX_BYTES, err) ||
        !spool_file_prepare(db, "PRAGMA page_count", &wal->page_count, err))
        return false;
    // On a full disk the log is synced at least.
    return spool_wal_write_back(wal, err) || err->react == REACT_RETRY;
}

void spool_wal_close(struct spool_wal *wal)
{
    sqlite3_finalize(wal->page_count);
}

// The call tells little of why; a disk that is not full but broken is in the last errno.
static bool cannot_grow(const struct spool_wal *wal, struct error *err)
{
    int number = 0;
    sqlite3_file_control(wal->db, "main", SQLITE_FCNTL_LAST_ERRNO, &number);
    bool is_full = number == 0 || number == ENOSPC;
    return fail(err, is_full ? REACT_RETRY : REACT_STOP, "spool %s cannot grow: %s",
                sqlite3_db_filename(wal->db, "main"),
                is_full ? "its disk is full; hint: make room there" : strerror(number));
}

bool spool_wal_reserve(struct spool_wal *wal, struct error *err)
{
    SCOPED(spool_statement_reset) sqlite3_stmt *page_count = wal->page_count;
    bool row;
    if (!spool_file_row(page_count, &row, err))
        return false;
    sqlite3_int64 bytes = row ? sqlite3_column_int64(page_count, 0) * SPOOL_PAGE_BYTES : 0;
    if (bytes <= wal->file_bytes)
        return true;
    if (sqlite3_file_control(wal->db, "main", SQLITE_FCNTL_SIZE_HINT, &bytes) != SQLITE_OK)
        return cannot_grow(wal, err);
    wal->file_bytes = (bytes + CHUNK_BYTES - 1) / CHUNK_BYTES * CHUNK_BYTES;
    return true;
}

bool spool_wal_is_long(const struct spool_wal *wal)
{
    return wal->pages >= LONG_PAGES;
}

bool spool_wal_write_back(struct spool_wal *wal, struct error *err)
{
    wal->file_bytes = 0; // deleted pages at its end are cut off
    wal->pages = 0;
    if (sqlite3_wal_checkpoint_v2(wal->db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) !=
        SQLITE_OK)
        return spool_file_fail(wal->db, "write back", err);
    return true;
}
