// Finds a server: one host after another, one address after another, each within its share of the
// time. A server that is refused, silent or of the wrong sort is passed over.

#include "common/database_connect.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/database_hosts.h"
#include "common/memory.h"
#include "common/resolve.h"
#include "common/text.h"
#include "common/timestamp.h"

#define MAX_KEYWORDS 12

// The search for a server: what all tries have in common, and what they met.
struct search {
    const char *conninfo;
    const char *application;
    enum database_use use;
    struct database_hosts hosts;
    struct database_wait *wait;
    int64_t deadline; // 0: none
    PGconn *found;
    struct buffer failures; // of all tries, for people
    bool can_pass;          // one of them may be gone at the next try
};

// Keywords for PQconnectStartParams. What stands before dbname, which holds the whole conninfo, is
// a default that it may change; what stands behind overrides it.
struct keywords {
    const char *keys[MAX_KEYWORDS];
    const char *values[MAX_KEYWORDS];
    size_t count;
    int expand;
};

static void add_keyword(struct keywords *keywords, const char *key, const char *value)
{
    if (value == NULL)
        return;
    keywords->keys[keywords->count] = key;
    keywords->values[keywords->count++] = value;
}

// The name is a fallback, so that PGAPPNAME and the conninfo may say another one.
static struct keywords common_keywords(const struct search *search)
{
    struct keywords keywords = {0};
    if (search->use == DATABASE_WRITES)
        add_keyword(&keywords, "target_session_attrs", "read-write");
    keywords.expand = search->conninfo[0] != '\0';
    if (keywords.expand)
        add_keyword(&keywords, "dbname", search->conninfo);
    add_keyword(&keywords, "fallback_application_name", search->application);
    add_keyword(&keywords, "client_encoding", "UTF8");
    return keywords;
}

// These texts say that trying again would not help: a wrong name, a wrong rule of the server, or a
// connection string that cannot be read. A failed connection has no result to read a SQLSTATE from.
static bool can_pass(const char *message)
{
    static const char *const lasting[] = {
        "does not exist", "no pg_hba.conf entry",      "definition of service",
        "missing \"=\"",  "invalid connection option", "invalid URI",
        "invalid port",   "unterminated quoted"};
    for (size_t i = 0; i < sizeof(lasting) / sizeof(*lasting); i++) {
        if (strstr(message, lasting[i]) != NULL)
            return false;
    }
    return true;
}

static void note_failure(struct search *search, const char *message)
{
    if (search->failures.length > 0)
        buffer_append_text(&search->failures, "; ");
    size_t start = search->failures.length;
    buffer_append_text(&search->failures, message);
    text_one_line(search->failures.data + start);
    search->failures.length = start + strlen(search->failures.data + start);
    search->can_pass = search->can_pass || can_pass(message);
}

// Each of those that are left gets the same share, so that the last one is always reached.
static int share_ms(const struct search *search, int64_t deadline, size_t left)
{
    int most = search->hosts.connect_timeout_ms;
    deadline = database_wait_end(search->wait, deadline);
    if (deadline == 0)
        return most > 0 ? most : 0;
    int64_t now = monotonic_ms();
    int share = deadline > now ? (int)((deadline - now) / (int64_t)left) : 0;
    if (most > 0 && most < share)
        share = most;
    return share > 0 ? share : 1;
}

static bool wait_socket(struct search *search, PGconn *connection, short events, int64_t deadline)
{
    return database_wait_for(search->wait, PQsocket(connection), events, deadline);
}

// What a try is about: one server at one address.
struct address {
    const struct database_host *host;
    const char *hostaddr;
    int limit_ms;
};

static void note_server(struct search *search, const struct address *address, const char *what)
{
    const char *name = address->host->host;
    const char *at = address->hostaddr != NULL ? address->hostaddr : name;
    const char *port = address->host->port;
    SCOPED(xfree_char)
    char *message = xasprintf("server at \"%s\" (%s), port %s %s", name != NULL ? name : "",
                              at != NULL ? at : "default", port != NULL ? port : "default", what);
    note_failure(search, message);
}

static bool is_silent(struct search *search, PGconn *connection, int64_t deadline)
{
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (status == PGRES_POLLING_WRITING || status == PGRES_POLLING_READING) {
        if (!wait_socket(search, connection, status == PGRES_POLLING_READING ? POLLIN : POLLOUT,
                         deadline))
            return true;
        status = PQconnectPoll(connection);
    }
    return false;
}

// The first round trip. A pooler greets for a server that may be gone or have another role by now,
// so it is not the greeting that says what the server is.
#define INTRODUCTION                                                                               \
    "SET timezone = 'UTC';"                                                                        \
    "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')"

// The last result of the introduction; NULL when the server did not answer in time. The caller
// clears it.
static PGresult *introduce(struct search *search, PGconn *connection, int64_t deadline)
{
    PGresult *last = NULL;
    if (!PQsendQuery(connection, INTRODUCTION))
        return PQmakeEmptyPGresult(connection, PGRES_FATAL_ERROR);
    for (;;) {
        while (PQisBusy(connection)) {
            if (!wait_socket(search, connection, POLLIN, deadline)) {
                PQclear(last);
                return NULL;
            }
            // What is wrong shows in the result.
            if (!PQconsumeInput(connection))
                break;
        }
        PGresult *result = PQgetResult(connection);
        if (result == NULL)
            return last;
        PQclear(last);
        last = result;
    }
}

// target_session_attrs, of one server. What libpq does not know it has refused before.
static bool suits(const char *attrs, const PGresult *introduction)
{
    bool is_standby = PQgetvalue(introduction, 0, 0)[0] == 't';
    bool is_read_only = strcmp(PQgetvalue(introduction, 0, 1), "on") == 0;
    if (strcmp(attrs, "read-write") == 0)
        return !is_read_only;
    if (strcmp(attrs, "read-only") == 0)
        return is_read_only;
    if (strcmp(attrs, "primary") == 0)
        return !is_standby;
    return strcmp(attrs, "standby") != 0 || is_standby;
}

static bool is_suitable(struct search *search, const struct address *address, const char *attrs,
                        PGconn *connection, int64_t deadline)
{
    PGresult *introduction = introduce(search, connection, deadline);
    bool good = introduction != NULL && PQresultStatus(introduction) == PGRES_TUPLES_OK;
    if (introduction == NULL) {
        note_server(search, address, "greets, and answers nothing");
    } else if (!good) {
        note_failure(search, PQerrorMessage(connection));
    } else if (!suits(attrs, introduction)) {
        good = false;
        SCOPED(xfree_char) char *what = xasprintf("is not for target_session_attrs=%s", attrs);
        note_server(search, address, what);
    }
    PQclear(introduction);
    return good;
}

// libpq is asked for any server, and only refuses a word that it does not know.
static const char *attrs_for_libpq(const char *attrs)
{
    static const char *const known[] = {"any",     "read-write", "read-only",
                                        "primary", "standby",    "prefer-standby"};
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (strcmp(attrs, known[i]) == 0)
            return "any";
    }
    return attrs;
}

static PGconn *start_connection(const struct search *search, const struct address *address,
                                const char *attrs)
{
    struct keywords keywords = common_keywords(search);
    add_keyword(&keywords, "host", address->host->host);
    add_keyword(&keywords, "hostaddr", address->hostaddr);
    add_keyword(&keywords, "port", address->host->port);
    add_keyword(&keywords, "target_session_attrs", attrs_for_libpq(attrs));
    return PQconnectStartParams(keywords.keys, keywords.values, keywords.expand);
}

static bool try_address(struct search *search, const struct address *address, const char *attrs)
{
    int64_t deadline = database_wait_deadline(address->limit_ms);
    PGconn *connection = start_connection(search, address, attrs);
    // Over a unix socket the failure may be known before the first poll.
    if (PQstatus(connection) != CONNECTION_BAD && is_silent(search, connection, deadline)) {
        SCOPED(xfree_char)
        char *what = xasprintf("did not answer within %d ms", address->limit_ms);
        note_server(search, address, what);
    } else if (PQstatus(connection) != CONNECTION_OK) {
        note_failure(search, PQerrorMessage(connection));
    } else if (is_suitable(search, address, attrs, connection, deadline)) {
        search->found = connection;
        return true;
    }
    PQfinish(connection);
    return false;
}

// A socket's folder, an address, or nothing at all (libpq's default) needs no look-up.
static bool needs_lookup(const struct database_host *host)
{
    return host->hostaddr == NULL && host->host != NULL && host->host[0] != '/' &&
           host->host[0] != '@' && !resolve_is_numeric(host->host);
}

static bool try_host(struct search *search, const struct database_host *host, const char *attrs,
                     size_t left)
{
    int share = share_ms(search, search->deadline, left);
    if (!needs_lookup(host))
        return try_address(search, &(struct address){host, host->hostaddr, share}, attrs);
    int64_t deadline = database_wait_deadline(share_ms(search, search->deadline, left));
    struct resolved resolved = {0};
    struct error err;
    if (!resolve_host(host->host, share > 0 ? share : INT_MAX, &resolved, &err)) {
        note_failure(search, err.text);
        return false;
    }
    for (size_t i = 0; i < resolved.count; i++) {
        const struct address address = {host, resolved.addresses[i],
                                        share_ms(search, deadline, resolved.count - i)};
        if (try_address(search, &address, attrs))
            return true;
    }
    return false;
}

static bool try_hosts(struct search *search, const char *attrs, size_t rounds_behind)
{
    size_t count = search->hosts.count;
    for (size_t i = 0; i < count; i++) {
        size_t left = count - i + rounds_behind * count;
        if (try_host(search, &search->hosts.items[i], attrs, left))
            return true;
    }
    return false;
}

// prefer-standby is about all hosts together.
static bool run_search(struct search *search)
{
    const char *attrs = search->hosts.session_attrs;
    if (strcmp(attrs, "prefer-standby") != 0)
        return try_hosts(search, attrs, 0);
    if (try_hosts(search, "standby", 1))
        return true;
    buffer_clear(&search->failures);
    return try_hosts(search, "any", 0);
}

bool database_connect(const char *conninfo, const char *application, enum database_use use,
                      int timeout_ms, struct database_wait *wait, PGconn **out, struct error *err)
{
    struct search search = {
        .conninfo = conninfo, .application = application, .use = use, .wait = wait};
    struct keywords keywords = common_keywords(&search);
    search.hosts = database_hosts_read(keywords.keys, keywords.values, keywords.expand);
    search.deadline = database_wait_deadline(timeout_ms);
    bool found = run_search(&search);
    if (found)
        *out = search.found;
    else
        fail(err, search.can_pass ? REACT_RETRY : REACT_STOP, "cannot connect to PostgreSQL: %s",
             search.failures.data);
    database_hosts_reset(&search.hosts);
    buffer_reset(&search.failures);
    return found;
}
