#pragma once

#include <stdio.h>

#include "query/resource.h"
#include "query/session.h"

// One question to the database and its answer, whatever the format.

struct question {
    const struct resource *resource;
    const char *sql;     // resource.h says what it takes
    const char *word;    // what the person named; NULL when nothing
    const char *model;   // its part before '@'
    const char *version; // its part behind '@', or NULL
    const char *sort;    // what the word names, for hints: "model", "person"; NULL: no name
    bool limits_groups;  // --limit counts values of the first column, whose rows stand together
    const char *aside;   // a column fetched beside the chosen ones, or NULL
    const char *extra;   // JSON that the program adds to the answer ($12), or NULL
};

struct answer {
    const struct resource *resource;
    struct selection selection;
    PGresult *rows; // cells of the selection, then the aside; in JSON formats the one item
    size_t count;   // rows to show
    bool is_cut;    // --limit left rows out
};

void answer_reset(struct answer *answer);
static inline void answer_scoped_cleanup(struct answer *answer)
{
    answer_reset(answer);
}
#define SCOPED_ANSWER __attribute__((cleanup(answer_scoped_cleanup))) struct answer

// Asks; EXIT_YES with the answer, however many rows it has, else the code with the reason in err.
enum exit_code question_ask(const struct session *session, const struct flags *flags,
                            const struct question *question, struct answer *answer,
                            struct error *err) WARN_UNUSED;

// The cell's text; NULL for SQL NULL.
const char *answer_cell(const struct answer *answer, size_t row, size_t column);

// The question's aside of that row.
const char *answer_aside(const struct answer *answer, size_t row);

// The exit code of an answer (R22); an empty one is explained on stderr, with what was perhaps
// meant.
enum exit_code question_conclude(const struct session *session, const struct flags *flags,
                                 const struct question *question, const struct answer *answer);
