// Rules that tell whose a principal is: their form here, their meaning by PostgreSQL, which matches
// them (sql/migrations/0005_people.sql). The form is narrower than PostgreSQL's, so that a rule
// means what it seems to and can be read as a POSIX extended regular expression.

#include "store/person_rule.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "common/text.h"

// A pattern that compiles in less does so within every answer too.
#define COMPILE_MS "1000"

// From behind '[' to its ']', or NULL. A ']' that comes first stands for itself, and so does one
// inside [:class:], [.x.] and [=x=].
static const char *bracket_end(const char *c)
{
    c += *c == '^';
    c += *c == ']';
    while (*c != '\0' && *c != ']') {
        if (*c == '[' && c[1] != '\0' && strchr(":.=", c[1]) != NULL) {
            const char closing[] = {c[1], ']', '\0'};
            c = strstr(c + 2, closing);
            if (c == NULL)
                return NULL;
            c += 2;
        } else if (*c == '\\' && c[1] != '\0') {
            c += 2; // PostgreSQL knows escapes in brackets, unlike POSIX
        } else {
            c++;
        }
    }
    return *c == ']' ? c : NULL;
}

#define UNANCHORED                                                                                 \
    "must match a whole principal, from '^' to '$'; hint: a rule that matches a part takes "       \
    "whoever has that part in their name"

// Only a '$' that ends the text, and no escaped one, is an anchor; alternatives outside of
// parentheses would each have but one of the two.
const char *person_rule_fault(const char *pattern, unsigned *groups)
{
    int depth = 0;
    bool is_closed = false;
    *groups = 0;
    if (*pattern == '\0' || strlen(pattern) > PERSON_RULE_BYTES)
        return "is a text of 1 to 1000 bytes";
    if (*pattern != '^')
        return UNANCHORED;
    for (const char *c = pattern + 1; *c != '\0'; c++) {
        is_closed = false;
        if (*c == '\\') {
            if (*++c == '\0')
                return "ends with '\\'";
            if (*c >= '0' && *c <= '9')
                return "must not refer back to a group (\\1); hint: only the person's name may";
        } else if (*c == '[') {
            c = bracket_end(c + 1);
            if (c == NULL)
                return "has a '[' without ']'";
        } else if (*c == '(') {
            if (c[1] == '?')
                return "must not use '(?'; hint: POSIX extended regular expressions only";
            depth++;
            ++*groups;
        } else if (*c == ')') {
            if (depth-- == 0)
                return "has a ')' without '('";
        } else if (*c == '|' && depth == 0) {
            return "has a '|' outside of parentheses; hint: ^(this|that)$";
        } else {
            is_closed = *c == '$' && depth == 0;
        }
    }
    if (depth > 0)
        return "has a '(' without ')'";
    return is_closed ? NULL : UNANCHORED;
}

bool person_rule_is_template(const char *name)
{
    return strchr(name, '\\') != NULL;
}

// PostgreSQL takes "\\&" and more there; a name that needs them is none.
const char *person_rule_name_fault(const char *name, unsigned groups)
{
    if (strlen(name) > PERSON_RULE_BYTES)
        return "a person's name has 1000 bytes at most";
    for (const char *c = strchr(name, '\\'); c != NULL; c = strchr(c + 2, '\\')) {
        if (c[1] < '1' || c[1] > '9')
            return "a '\\' in a person's name stands before the number of a group, \\1 to \\9";
        if ((unsigned)(c[1] - '0') > groups)
            return "the person's name refers to a group that this rule does not have";
    }
    return NULL;
}

void person_rules_add(struct person_rules *rules, const char *pattern, size_t line)
{
    rules->items = xgrow(rules->items, &rules->capacity, rules->count + 1, sizeof(*rules->items));
    rules->items[rules->count++] = (struct person_rule){xstrdup(pattern), line};
}

void person_rules_reset(struct person_rules *rules)
{
    for (size_t i = 0; i < rules->count; i++)
        free(rules->items[i].pattern);
    free(rules->items);
    *rules = (struct person_rules){0};
}

// What comes back is dropped: whether an empty text matches is nobody's question. The collation is
// that of the columns.
static bool check_rule(const struct person_rule *rule, struct database *db, const char *path,
                       struct error *err)
{
    const char *const params[] = {rule->pattern};
    if (database_query(db, "SELECT '' ~ ($1::text COLLATE \"C\")", 1, params, NULL, err))
        return true;
    bool is_slow = strcmp(err->sqlstate, "57014") == 0;
    // 2201B: no regular expression; 54xxx: too complex for PostgreSQL.
    if (!is_slow && strcmp(err->sqlstate, "2201B") != 0 && strncmp(err->sqlstate, "54", 2) != 0)
        return false;
    struct error said = *err;
    return fail(err, REACT_STOP, "%s line %zu: rule '%.60s': %s", path, rule->line, rule->pattern,
                is_slow ? "takes PostgreSQL more than a second to compile" : said.text);
}

// The limit is this transaction's and ends with it. A statement that failed ends the transaction
// too, and there is nothing in it to lose.
bool person_rules_check(const struct person_rules *rules, struct database *db, const char *path,
                        struct error *err)
{
    struct error ignored;
    if (rules->count == 0)
        return true;
    if (!database_execute(db, "BEGIN; SET LOCAL statement_timeout = " COMPILE_MS, err))
        return false;
    bool good = true;
    for (size_t i = 0; good && i < rules->count; i++)
        good = check_rule(&rules->items[i], db, path, err);
    if (!database_execute(db, "ROLLBACK", good ? err : &ignored))
        return false;
    return good;
}
