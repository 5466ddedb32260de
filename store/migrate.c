// The migration runner. Its own table lives in schema modeltrail_migration, because schema
// modeltrail is made by the first migration.
// Whole files are compared by checksum, so a database that another build has made is told from
// ours before anything else is done with it.

#include "store/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/log.h"
#include "store/batch_transaction.h"

// Each step begins so. The lock is one of the transaction, which a pooler keeps together; a lock of
// the session it would not (PgBouncer, transaction mode). Any constant would do: it only has to be
// the same in all programs of ours.
#define BEGIN_LOCKED                                                                               \
    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL client_min_messages = warning; SELECT "       \
    "pg_advisory_xact_lock(7233902461);"                                                           \
    "CREATE SCHEMA IF NOT EXISTS modeltrail_migration;"                                            \
    "CREATE TABLE IF NOT EXISTS modeltrail_migration.applied ("                                    \
    " version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,"                    \
    " applied_at timestamptz NOT NULL DEFAULT now())"

int migrate_newest(void)
{
    return migrations[migration_count - 1].version;
}

static const struct migration *find_version(int version)
{
    for (size_t i = 0; i < migration_count; i++) {
        if (migrations[i].version == version)
            return &migrations[i];
    }
    return NULL;
}

static void checksum_of(const struct migration *migration, char hex[DIGEST_HEX])
{
    uint8_t digest[DIGEST_BYTES];
    digest_sha256(migration->sql, migration->length, digest);
    hex_encode(digest, DIGEST_BYTES, hex);
}

// Also asked at every start of the store: writing rows into a schema that only looks alike would be
// worse than not starting.
static bool check_applied(const PGresult *applied, struct error *err)
{
    for (int row = 0; row < PQntuples(applied); row++) {
        int version = atoi(PQgetvalue(applied, row, 0));
        const struct migration *ours = find_version(version);
        if (ours == NULL)
            return fail(err, REACT_STOP,
                        "schema has migration %d, newer than this program's %d; hint: install the "
                        "newer modeltrail",
                        version, migrate_newest());
        char hex[DIGEST_HEX];
        checksum_of(ours, hex);
        if (strcmp(hex, PQgetvalue(applied, row, 1)) != 0)
            return fail(err, REACT_STOP,
                        "migration %d (%s) was applied with other content; hint: this database was "
                        "made by another build",
                        version, ours->name);
    }
    return true;
}

static bool read_applied(struct database *db, PGresult **applied, struct error *err)
{
    return database_query(
        db, "SELECT version, checksum FROM modeltrail_migration.applied ORDER BY version", 0, NULL,
        applied, err);
}

// The row that says so is in the same transaction: a crash leaves a migration done or not done.
static bool apply_one(struct database *db, const struct migration *migration, struct error *err)
{
    char version[16];
    char hex[DIGEST_HEX];
    snprintf(version, sizeof(version), "%d", migration->version);
    checksum_of(migration, hex);
    const char *params[] = {version, migration->name, hex};
    if (!database_execute(db, migration->sql, err) ||
        !database_query(db,
                        "INSERT INTO modeltrail_migration.applied (version, name, checksum)"
                        " VALUES ($1, $2, $3)",
                        3, params, NULL, err) ||
        !database_execute(db, "COMMIT", err))
        return fail_in(err, "migration %d (%s)", migration->version, migration->name);
    log_line(LOG_INFO, "migration applied", "version", version, "name", migration->name, NULL);
    return true;
}

// The first that is not applied; NULL when all are. Read under the lock: a second runner waits, and
// finds the work done.
static bool find_next(struct database *db, const struct migration **next, struct error *err)
{
    SCOPED(PQclear) PGresult *before = NULL;
    if (!read_applied(db, &before, err) || !check_applied(before, err))
        return false;
    int reached = PQntuples(before) ? atoi(PQgetvalue(before, PQntuples(before) - 1, 0)) : 0;
    *next = NULL;
    for (size_t i = migration_count; i > 0 && migrations[i - 1].version > reached; i--)
        *next = &migrations[i - 1];
    return true;
}

// A transaction of its own for each migration, the last one finding none.
static bool run_step(struct database *db, bool *found, struct error *err)
{
    const struct migration *next;
    if (!database_execute(db, BEGIN_LOCKED, err) || !find_next(db, &next, err))
        return false;
    *found = next != NULL;
    return *found ? apply_one(db, next, err) : database_execute(db, "COMMIT", err);
}

bool migrate_run(struct database *db, int *applied, struct error *err)
{
    bool found = true;
    for (*applied = 0; found; *applied += found) {
        if (run_step(db, &found, err))
            continue;
        batch_transaction_abandon(db);
        return false;
    }
    return true;
}

// Asks for the table first, so that a new database gets a hint and no SQLSTATE.
bool migrate_check(struct database *db, struct error *err)
{
    SCOPED(PQclear) PGresult *result = NULL;
    if (!database_query(db,
                        "SELECT CASE WHEN to_regclass('modeltrail_migration.applied') IS NULL"
                        " THEN 0 ELSE 1 END",
                        0, NULL, &result, err))
        return false;
    if (strcmp(PQgetvalue(result, 0, 0), "0") == 0)
        return fail(err, REACT_STOP,
                    "the database has no modeltrail schema; hint: run modeltrail-store migrate");
    SCOPED(PQclear) PGresult *applied = NULL;
    if (!read_applied(db, &applied, err) || !check_applied(applied, err))
        return false;
    if (PQntuples(applied) != (int)migration_count)
        return fail(err, REACT_STOP,
                    "the schema has %d of %zu migrations; hint: run modeltrail-store migrate",
                    PQntuples(applied), migration_count);
    return true;
}
