// The central file's artifact patterns: which are in force, and whether an artifact matches one.

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "store/naming.h"
#include "store/naming_parts.h"

#define MATCH_MAX_BYTES 1024 // longer artifacts match nothing: they are no place, but an attack
// Central files have three at most (central_file.c); an event from elsewhere may claim more.
#define MATCH_MAX_NAMES 8 // placeholders of one pattern

// Entries that are no strings are skipped here as they are when taken.
static bool same_patterns(const struct naming_rules *rules, const cJSON *list)
{
    size_t index = 0;
    for (const cJSON *item = list ? list->child : NULL; item != NULL; item = item->next) {
        if (!cJSON_IsString(item))
            continue;
        if (index == rules->count || strcmp(rules->patterns[index], item->valuestring) != 0)
            return false;
        index++;
    }
    return index == rules->count;
}

// A file that changes only environments or people leaves log_index alone: every placement named by
// a pattern rests on it (R25), and all would be folded anew.
bool naming_rules_apply(struct naming_rules *rules, const cJSON *central, int64_t log_index)
{
    const cJSON *list = json_get(central, "artifacts");
    if (!cJSON_IsArray(list))
        list = NULL;
    if (same_patterns(rules, list))
        return false;
    naming_rules_reset(rules);
    rules->log_index = log_index;
    size_t capacity = 0;
    for (const cJSON *item = list ? list->child : NULL; item != NULL; item = item->next) {
        if (!cJSON_IsString(item))
            continue;
        rules->patterns =
            xgrow(rules->patterns, &capacity, rules->count + 1, sizeof(*rules->patterns));
        rules->patterns[rules->count++] = xstrdup(item->valuestring);
    }
    return true;
}

void naming_rules_reset(struct naming_rules *rules)
{
    for (size_t i = 0; i < rules->count; i++)
        free(rules->patterns[i]);
    free(rules->patterns);
    *rules = (struct naming_rules){0};
}

// One match of one pattern. A placeholder takes one or more characters of one segment, as many as
// leave a match for the rest; `dead` remembers what led nowhere, so that the search is quadratic at
// worst.
// s3://models-{environment}/{model}/{version} takes s3://models-prod/fraud/v3/model.bst apart into
// prod, fraud and v3: the file lies in the place that the pattern names.
struct match {
    const char *text;
    const char *name[MATCH_MAX_NAMES]; // of placeholders in order, behind their {
    const char *from[MATCH_MAX_NAMES];
    size_t length[MATCH_MAX_NAMES];
    size_t count;
    uint8_t dead[MATCH_MAX_NAMES][MATCH_MAX_BYTES / 8 + 1];
};

// Compares up to the next placeholder. True when the literal fits; both move behind it.
static bool match_literal(const char **pattern, const char **text)
{
    while (**pattern != '\0' && **pattern != '{') {
        if (**pattern != **text)
            return false;
        ++*pattern;
        ++*text;
    }
    return true;
}

// Depth is bounded by MATCH_MAX_NAMES.
// A placeholder stays in its segment: a pattern for one folder must not swallow the folders below.
static bool match_from(struct match *match, const char *pattern, const char *text)
{
    if (!match_literal(&pattern, &text))
        return false;
    if (*pattern == '\0') // an object inside the place that the pattern names is in that place
        return *text == '\0' || *text == '/';
    const char *close = strchr(pattern, '}');
    size_t index = match->count;
    if (close == NULL || index == MATCH_MAX_NAMES)
        return false;
    size_t at = (size_t)(text - match->text);
    if (match->dead[index][at / 8] & (1u << (at % 8)))
        return false;
    match->name[index] = pattern + 1;
    match->from[index] = text;
    match->count++;
    for (size_t length = strcspn(text, "/"); length > 0; length--) {
        match->length[index] = length;
        if (match_from(match, close + 1, text + length))
            return true;
    }
    match->count--;
    match->dead[index][at / 8] |= (uint8_t)(1u << (at % 8));
    return false;
}

// The text that the first placeholder of this name stands for; NULL when there is none.
// Only model and version are asked for; {environment} has to fit and names nothing (R23 does).
static const char *captured(const struct match *match, const char *name, struct fold_arena *arena)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < match->count; i++) {
        if (strncmp(match->name[i], name, length) == 0 && match->name[i][length] == '}')
            return fold_arena_bytes(arena, match->from[i], match->length[i]);
    }
    return NULL;
}

// The first in the file that names anything wins, so people order them from special to general.
bool naming_match_patterns(const struct naming_rules *rules, const char *artifact,
                           struct fold_arena *arena, const char **model, const char **version)
{
    if (rules == NULL || rules->count == 0 || strlen(artifact) > MATCH_MAX_BYTES)
        return false;
    for (size_t i = 0; i < rules->count; i++) {
        struct match match = {.text = artifact};
        // As the artifact was: a pattern may be written in any spelling of its place.
        const char *pattern = naming_normalise_uri(rules->patterns[i], arena);
        if (!match_from(&match, pattern, artifact))
            continue;
        *model = captured(&match, "model", arena);
        *version = captured(&match, "version", arena);
        if (*model != NULL || *version != NULL)
            return true;
    }
    return false;
}
