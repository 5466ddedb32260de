// Splitting MODEL[@VERSION].

#include "query/model_word.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "common/text.h"

bool model_word_split(struct model_word *word, const char *text, struct error *err)
{
    *word = (struct model_word){.whole = text};
    if (strstr(text, "://") != NULL || text_starts_with(text, "sha256:"))
        return true;
    const char *at = strrchr(text, '@');
    if (at != NULL && at[1] == '\0')
        return fail(err, REACT_STOP,
                    "'%.200s' names no version behind '@'; hint: MODEL or MODEL@VERSION", text);
    bool has_version = at != NULL && at != text;
    word->model = xstrndup(text, has_version ? (size_t)(at - text) : strlen(text));
    word->version = has_version ? at + 1 : NULL;
    return true;
}

void model_word_reset(struct model_word *word)
{
    free(word->model);
    word->model = NULL;
}
