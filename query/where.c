// `where`: the open placements of one model, version or artifact, and the routes that lead to them.

#include <stdio.h>
#include <string.h>

#include "common/text.h"
#include "query/command.h"
#include "query/deployments.h"
#include "query/model_word.h"

// A model may be named with an '@' in it, or like a URI, so the whole word counts too.
#define BY_MODEL "((model = $10 AND ($11::text IS NULL OR version = $11)) OR model = $9)"
#define BY_ARTIFACT "(artifact IN ($9, rtrim($9, '/')) OR model = $9)"
#define BY_DIGEST "(artifact_digest = $9 OR model = $9)"

// One statement a form: with all forms in one, no index would serve any of them.
static const char *statement_for(const char *word, bool is_past)
{
    static const char *const statements[3][2] = {
        {SQL_DEPLOYMENTS_LIVE(BY_MODEL), SQL_DEPLOYMENTS_PAST(BY_MODEL)},
        {SQL_DEPLOYMENTS_LIVE(BY_ARTIFACT), SQL_DEPLOYMENTS_PAST(BY_ARTIFACT)},
        {SQL_DEPLOYMENTS_LIVE(BY_DIGEST), SQL_DEPLOYMENTS_PAST(BY_DIGEST)},
    };
    int form = 0;
    if (strstr(word, "://") != NULL)
        form = 1;
    else if (text_starts_with(word, "sha256:"))
        form = 2;
    return statements[form][is_past];
}

// Several placements of one workload share its lines; each is printed once.
static bool is_printed(const struct answer *answer, size_t row)
{
    const char *lines = answer_aside(answer, row);
    for (size_t i = 0; i < row; i++) {
        if (text_equal(answer_aside(answer, i), lines))
            return true;
    }
    return false;
}

// Routes are said behind the table, for one route concerns all rows of its target.
static enum exit_code print_via(const struct answer *answer, bool for_people)
{
    for (size_t row = 0; for_people && row < answer->count; row++) {
        const char *line = answer_aside(answer, row);
        if (line == NULL || is_printed(answer, row))
            continue;
        while (*line != '\0') {
            size_t length = strcspn(line, "\n");
            SCOPED_BUFFER visible = {0};
            text_append_visible(&visible, line, length);
            puts(visible.data);
            line += length + (line[length] == '\n');
        }
    }
    return EXIT_YES;
}

enum exit_code where_run(const struct call *call, struct error *err)
{
    struct model_word word;
    if (!model_word_split(&word, call->words[0], err))
        return EXIT_USAGE;
    struct question question = {
        .resource = &deployments_resource,
        .sql = statement_for(word.whole, call->flags.as_of != NULL),
        .word = word.whole,
        .model = word.model,
        .version = word.version,
        .sort = word.model != NULL ? "model" : NULL,
        .aside = "via_lines",
    };
    enum exit_code code = command_answer(&call->flags, &question, print_via, err);
    model_word_reset(&word);
    return code;
}
