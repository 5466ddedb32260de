// Kills the program at a named place: MODELTRAIL_FAILPOINT=NAME:N, at the N-th time that it comes
// by. The places are calls into libraries, so the programs need to know nothing of this.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <libpq-fe.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

static void pass(const char *name)
{
    static long seen; // places are passed by one thread, the program's loop
    const char *wanted = getenv("MODELTRAIL_FAILPOINT");
    size_t length = strlen(name);
    if (wanted == NULL || strncmp(wanted, name, length) != 0 || wanted[length] != ':')
        return;
    if (++seen >= atol(wanted + length + 1))
        kill(getpid(), SIGKILL);
}

// By name at run time: a program that has no database need not link one.
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

// ---- the spool: SQLite syncs its file and its journal ------------------------------------------

int fdatasync(int fd)
{
    pass("spool_sync_before");
    int done = REAL(fdatasync)(fd);
    pass("spool_sync_after");
    return done;
}

int fsync(int fd)
{
    pass("spool_sync_before");
    int done = REAL(fsync)(fd);
    pass("spool_sync_after");
    return done;
}

// Acknowledged events are deleted after the cursor and the acknowledgement were saved.
int sqlite3_step(sqlite3_stmt *statement)
{
    const char *sql = REAL(sqlite3_sql)(statement);
    if (sql != NULL && strncmp(sql, "DELETE FROM event", 17) == 0)
        pass("delete_before");
    return REAL(sqlite3_step)(statement);
}

// ---- the database ------------------------------------------------------------------------------

static bool is_committing;

int PQsendQuery(PGconn *connection, const char *sql)
{
    is_committing = strcmp(sql, "COMMIT") == 0;
    if (is_committing)
        pass("commit_before");
    int sent = REAL(PQsendQuery)(connection, sql);
    if (is_committing)
        pass("commit_sent");
    return sent;
}

PGresult *PQgetResult(PGconn *connection)
{
    PGresult *result = REAL(PQgetResult)(connection);
    if (is_committing && result != NULL && REAL(PQresultStatus)(result) == PGRES_COMMAND_OK) {
        is_committing = false;
        pass("commit_after");
    }
    return result;
}

// ---- the wire ----------------------------------------------------------------------------------

int zmq_send(void *socket, const void *bytes, size_t length, int flags)
{
    bool is_ack = memmem(bytes, length < 64 ? length : 64, "\"kind\":\"ack\"", 12) != NULL;
    if (is_ack)
        pass("ack_before");
    int sent = REAL(zmq_send)(socket, bytes, length, flags);
    if (is_ack)
        pass("ack_after");
    return sent;
}

int zmq_msg_send(zmq_msg_t *message, void *socket, int flags)
{
    pass("frame_before");
    int sent = REAL(zmq_msg_send)(message, socket, flags);
    pass("frame_after");
    return sent;
}
