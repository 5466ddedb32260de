// A store that lies about what it has committed: $MODELTRAIL_LIE names how. Each of its statements
// passes here, so the program needs to know nothing of it.
//   undone   each eighth COMMIT of rows is a ROLLBACK for a while; its answer looks like any other
//   early    no COMMIT waits for the disk

#define _GNU_SOURCE
#include <dlfcn.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PROMISE "SET LOCAL synchronous_commit = on;"
// Each eighth, but no longer than a test goes on: then all may drain. One alone may be told to a
// collector that is killed before it has written down what it was told.
#define UNDONE_EVERY 8
#define UNDONE_UNTIL 48

static bool lies(const char *how)
{
    const char *wanted = getenv("MODELTRAIL_LIE");
    return wanted != NULL && strcmp(wanted, how) == 0;
}

static int send_really(PGconn *connection, const char *sql)
{
    // By name at run time: programs without a database need not link one.
    int (*really)(PGconn *, const char *) = dlsym(RTLD_NEXT, "PQsendQuery");
    return really(connection, sql);
}

static int send_without_promise(PGconn *connection, const char *sql, const char *promise)
{
    char *copy = strdup(sql);
    if (copy == NULL)
        abort(); // a test without its lie would prove nothing
    // As long as the promise, so that what follows stays where it is.
    memcpy(copy + (promise - sql), "SET LOCAL synchronous_commit= off;", strlen(PROMISE));
    int sent = send_really(connection, copy);
    free(copy);
    return sent;
}

// Counts the transactions that have something to lose; statements are sent by one thread, the
// program's loop.
static bool is_undone(const char *sql)
{
    static bool has_rows;
    static int seen;
    if (strncmp(sql, "COPY", 4) == 0)
        has_rows = true;
    if (!has_rows || strcmp(sql, "COMMIT") != 0)
        return false;
    has_rows = false;
    seen++;
    return seen % UNDONE_EVERY == 0 && seen <= UNDONE_UNTIL;
}

int PQsendQuery(PGconn *connection, const char *sql)
{
    const char *promise = strstr(sql, PROMISE);
    if (lies("undone") && is_undone(sql))
        return send_really(connection, "ROLLBACK");
    if (lies("early") && promise != NULL)
        return send_without_promise(connection, sql, promise);
    return send_really(connection, sql);
}
