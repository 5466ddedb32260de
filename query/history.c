// `history`: every change of one model.

#include "query/changes.h"
#include "query/command.h"
#include "query/model_word.h"

static const char history_sql[] =
    // A workload that turned from this model to another one is part of its history too.
    SQL_CHANGES("(model IN ($9, $10) OR from_model IN ($9, $10))"
                " AND ($11::text IS NULL OR model = $9 OR $11 IN (from_version, to_version))");

enum exit_code history_run(const struct call *call, struct error *err)
{
    struct model_word word;
    if (!model_word_split(&word, call->words[0], err))
        return EXIT_USAGE;
    if (word.model == NULL) {
        fail(err, REACT_STOP, "history takes a model's name; hint: modeltrail where %.200s",
             word.whole);
        return EXIT_USAGE;
    }
    struct question question = {
        .resource = &changes_resource,
        .sql = history_sql,
        .word = word.whole,
        .model = word.model,
        .version = word.version,
        .sort = "model",
    };
    enum exit_code code = command_answer(&call->flags, &question, NULL, err);
    model_word_reset(&word);
    return code;
}
