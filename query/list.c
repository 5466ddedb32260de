// `list NOUN`: the rows of one resource.

#include "query/command.h"
#include "query/nearest.h"

// Says what is near, or all that there is.
static enum exit_code unknown_noun(const char *noun, struct error *err)
{
    const char *names[32];
    size_t count = 0;
    SCOPED_BUFFER known = {0};
    for (; count < 32 && resource_at(count) != NULL; count++) {
        names[count] = resource_at(count)->noun;
        buffer_printf(&known, "%s%s", count ? ", " : "", names[count]);
    }
    const char *near = nearest_word(noun, names, count);
    if (near != NULL)
        fail(err, REACT_STOP, "nothing to list is called '%.60s'; hint: did you mean '%s'?", noun,
             near);
    else
        fail(err, REACT_STOP, "nothing to list is called '%.60s'; hint: %.300s", noun, known.data);
    return EXIT_USAGE;
}

enum exit_code list_run(const struct call *call, struct error *err)
{
    const struct resource *resource = resource_find(call->words[0]);
    if (resource == NULL)
        return unknown_noun(call->words[0], err);
    struct question question = {
        .resource = resource,
        // Where --as-of is the end of a range there is one statement for both.
        .sql = call->flags.as_of != NULL && resource->past ? resource->past : resource->live,
    };
    return command_answer(&call->flags, &question, NULL, err);
}
