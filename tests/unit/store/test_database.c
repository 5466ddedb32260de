// libpq behind common/database.h against a server played by a child process: one that is silent,
// hangs up, lies, or ends in the middle. Whole transactions on a real PostgreSQL are
// tests/integration/test_batch.py's.

#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/database.h"
#include "common/timestamp.h"

#define TIMEOUT_MS 300
#define READY "Z\0\0\0\5I"
#define DONE(tag, length) "C\0\0\0" length tag "\0" READY
#define COPY_IN "G\0\0\0\7\0\0\0"

// What the server says to one command; NULL bytes: nothing, and it hangs up when `closes`.
struct reply {
    const char *bytes;
    size_t length;
    bool closes;
    int wait_ms;
};

#define SAY(text)                                                                                  \
    {                                                                                              \
        .bytes = text, .length = sizeof(text) - 1                                                  \
    }

#define FIELD "a\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"
// What every connection asks first: a time zone that is set, and a server that takes writes.
static const struct reply introduced = SAY("C\0\0\0\x08"
                                           "SET\0"
                                           "T\0\0\0\x2e\0\2" FIELD FIELD "D\0\0\0\x12\0\2\0\0\0\1"
                                           "f\0\0\0\3"
                                           "off" DONE("SELECT 1", "\x0d"));
static const struct reply set_done = SAY(DONE("SET", "\x08"));

struct server {
    char folder[64];
    char socket[96];
    char conninfo[160];
    pid_t child;
};

static bool read_all(int fd, void *into, size_t length)
{
    for (char *at = into; length > 0;) {
        ssize_t got = read(fd, at, length);
        if (got <= 0)
            return false;
        at += got;
        length -= (size_t)got;
    }
    return true;
}

// Reads one message; its type, or 0 at the end. The first one has no type.
static int read_message(int fd, bool is_first)
{
    char type = 1;
    uint32_t length;
    char body[65536];
    if ((!is_first && !read_all(fd, &type, 1)) || !read_all(fd, &length, sizeof(length)))
        return 0;
    length = ntohl(length) - 4;
    return length <= sizeof(body) && read_all(fd, body, length) ? type : 0;
}

static void say(int fd, const struct reply *reply)
{
    usleep((useconds_t)reply->wait_ms * 1000);
    if (reply->bytes != NULL && write(fd, reply->bytes, reply->length) < 0)
        _exit(1);
    if (reply->closes)
        _exit(0);
}

// Answers each command with the next reply: simple queries, the end of extended ones, the end of
// COPY.
static void serve(int fd, const struct reply *replies, size_t count)
{
    static const struct reply welcome = SAY("R\0\0\0\x08\0\0\0\0" READY);
    size_t next = 0;
    if (read_message(fd, true) == 0)
        _exit(0);
    if (count > 0)
        say(fd, &welcome);
    for (int type; (type = read_message(fd, false)) != 0;) {
        if (strchr("QScf", type) != NULL && next < count)
            say(fd, &replies[next++]);
    }
    _exit(0);
}

static void start(struct server *server, const struct reply *replies, size_t count)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(server->folder, "/tmp/modeltrail-pg-XXXXXX");
    assert_non_null(mkdtemp(server->folder));
    snprintf(server->socket, sizeof(server->socket), "%s/.s.PGSQL.5432", server->folder);
    snprintf(server->conninfo, sizeof(server->conninfo),
             "host=%s port=5432 user=u dbname=d sslmode=disable gssencmode=disable",
             server->folder);
    strcpy(address.sun_path, server->socket);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 1), 0);
    server->child = fork();
    if (server->child == 0)
        serve(accept(listener, NULL, NULL), replies, count);
    close(listener);
}

static void stop(struct server *server)
{
    int status;
    kill(server->child, SIGKILL);
    waitpid(server->child, &status, 0);
    unlink(server->socket);
    rmdir(server->folder);
}

static struct database *open_database(struct server *server)
{
    struct database *db = NULL;
    struct error err;
    if (!database_open(server->conninfo, "test", DATABASE_READS, TIMEOUT_MS, &db, &err))
        fail_msg("%s", err.text);
    return db;
}

static void says(const struct error *err, enum reaction react, const char *words)
{
    assert_int_equal(err->react, react);
    if (strstr(err->text, words) == NULL)
        fail_msg("'%s' is not in '%s'", words, err->text);
    assert_null(strchr(err->text, '\n'));
}

static void a_server_that_never_greets(void **state)
{
    (void)state;
    struct server server;
    struct database *db = NULL;
    struct error err;
    start(&server, NULL, 0);
    int64_t began = monotonic_ms();
    assert_false(database_open(server.conninfo, "test", DATABASE_READS, TIMEOUT_MS, &db, &err));
    assert_in_range(monotonic_ms() - began, TIMEOUT_MS, 20 * TIMEOUT_MS);
    says(&err, REACT_RETRY, "did not answer");
    assert_null(db);
    stop(&server);
}

static void silence_ends_the_connection(void **state)
{
    (void)state;
    struct server server;
    struct error err;
    const struct reply replies[] = {introduced, {.wait_ms = 0}};
    start(&server, replies, 2);
    struct database *db = open_database(&server);
    assert_true(database_is_usable(db));
    assert_false(database_execute(db, "SELECT 1", &err));
    says(&err, REACT_RETRY, "did not answer");
    // The answer may still come, and would be taken for another command's.
    assert_false(database_is_usable(db));
    assert_false(database_execute(db, "SELECT 1", &err));
    says(&err, REACT_RETRY, "connection is lost");
    assert_false(database_query(db, "SELECT 1", 0, NULL, NULL, &err));
    says(&err, REACT_RETRY, "connection is lost");
    assert_false(database_copy_begin(db, "COPY t FROM STDIN", &err));
    database_close(db);
    stop(&server);
}

static void ends_with(const struct reply *reply, enum reaction react, const char *words)
{
    struct server server;
    struct error err;
    const struct reply replies[] = {introduced, *reply};
    start(&server, replies, 2);
    struct database *db = open_database(&server);
    assert_false(database_execute(db, "COMMIT", &err));
    says(&err, react, words);
    assert_false(database_is_usable(db));
    database_close(db);
    stop(&server);
}

static void a_server_that_ends_in_the_middle(void **state)
{
    (void)state;
    ends_with(&(struct reply){.closes = true}, REACT_RETRY, "server closed the connection");
    // Half a message.
    ends_with(&(struct reply){.bytes = "C\0\0\0\x0b"
                                       "COM",
                              .length = 8,
                              .closes = true},
              REACT_RETRY, "server closed the connection");
    static const char fatal[] = "E\0\0\0\x20"
                                "SFATAL\0C57P01\0Mterminating\0\0";
    ends_with(&(struct reply){.bytes = fatal, .length = sizeof(fatal) - 1, .closes = true},
              REACT_RETRY, "terminating");
}

// Of a command without an answer nobody knows what became of it.
static void no_answer_is_no_success(void **state)
{
    (void)state;
    static const struct reply ready = SAY(READY);
    ends_with(&ready, REACT_RETRY, "no answer from the database");
}

static void errors_are_judged_by_their_class(void **state)
{
    (void)state;
    static const struct {
        struct reply reply;
        enum reaction react;
    } cases[] = {
        {SAY("E\0\0\0\x1e"
             "SERROR\0C22P05\0Mtwo\nlines\0\0" READY),
         REACT_REJECT},
        {SAY("E\0\0\0\x1e"
             "SERROR\0C42P01\0Mtwo\nlines\0\0" READY),
         REACT_STOP},
        {SAY("E\0\0\0\x1e"
             "SERROR\0C40P01\0Mtwo\nlines\0\0" READY),
         REACT_RETRY},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct server server;
        struct error err;
        const struct reply replies[] = {introduced, cases[i].reply, set_done};
        start(&server, replies, 3);
        struct database *db = open_database(&server);
        assert_false(database_execute(db, "SELECT 1", &err));
        says(&err, cases[i].react, "two lines");
        assert_true(database_is_usable(db));
        assert_true(database_execute(db, "SELECT 1", &err));
        database_close(db);
        stop(&server);
    }
}

static void on_alarm(int number)
{
    (void)number;
}

// A signal is for the loop; the wait goes on.
static void a_signal_does_not_end_the_wait(void **state)
{
    (void)state;
    struct server server;
    struct error err;
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval every = {.it_interval = {.tv_usec = 20000}, .it_value = {.tv_usec = 20000}};
    struct itimerval never = {0};
    struct reply late = set_done;
    late.wait_ms = 150;
    const struct reply replies[] = {introduced, late};
    start(&server, replies, 2);
    struct database *db = open_database(&server);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
    bool done = database_execute(db, "SET x = 1", &err);
    setitimer(ITIMER_REAL, &never, NULL);
    if (!done)
        fail_msg("%s", err.text);
    database_close(db);
    stop(&server);
}

struct busy {
    int pieces;
    int done;
};

static bool work(void *context)
{
    struct busy *busy = context;
    usleep(1000);
    return ++busy->done < busy->pieces;
}

// Idle work is done while the server lets us wait, and does not make the wait longer.
static void idle_work_keeps_the_deadline(void **state)
{
    (void)state;
    struct server server;
    struct error err;
    struct busy busy = {.pieces = 1000000};
    const struct reply replies[] = {introduced, {.wait_ms = 0}};
    start(&server, replies, 2);
    struct database *db = open_database(&server);
    database_set_idle(db, (struct database_idle){work, &busy});
    int64_t began = monotonic_ms();
    assert_false(database_execute(db, "SELECT 1", &err));
    says(&err, REACT_RETRY, "did not answer");
    assert_in_range(monotonic_ms() - began, TIMEOUT_MS, 20 * TIMEOUT_MS);
    assert_true(busy.done > 1);
    database_close(db);
    stop(&server);
}

// ---- COPY ---------------------------------------------------------------------------------------

static struct database *begin_copy(struct server *server)
{
    struct error err;
    struct database *db = open_database(server);
    if (!database_copy_begin(db, "COPY t FROM STDIN", &err))
        fail_msg("%s", err.text);
    return db;
}

static void copy_counts_its_rows(void **state)
{
    (void)state;
    static const struct reply copy_in = SAY(COPY_IN);
    static const struct {
        struct reply reply;
        int64_t rows;
    } cases[] = {{SAY(DONE("COPY 7", "\x0b")), 7}, {SAY(DONE("COPY", "\x09")), 0}};
    for (size_t i = 0; i < 2; i++) {
        struct server server;
        struct error err;
        int64_t rows = -1;
        const struct reply replies[] = {introduced, copy_in, cases[i].reply};
        start(&server, replies, 3);
        struct database *db = begin_copy(&server);
        assert_true(database_copy_send(db, "abc", 3, &err));
        assert_true(database_copy_end(db, &rows, &err));
        assert_int_equal(rows, cases[i].rows);
        database_close(db);
        stop(&server);
    }
}

static void a_copy_that_is_cut_fails(void **state)
{
    (void)state;
    struct server server;
    struct error err;
    const struct reply replies[] = {
        introduced, {.bytes = COPY_IN, .length = sizeof(COPY_IN) - 1, .closes = true}};
    start(&server, replies, 2);
    struct database *db = begin_copy(&server);
    char *rows = calloc(1, 1 << 20);
    bool sent = true;
    for (int i = 0; sent && i < 64; i++)
        sent = database_copy_send(db, rows, 1 << 20, &err);
    assert_false(sent && database_copy_end(db, NULL, &err));
    assert_int_equal(err.react, REACT_RETRY);
    assert_false(database_is_usable(db));
    free(rows);
    database_close(db);
    stop(&server);
}

// Out of order: our own mistake, which libpq refuses without a word to the server.
static void a_command_within_a_copy_is_refused(void **state)
{
    (void)state;
    static const struct reply copy_in = SAY(COPY_IN);
    for (int what = 0; what < 4; what++) {
        struct server server;
        struct error err;
        const struct reply replies[] = {introduced, copy_in};
        start(&server, replies, 2);
        struct database *db = what < 2 ? begin_copy(&server) : open_database(&server);
        bool done = what == 0   ? database_execute(db, "SELECT 1", &err)
                    : what == 1 ? database_query(db, "SELECT 1", 0, NULL, NULL, &err)
                    : what == 2 ? database_copy_send(db, "abc", 3, &err)
                                : database_copy_end(db, NULL, &err);
        assert_false(done);
        assert_int_equal(err.react, REACT_RETRY);
        assert_false(database_is_usable(db));
        database_close(db);
        stop(&server);
    }
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_never_greets),
        cmocka_unit_test(silence_ends_the_connection),
        cmocka_unit_test(a_server_that_ends_in_the_middle),
        cmocka_unit_test(no_answer_is_no_success),
        cmocka_unit_test(errors_are_judged_by_their_class),
        cmocka_unit_test(a_signal_does_not_end_the_wait),
        cmocka_unit_test(idle_work_keeps_the_deadline),
        cmocka_unit_test(copy_counts_its_rows),
        cmocka_unit_test(a_copy_that_is_cut_fails),
        cmocka_unit_test(a_command_within_a_copy_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
