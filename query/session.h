#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/database.h"
#include "common/memory.h"
#include "query/exit_code.h"
#include "query/flags.h"

#define INSTANT_TEXT 40 // an instant as PostgreSQL's to_json prints it

// One connection and what the first round trip told: the database's clock, the instants that were
// asked for, and which of the scopes asked about were not observed then (R21, R22).
struct session {
    struct database *db;
    char now[INSTANT_TEXT];
    char as_of[INSTANT_TEXT]; // "" when not asked for; so are the next two
    char since[INSTANT_TEXT];
    char until[INSTANT_TEXT];
    // Of a range without a begin: since when all scopes were observed; "" otherwise.
    char observed_since[INSTANT_TEXT];
    bool is_standby;
    char replayed_until[INSTANT_TEXT]; // commit of a standby's last transaction; "": not known
    size_t unknown_count;
    char *unknown_text; // the first few, for people
    char *unknown_json; // all, a JSON array
};

// Connects, resolves the instants of `flags`, and asks for coverage of `aspect` ("state", "actor";
// NULL = both): of the whole range when the question is what happened, else of one instant.
// EXIT_YES with *out that the caller closes, else the exit code with the reason in err.
enum exit_code session_open(const struct flags *flags, const char *aspect, bool over_range,
                            struct session **out, struct error *err) WARN_UNUSED;
void session_close(struct session *session);
DEFINE_CLEANUP(struct session, session_close)

// Connects only; for `doctor`, which looks at a schema that may not be there.
bool session_connect(const struct flags *flags, struct database **out,
                     struct error *err) WARN_UNUSED;

// As database_query, read only and without compiling the statement. A failed one leaves the
// connection fit for another.
bool session_query(struct database *db, const char *sql, int count, const char *const params[],
                   PGresult **out, struct error *err) WARN_UNUSED;

// The exit code of a failed statement; adds to err what the person can do.
enum exit_code session_explain(struct error *err);

// True when every scope asked about was covered.
bool session_is_complete(const struct session *session);

// The instant as stderr shows all of them, in UTC with a Z; "" stays "".
void session_instant(const char *instant, char text[INSTANT_TEXT]);
// Says on stderr whether a standby answered, which instants were asked for and, when the answer
// rests on coverage, in one line what was not covered.
void session_talk(const struct session *session, bool rests_on_coverage);
