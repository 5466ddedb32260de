// SQLite as a durable file: pragmas, lock, schema and the meaning of its errors. What the tables
// hold is the business of the spool's parts (spool_parts.h) and of outbox.c.

#include "collector/spool_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <unistd.h>

#define SCHEMA_VERSION 1

static const char schema[] =
    // Identity and state, one row. chain: after event next_seq - 1; base: the last event deleted.
    "CREATE TABLE spool ("
    " id INTEGER PRIMARY KEY CHECK (id = 1), collector TEXT NOT NULL, cluster TEXT NOT NULL,"
    " epoch INTEGER NOT NULL, next_seq INTEGER NOT NULL, chain BLOB NOT NULL,"
    " acked INTEGER NOT NULL, base_seq INTEGER NOT NULL, base_chain BLOB NOT NULL);"
    "CREATE TABLE event (seq INTEGER PRIMARY KEY, chain BLOB NOT NULL, line BLOB NOT NULL);"
    // When the spool stood where, now and then: the lower bound of a gap when a store went back.
    "CREATE TABLE milestone (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL);"
    "CREATE TABLE cursor (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE known (scope TEXT, uid TEXT, position INTEGER NOT NULL,"
    " PRIMARY KEY (scope, uid)) WITHOUT ROWID;"
    "PRAGMA user_version = 1;";

// What older programs did not know, and pass over.
static const char additions[] =
    // The clock was set between the events before seq and those behind (collector/clock.h).
    "CREATE TABLE IF NOT EXISTS clock_set (seq INTEGER NOT NULL, by_us INTEGER NOT NULL);";

bool spool_file_fail(sqlite3 *db, const char *doing, struct error *err)
{
    int code = sqlite3_extended_errcode(db);
    enum reaction react = (code & 0xff) == SQLITE_FULL ? REACT_RETRY : REACT_STOP;
    const char *path = sqlite3_db_filename(db, "main");
    if ((code & 0xff) == SQLITE_BUSY)
        return fail(err, REACT_STOP,
                    "spool %s is in use; hint: another modeltrail-collector runs with it", path);
    if ((code & 0xff) == SQLITE_NOTADB)
        return fail(err, REACT_STOP,
                    "spool %s is no spool: file is not a database; hint: name the file that this "
                    "collector made, or a new one",
                    path);
    if (react == REACT_RETRY)
        return fail(err, react, "cannot %s spool %s: its disk is full; hint: make room there",
                    doing, path);
    return fail(err, react, "cannot %s spool %s: %s (SQLite %d)", doing, path, sqlite3_errmsg(db),
                code);
}

bool spool_file_execute(sqlite3 *db, const char *sql, struct error *err)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return spool_file_fail(db, "write", err);
    return true;
}

bool spool_file_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out, struct error *err)
{
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) != SQLITE_OK)
        return spool_file_fail(db, "use", err);
    return true;
}

bool spool_file_row(sqlite3_stmt *statement, bool *row, struct error *err)
{
    int code = sqlite3_step(statement);
    *row = code == SQLITE_ROW;
    if (*row)
        return true;
    bool ended = code == SQLITE_DONE ||
                 spool_file_fail(sqlite3_db_handle(statement),
                                 sqlite3_stmt_readonly(statement) ? "read" : "write", err);
    sqlite3_reset(statement);
    return ended;
}

bool spool_file_run(sqlite3_stmt *statement, struct error *err)
{
    bool row;
    bool done = spool_file_row(statement, &row, err);
    sqlite3_reset(statement);
    return done;
}

// SQLite would create the file readable for others; objects are nobody's business but ours.
// A folder cannot be opened for writing, so errno tells it.
static bool create_private(const char *path, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EISDIR)
        return fail(err, REACT_STOP, "spool %s is a folder; hint: name a file in it", path);
    if (fd < 0)
        return fail(err, REACT_STOP,
                    "cannot open spool %s: %s; hint: its folder must exist and be writable", path,
                    strerror(errno));
    close(fd);
    return true;
}

static bool read_int(sqlite3 *db, const char *sql, int *value, struct error *err)
{
    SCOPED(spool_statement_free) sqlite3_stmt *statement = NULL;
    bool row;
    if (!spool_file_prepare(db, sql, &statement, err) || !spool_file_row(statement, &row, err))
        return false;
    *value = row ? sqlite3_column_int(statement, 0) : 0;
    return true;
}

// A new file, or one whose maker was killed before it had its tables.
static bool make_tables(sqlite3 *db, struct error *err)
{
    // Events are kilobytes: large pages take half the writing of small ones.
    static const char pragmas[] = "PRAGMA page_size = " SPOOL_PAGE_TEXT ";"
                                  "PRAGMA auto_vacuum = INCREMENTAL;"
                                  "PRAGMA journal_mode = WAL;";
    return spool_file_execute(db, pragmas, err) && spool_file_execute(db, "BEGIN", err) &&
           spool_file_execute(db, schema, err) && spool_file_execute(db, additions, err) &&
           spool_file_execute(db, "COMMIT", err);
}

// Nothing is written into a file that has its tables: its disk may be full.
static bool prepare_file(sqlite3 *db, const char *path, struct error *err)
{
    // Exclusive: the lock is taken by the first use and held until the end; it also keeps the WAL
    // index in memory, so that no shared-memory file lies about. What is deleted is not wiped where
    // that would cost a write.
    static const char pragmas[] = "PRAGMA locking_mode = EXCLUSIVE;"
                                  "PRAGMA synchronous = FULL;"
                                  "PRAGMA secure_delete = FAST;"
                                  "PRAGMA temp_store = MEMORY;";
    int version;
    if (!spool_file_execute(db, pragmas, err) ||
        !read_int(db, "PRAGMA user_version", &version, err))
        return false;
    if (version == SCHEMA_VERSION)
        return spool_file_execute(db, "BEGIN EXCLUSIVE; COMMIT", err) &&
               spool_file_execute(db, additions, err);
    if (version != 0)
        return fail(err, REACT_STOP,
                    "spool %s has format %d, this program knows %d; hint: use the newer program",
                    path, version, SCHEMA_VERSION);
    return make_tables(db, err);
}

// SQLite syncs the folder of a new file too, but does not say when that fails.
static bool sync_folder(const char *path, struct error *err)
{
    SCOPED(xfree_char) char *folder = xstrdup(path);
    int fd = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    int number = errno;
    if (fd >= 0)
        close(fd);
    return synced ||
           fail(err, REACT_STOP, "cannot sync the folder of spool %s: %s", path, strerror(number));
}

static sqlite3_mem_methods system_memory; // SQLite's own, which calls malloc

static void *checked_malloc(int size_bytes)
{
    void *memory = system_memory.xMalloc(size_bytes);
    if (memory == NULL)
        memory_exhausted();
    return memory;
}

static void *checked_realloc(void *old, int size_bytes)
{
    void *memory = system_memory.xRealloc(old, size_bytes);
    if (memory == NULL)
        memory_exhausted();
    return memory;
}

// A text or a chain that SQLite has no memory to give would look as if it were not in the file.
// With our allocation memory is there, or the program ends (D2). SQLite takes an allocator before
// its first use only.
static void use_checked_memory(void)
{
    sqlite3_mem_methods checked;
    if (system_memory.xMalloc != NULL)
        return;
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &system_memory);
    checked = system_memory;
    checked.xMalloc = checked_malloc;
    checked.xRealloc = checked_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &checked);
}

bool spool_file_open(const char *path, sqlite3 **out, struct error *err)
{
    use_checked_memory();
    if (!create_private(path, err))
        return false;
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK) {
        fail(err, REACT_STOP, "cannot open spool %.300s: %s", path, sqlite3_errmsg(db));
    } else if (prepare_file(db, path, err) && sync_folder(path, err)) {
        *out = db;
        return true;
    }
    sqlite3_close(db);
    return false;
}

void spool_file_close(sqlite3 *db)
{
    sqlite3_close(db);
}
