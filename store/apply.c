// What was configured, as events of the store itself: the central file and the allow-list.
// Both go through the log like anything else that was learned (R24, D11), so an auditor
// sees when a mapping changed and a rebuild finds it again. Reading the file is in central_file.c,
// what it means in central.c.

#include "store/apply.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/event.h"
#include "common/json.h"
#include "common/text.h"
#include "store/batch_own.h"
#include "store/central_file.h"

// A central file as sorted sentences, one a fact: two files differ where their sentences do.
// Comparing sentences and not trees: order and spelling of the file do not matter, and what differs
// can be shown to people as it is.
struct sentences {
    char **items;
    size_t count;
    size_t capacity;
};

static void add_sentence(struct sentences *sentences, char *owned)
{
    sentences->items =
        xgrow(sentences->items, &sentences->capacity, sentences->count + 1, sizeof(char *));
    sentences->items[sentences->count++] = owned;
}

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = json_text(object, key);
    return text ? text : "";
}

// A scope is told with its environment, so that moving one shows as a line that goes and a line
// that comes.
static void add_environment(struct sentences *out, const cJSON *environment)
{
    const char *name = text_of(environment, "name");
    int64_t order;
    if (json_int64(environment, "order", &order))
        add_sentence(out, xasprintf("environment %s, order %lld", name, (long long)order));
    else
        add_sentence(out, xasprintf("environment %s", name));
    const cJSON *scopes = json_get(environment, "scopes");
    for (const cJSON *scope = scopes ? scopes->child : NULL; scope != NULL; scope = scope->next) {
        const char *namespace = json_text(scope, "namespace");
        add_sentence(out, xasprintf("scope %s%s%s is %s", text_of(scope, "cluster"),
                                    namespace ? "/" : "", namespace ? namespace : "", name));
    }
}

// A rule is told with its place, for the first that matches counts.
static void add_person(struct sentences *out, const cJSON *person, int *rules_before)
{
    const cJSON *principals = json_get(person, "principals");
    const cJSON *rules = json_get(person, "rules");
    const char *from = json_text(person, "from");
    SCOPED(xfree_char)
    char *who = xasprintf("is %s (%s)%s%s", text_of(person, "person"), text_of(person, "kind"),
                          from ? " from " : "", from ? from : "");
    for (const cJSON *p = principals ? principals->child : NULL; p != NULL; p = p->next)
        add_sentence(out, xasprintf("principal %s %s", cJSON_GetStringValue(p), who));
    for (const cJSON *p = rules ? rules->child : NULL; p != NULL; p = p->next)
        add_sentence(out, xasprintf("rule %d, whoever matches %s, %s", ++*rules_before,
                                    cJSON_GetStringValue(p), who));
}

static int compare_sentences(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

// `data` may be NULL: nothing was ever applied.
static struct sentences describe(const cJSON *data)
{
    struct sentences out = {0};
    const cJSON *environments = json_get(data, "environments");
    const cJSON *artifacts = json_get(data, "artifacts");
    const cJSON *people = json_get(data, "people");
    int number = 0;
    int rules = 0;
    for (const cJSON *item = environments ? environments->child : NULL; item; item = item->next)
        add_environment(&out, item);
    // Patterns are tried in order, so their place counts.
    for (const cJSON *item = artifacts ? artifacts->child : NULL; item; item = item->next)
        add_sentence(&out,
                     xasprintf("artifact pattern %d: %s", ++number, cJSON_GetStringValue(item)));
    for (const cJSON *item = people ? people->child : NULL; item; item = item->next)
        add_person(&out, item, &rules);
    if (json_text(data, "from") != NULL)
        add_sentence(&out, xasprintf("scopes and people that change hold from %s on",
                                     json_text(data, "from")));
    if (out.count > 1)
        qsort(out.items, out.count, sizeof(char *), compare_sentences);
    return out;
}

static void sentences_reset(struct sentences *sentences)
{
    for (size_t i = 0; i < sentences->count; i++)
        free(sentences->items[i]);
    free(sentences->items);
    *sentences = (struct sentences){0};
}

static void print_sentence(char sign, const char *sentence)
{
    SCOPED_BUFFER visible = {0};
    text_append_visible(&visible, sentence, strlen(sentence));
    printf("%c %s\n", sign, visible.data);
}

// Prints what goes and what comes; returns how many lines.
// Both lists are sorted: one walk over the two tells what only one of them has.
static size_t print_difference(const cJSON *old_data, const cJSON *new_data)
{
    struct sentences before = describe(old_data);
    struct sentences after = describe(new_data);
    size_t printed = 0;
    size_t i = 0;
    size_t j = 0;
    while (i < before.count || j < after.count) {
        int order = i == before.count  ? 1
                    : j == after.count ? -1
                                       : strcmp(before.items[i], after.items[j]);
        if (order != 0)
            printed++;
        if (order < 0)
            print_sentence('-', before.items[i]);
        if (order > 0)
            print_sentence('+', after.items[j]);
        i += order <= 0;
        j += order >= 0;
    }
    sentences_reset(&before);
    sentences_reset(&after);
    return printed;
}

// Both halves of who it was: the account on this machine and the one the database knows.
static bool add_applied_by(struct database *db, cJSON *data, struct error *err)
{
    SCOPED(PQclear) PGresult *result = NULL;
    if (!database_query(db, "SELECT session_user", 0, NULL, &result, err))
        return false;
    // The user id, not $USER or the login name, which anybody can set.
    const struct passwd *account = getpwuid(getuid());
    SCOPED(xfree_char)
    char *who =
        xasprintf("%s as database user %s", account ? account->pw_name : "an unnamed account",
                  PQgetvalue(result, 0, 0));
    json_add_text(data, "applied_by", who);
    return true;
}

// A file that says the same adds nothing to the log, so that a pipeline may apply it on every run.
// The very first one is written even when it is empty: from then on there is a file in force.
bool apply_file(struct database *db, const char *path, bool dry_run, struct error *err)
{
    SCOPED(cJSON_Delete) cJSON *data = NULL;
    SCOPED(cJSON_Delete) cJSON *before = NULL;
    struct person_rules rules = {0};
    bool good = central_file_read(path, &data, &rules, err) &&
                person_rules_check(&rules, db, path, err) &&
                batch_own_newest(db, TYPE_CENTRAL_APPLIED, &before, err);
    person_rules_reset(&rules);
    if (!good)
        return false;
    if (print_difference(before, data) == 0 && before != NULL) {
        puts("unchanged: the file in force says the same");
        return true;
    }
    if (dry_run) {
        puts("dry run: nothing was written");
        return true;
    }
    if (!add_applied_by(db, data, err) || !batch_own_store(db, TYPE_CENTRAL_APPLIED, data, err))
        return false;
    puts("applied");
    return true;
}

static void add_keys(cJSON *entry, const struct allowed *allowed)
{
    cJSON *keys = cJSON_AddArrayToObject(entry, "keys");
    for (size_t i = 0; i < allowed->key_count; i++) {
        char key[CURVE_KEY_HEX];
        hex_encode(allowed->keys[i], CURVE_KEY_BYTES, key);
        cJSON_AddItemToArray(keys, cJSON_CreateString(key));
    }
}

static void add_names(cJSON *entry, const char *member, char *const *names, size_t count)
{
    cJSON *list = cJSON_AddArrayToObject(entry, member);
    for (size_t i = 0; i < count; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(names[i]));
}

// In the order of the configuration: putting it in another one counts as a change, which costs one
// event and nothing else.
static cJSON *allow_list_data(const struct allow_list *list)
{
    cJSON *data = cJSON_CreateObject();
    cJSON *collectors = cJSON_AddArrayToObject(data, "collectors");
    for (size_t i = 0; i < list->count; i++) {
        const struct allowed *allowed = &list->items[i];
        cJSON *entry = cJSON_CreateObject();
        json_add_text(entry, "name", allowed->name);
        add_keys(entry, allowed);
        json_add_text(entry, "cluster", allowed->cluster);
        add_names(entry, "namespaces", allowed->namespaces, allowed->namespace_count);
        add_names(entry, "repositories", allowed->repositories, allowed->repository_count);
        cJSON_AddItemToArray(collectors, entry);
    }
    return data;
}

// Called at every start; only a change is news.
bool allow_list_log(struct database *db, const struct allow_list *list, struct error *err)
{
    SCOPED(cJSON_Delete) cJSON *data = allow_list_data(list);
    SCOPED(cJSON_Delete) cJSON *before = NULL;
    if (!batch_own_newest(db, TYPE_ALLOW_LIST_LOADED, &before, err))
        return false;
    if (before != NULL) {
        SCOPED(xfree_char) char *old_text = json_print(before);
        SCOPED(xfree_char) char *new_text = json_print(data);
        if (strcmp(old_text, new_text) == 0)
            return true;
    }
    return batch_own_store(db, TYPE_ALLOW_LIST_LOADED, data, err);
}
