// Names that were never seen, and what was probably meant.

#include "query/names.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "query/nearest.h"
#include "query/talk.h"

// clang-format off
// What may have been meant, and what to say then: people are also meant by a principal, or by what
// stands before the '@' of their name.
static const char names_sql[] =
    "(SELECT 'model', model, model FROM modeltrail_v1.models LIMIT 20000)"
    " UNION ALL SELECT 'environment', environment, environment FROM modeltrail_v1.environments"
    " UNION ALL SELECT 'cluster', cluster, cluster FROM modeltrail_v1.clusters"
    " UNION ALL (SELECT 'person', person, person FROM modeltrail_v1.people LIMIT 20000)"
    " UNION ALL (SELECT 'person', principal, principal FROM modeltrail_v1.identities LIMIT 20000)"
    " UNION ALL (SELECT 'person', split_part(person, '@', 1), person FROM modeltrail_v1.people"
    "  WHERE person LIKE '_%@%' LIMIT 20000)";
// clang-format on

struct names {
    const char **items; // borrowed from the result, as are the next
    const char **said;  // what to say for each
    size_t count;
};

static void names_reset(struct names *names)
{
    free(names->items);
    free(names->said);
}

// The names of one sort; the caller resets them.
static struct names names_of(const PGresult *rows, const char *sort)
{
    int total = PQntuples(rows);
    struct names names = {.items = xcalloc((size_t)total, sizeof(*names.items)),
                          .said = xcalloc((size_t)total, sizeof(*names.said))};
    for (int i = 0; i < total; i++) {
        if (strcmp(PQgetvalue(rows, i, 0), sort) == 0) {
            names.items[names.count] = PQgetvalue(rows, i, 1);
            names.said[names.count++] = PQgetvalue(rows, i, 2);
        }
    }
    return names;
}

static bool is_among(const struct names *names, const char *word)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->said[i], word) == 0)
            return true;
    }
    return false;
}

// A word that is short for a name goes before one that is merely like another.
static void hint_near(const struct names *names, const char *word)
{
    const char *near = nearest_word(word, names->items, names->count);
    const char *said = NULL;
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i], word) == 0) {
            said = names->said[i];
            break;
        }
        if (names->items[i] == near)
            said = names->said[i];
    }
    if (said != NULL)
        talk_hint("did you mean '%s'?", said);
}

// Each name of a comma list that is not known gets its own hint.
static void hint_list(const PGresult *rows, const char *sort, const char *list)
{
    struct names names = names_of(rows, sort);
    while (list != NULL) {
        size_t length = strcspn(list, ",");
        SCOPED(xfree_char) char *word = xstrndup(list, length);
        if (!is_among(&names, word))
            hint_near(&names, word);
        list = list[length] == ',' ? list + length + 1 : NULL;
    }
    names_reset(&names);
}

// A model that is known but runs nowhere has a history, which may be what was wanted.
static void hint_word(const PGresult *rows, const struct question *question)
{
    const char *word = question->model != NULL ? question->model : question->word;
    struct names names = names_of(rows, question->sort);
    if (is_among(&names, question->word)) // a model with an '@' in its name
        word = question->word;
    bool is_deployments = strcmp(question->resource->one, "deployment") == 0;
    if (!is_among(&names, word))
        hint_near(&names, word);
    else if (is_deployments)
        talk_hint("modeltrail history %s", word);
    names_reset(&names);
}

void names_hint(const struct session *session, const struct flags *flags,
                const struct question *question)
{
    if (question->sort == NULL && flags->environment == NULL && flags->cluster == NULL)
        return;
    SCOPED(PQclear) PGresult *rows = NULL;
    struct error err;
    if (!session_query(session->db, names_sql, 0, NULL, &rows, &err)) {
        talk_error(&err);
        return;
    }
    hint_list(rows, "environment", flags->environment);
    hint_list(rows, "cluster", flags->cluster);
    if (question->sort != NULL)
        hint_word(rows, question);
}
