// libpq in non-blocking mode behind calls that wait at most a deadline of ours.
// Nothing here may wait without end: a stalled server must not hold up what else the program does
// (docs/rules.md 27).

#include "common/database.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

struct database {
    PGconn *connection;
    int timeout_ms; // of each call, not of the connection; 0: none
    bool lost;      // set once and for good: after a timeout the answer may still be on its way
    struct database_wait wait;
};

// By classes, so that codes of later PostgreSQL versions find their place. 22 and 54 blame the
// data, which a smaller batch narrows down; the second list blames us or the set-up, where trying
// again would go on for ever; what is left (lost connections, deadlocks, resources) passes.
static enum reaction reaction_of(const char *sqlstate)
{
    static const char *const reject[] = {"22", "54"};
    static const char *const stop[] = {"23", "42", "0A", "XX", "28000", "3D"};
    for (size_t i = 0; i < sizeof(reject) / sizeof(*reject); i++) {
        if (text_starts_with(sqlstate, reject[i]))
            return REACT_REJECT;
    }
    for (size_t i = 0; i < sizeof(stop) / sizeof(*stop); i++) {
        if (text_starts_with(sqlstate, stop[i]))
            return REACT_STOP;
    }
    return REACT_RETRY;
}

static bool fail_connection(struct database *db, const char *doing, struct error *err)
{
    db->lost = true;
    fail(err, REACT_RETRY, "%s: %s", doing, PQerrorMessage(db->connection));
    text_one_line(err->text);
    return false;
}

// Only the primary message: detail and context may quote rows, and what is in them has no place in
// a log line.
static bool fail_result(struct database *db, const PGresult *result, struct error *err)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    // A FATAL from the server (a restart, an administrator) comes as a result and ends the
    // connection as well.
    if (PQstatus(db->connection) == CONNECTION_BAD)
        db->lost = true;
    // libpq makes such a result itself when the connection broke.
    if (sqlstate == NULL)
        return fail_connection(db, "database", err);
    fail(err, reaction_of(sqlstate), "database error %s: %s", sqlstate, message ? message : "");
    memcpy(err->sqlstate, sqlstate, 5);
    err->sqlstate[5] = '\0';
    text_one_line(err->text);
    return false;
}

void database_limit(struct database *db, int ms)
{
    database_wait_limit(&db->wait, ms);
}

// After a missed deadline the answer may still come, and would be taken for that of another
// command.
static bool wait_socket(struct database *db, short events, int64_t deadline, struct error *err)
{
    if (database_wait_for(&db->wait, PQsocket(db->connection), events, deadline))
        return true;
    db->lost = true;
    return fail(err, REACT_RETRY, "database did not answer in time");
}

// Non-blocking for good: libpq would else sleep where neither deadline, watch nor idle work is
// looked at, as long as a stalled server takes nothing.
bool database_open_watched(const char *conninfo, const char *application, enum database_use use,
                           int timeout_ms, const struct database_watch *watch,
                           struct database **out, struct error *err)
{
    PGconn *connection;
    struct database_wait wait = {.watch = *watch};
    if (!database_connect(conninfo, application, use, timeout_ms, &wait, &connection, err))
        return false;
    struct database *db = xcalloc(1, sizeof(*db));
    db->connection = connection;
    db->timeout_ms = timeout_ms;
    db->wait = wait;
    if (PQsetnonblocking(connection, 1) != 0) {
        fail_connection(db, "cannot use the connection", err);
        database_close(db);
        return false;
    }
    *out = db;
    return true;
}

bool database_open(const char *conninfo, const char *application, enum database_use use,
                   int timeout_ms, struct database **out, struct error *err)
{
    return database_open_watched(conninfo, application, use, timeout_ms,
                                 &(struct database_watch){.fd = -1}, out, err);
}

void database_close(struct database *db)
{
    if (db == NULL)
        return;
    PQfinish(db->connection);
    free(db);
}

void database_set_timeout(struct database *db, int timeout_ms)
{
    db->timeout_ms = timeout_ms;
}

struct database_idle database_set_idle(struct database *db, struct database_idle idle)
{
    struct database_idle before = db->wait.idle;
    db->wait.idle = idle;
    return before;
}

bool database_is_usable(const struct database *db)
{
    return db != NULL && !db->lost && PQstatus(db->connection) == CONNECTION_OK;
}

// Waits until all is sent and PQgetResult would not block.
static bool wait_result(struct database *db, int64_t deadline, struct error *err)
{
    for (;;) {
        int flushed = PQflush(db->connection);
        if (flushed < 0)
            return fail_connection(db, "cannot send to the database", err);
        // While a part of the query is unsent, the server may be blocked on its own answer: then
        // both directions must be waited for, or neither side moves.
        if (flushed == 0 && !PQisBusy(db->connection))
            return true;
        short events = flushed > 0 ? POLLIN | POLLOUT : POLLIN;
        if (!wait_socket(db, events, deadline, err))
            return false;
        if (!PQconsumeInput(db->connection))
            return fail_connection(db, "lost the database connection", err);
    }
}

// Reads every result of the running command; the first error is kept, the last good result given.
static bool collect(struct database *db, int64_t deadline, PGresult **out, struct error *err)
{
    bool good = true;
    PGresult *last = NULL;
    for (;;) {
        if (!wait_result(db, deadline, err)) {
            PQclear(last);
            return false;
        }
        PGresult *result = PQgetResult(db->connection);
        if (result == NULL)
            break;
        ExecStatusType status = PQresultStatus(result);
        if (good && status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK &&
            status != PGRES_COPY_IN && status != PGRES_EMPTY_QUERY)
            good = fail_result(db, result, err);
        PQclear(last);
        last = result;
        // The command is not over: it waits for rows, and another PQgetResult would give the same
        // again.
        if (status == PGRES_COPY_IN)
            break;
    }
    // Every command has an answer. None means that libpq had no memory for it: what became of the
    // command is not known.
    if (good && last == NULL)
        good = fail_connection(db, "no answer from the database", err);
    if (good && out != NULL)
        *out = last;
    else
        PQclear(last);
    return good;
}

// A lost connection may still have a command under way; another one on it would be given that one's
// answer.
static bool check_usable(struct database *db, struct error *err)
{
    if (!database_is_usable(db))
        return fail(err, REACT_RETRY, "database connection is lost");
    return true;
}

bool database_execute(struct database *db, const char *sql, struct error *err)
{
    if (!check_usable(db, err))
        return false;
    if (!PQsendQuery(db->connection, sql))
        return fail_connection(db, "cannot send to the database", err);
    return collect(db, database_wait_deadline(db->timeout_ms), NULL, err);
}

bool database_query(struct database *db, const char *sql, int count, const char *const params[],
                    PGresult **out, struct error *err)
{
    return database_query_formats(db, sql, count, params, NULL, NULL, out, err);
}

bool database_query_formats(struct database *db, const char *sql, int count,
                            const char *const params[], const int lengths[], const int formats[],
                            PGresult **out, struct error *err)
{
    if (!check_usable(db, err))
        return false;
    if (!PQsendQueryParams(db->connection, sql, count, NULL, params, lengths, formats, 0))
        return fail_connection(db, "cannot send to the database", err);
    return collect(db, database_wait_deadline(db->timeout_ms), out, err);
}

bool database_copy_begin(struct database *db, const char *sql, struct error *err)
{
    return database_execute(db, sql, err);
}

// The deadline is one for all of the bytes, not one for each piece.
bool database_copy_send(struct database *db, const char *bytes, size_t length, struct error *err)
{
    int64_t deadline = database_wait_deadline(db->timeout_ms);
    bool is_empty = false;
    while (length > 0) {
        // libpq takes an int, and copies a piece into its own buffer: 1 MiB bounds that copy.
        int piece = length > 1 << 20 ? 1 << 20 : (int)length;
        int sent = PQputCopyData(db->connection, bytes, piece);
        if (sent < 0)
            return fail_connection(db, "cannot send COPY data", err);
        // The buffer is full and cannot grow. It is emptied once; what has no room in it then never
        // will have, and waiting for a socket that takes everything would be a busy loop.
        if (sent == 0) {
            if (is_empty)
                memory_exhausted();
            if (!wait_result(db, deadline, err))
                return false;
            is_empty = true;
            continue;
        }
        is_empty = false;
        bytes += piece;
        length -= (size_t)piece;
    }
    return true;
}

// Whether the rows were taken is known only here: errors of any piece come with the end.
bool database_copy_end(struct database *db, int64_t *rows, struct error *err)
{
    int64_t deadline = database_wait_deadline(db->timeout_ms);
    int ended;
    while ((ended = PQputCopyEnd(db->connection, NULL)) == 0) {
        if (!wait_result(db, deadline, err))
            return false;
    }
    if (ended < 0)
        return fail_connection(db, "cannot end COPY", err);
    PGresult *result = NULL;
    bool good = collect(db, deadline, &result, err);
    if (good && rows != NULL && !text_to_int64(PQcmdTuples(result), rows))
        *rows = 0;
    PQclear(result);
    return good;
}
