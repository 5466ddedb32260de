// Splitting MODEL[@VERSION].

#include "query/model_word.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "common/text.h"

void model_word_split(struct model_word *word, const char *text)
{
    *word = (struct model_word){.whole = text};
    if (strstr(text, "://") != NULL || text_starts_with(text, "sha256:"))
        return;
    const char *at = strrchr(text, '@');
    bool has_version = at != NULL && at != text && at[1] != '\0';
    word->model = xstrndup(text, has_version ? (size_t)(at - text) : strlen(text));
    word->version = has_version ? at + 1 : NULL;
}

void model_word_reset(struct model_word *word)
{
    free(word->model);
    word->model = NULL;
}
