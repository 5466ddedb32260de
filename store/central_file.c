// The central file in YAML, checked for people: every message says where.
// Everything is checked before anything is written, and the first fault ends it: a file holds as a
// whole or not at all.

#include "store/central_file.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/text.h"
#include "common/timestamp.h"
#include "common/yaml.h"
#include "store/facts_field.h"

// What was named so far, with its line, to refuse naming it again.
struct seen {
    struct seen_name {
        char *name;
        size_t line;
    } * items;
    size_t count;
    size_t capacity;
};

static void seen_reset(struct seen *seen)
{
    for (size_t i = 0; i < seen->count; i++)
        free(seen->items[i].name);
    free(seen->items);
    *seen = (struct seen){0};
}

// err is the caller's, and set when a function returns false. What was seen spans the whole file.
struct reader {
    const char *path;
    struct error *err;
    struct seen environments;
    struct seen scopes;
    struct seen principals;
    struct seen patterns;
    struct seen rules;
    struct person_rules *person_rules; // the caller's
};

// Told with both lines: in a file of hundreds of scopes, one line alone would not be found.
static bool see(struct reader *reader, struct seen *seen, const char *what, const char *name,
                size_t line)
{
    for (size_t i = 0; i < seen->count; i++) {
        if (strcmp(seen->items[i].name, name) == 0)
            return fail(reader->err, REACT_STOP,
                        "%s line %zu: %s '%.100s' is named twice; hint: the first time in line %zu",
                        reader->path, line, what, name, seen->items[i].line);
    }
    seen->items = xgrow(seen->items, &seen->capacity, seen->count + 1, sizeof(*seen->items));
    seen->items[seen->count++] = (struct seen_name){xstrdup(name), line};
    return true;
}

static bool bad(const struct reader *reader, size_t line, const char *what)
{
    return fail(reader->err, REACT_STOP, "%s line %zu: %s", reader->path, line, what);
}

// Names end up in terminals and reports.
static bool is_name(const char *text)
{
    if (text == NULL || *text == '\0' || strlen(text) > TEXT_INDEXED)
        return false;
    SCOPED_BUFFER visible = {0};
    text_append_visible(&visible, text, strlen(text));
    return text_is_utf8(text, strlen(text)) && strcmp(visible.data, text) == 0;
}

static bool check_kind(const struct reader *reader, const struct yaml_node *node,
                       enum yaml_kind kind, const char *what)
{
    static const char *const names[] = {"a text", "a list", "a map"};
    if (node->kind == kind)
        return true;
    return fail(reader->err, REACT_STOP, "%s line %zu: %s must be %s", reader->path, node->line,
                what, names[kind]);
}

// `cluster` or `cluster/namespace`.
static bool read_scope(struct reader *reader, const struct yaml_node *node, cJSON *scopes)
{
    if (!check_kind(reader, node, YAML_SCALAR, "a scope"))
        return false;
    const char *slash = strchr(node->scalar, '/');
    size_t length = slash ? (size_t)(slash - node->scalar) : strlen(node->scalar);
    SCOPED(xfree_char) char *cluster = xstrndup(node->scalar, length);
    const char *namespace = slash ? slash + 1 : NULL;
    // A second slash is a typo, not part of a name: Kubernetes has none in names.
    if (!is_name(cluster) || (slash && (!is_name(namespace) || strchr(namespace, '/') != NULL)))
        return bad(reader, node->line, "a scope is CLUSTER or CLUSTER/NAMESPACE");
    if (!see(reader, &reader->scopes, "scope", node->scalar, node->line))
        return false;
    cJSON *scope = cJSON_CreateObject();
    json_add_text(scope, "cluster", cluster);
    json_add_text(scope, "namespace", namespace);
    cJSON_AddItemToArray(scopes, scope);
    return true;
}

// Always a member, null when not given: two files that say the same print the same.
static bool read_order(struct reader *reader, const struct yaml_node *node, cJSON *environment)
{
    const char *text = yaml_text(node, "order");
    int64_t order;
    if (yaml_get(node, "order") == NULL) {
        cJSON_AddNullToObject(environment, "order");
        return true;
    }
    if (text == NULL || !text_to_int64(text, &order) || order < INT_MIN || order > INT_MAX)
        return bad(reader, yaml_get(node, "order")->line, "'order' must be a whole number");
    cJSON_AddNumberToObject(environment, "order", (double)order);
    return true;
}

// No scopes are fine: an environment may get its namespaces from their label alone (R23).
static bool read_environment(struct reader *reader, const struct yaml_node *node, cJSON *list)
{
    static const char *const known[] = {"name", "order", "scopes", NULL};
    if (!yaml_check_keys(node, "environment", known, reader->err))
        return fail_in(reader->err, "%s", reader->path);
    const char *name = yaml_text(node, "name");
    if (!is_name(name))
        return bad(reader, node->line, "an environment needs a 'name' that can be printed");
    if (!see(reader, &reader->environments, "environment", name, node->line))
        return false;
    cJSON *environment = cJSON_CreateObject();
    cJSON_AddItemToArray(list, environment);
    json_add_text(environment, "name", name);
    cJSON *scopes = cJSON_AddArrayToObject(environment, "scopes");
    const struct yaml_node *given = yaml_get(node, "scopes");
    if (given != NULL && !check_kind(reader, given, YAML_LIST, "'scopes'"))
        return false;
    for (size_t i = 0; given != NULL && i < given->count; i++) {
        if (!read_scope(reader, &given->items[i], scopes))
            return false;
    }
    return read_order(reader, node, environment);
}

// Literals and {environment}, {model}, {version}, which must name something and not touch one
// another.
// Placeholders that touch could be split anywhere, and a name must not depend on how we search
// (docs/naming.md).
static const char *pattern_fault(const char *pattern)
{
    static const char *const known[] = {"{environment}", "{model}", "{version}"};
    unsigned used = 0;
    const char *behind = NULL; // where the last placeholder ended
    if (*pattern == '\0' || strlen(pattern) > 1000)
        return "a pattern has 1 to 1000 bytes";
    for (const char *c = pattern; *c != '\0';) {
        if (*c == '}')
            return "'}' without '{'";
        if (*c != '{') {
            c++;
            continue;
        }
        unsigned found = 0;
        while (found < 3 && !text_starts_with(c, known[found]))
            found++;
        if (found == 3)
            return "placeholders are {environment}, {model} and {version}";
        if (used & (1u << found))
            return "a placeholder occurs twice";
        if (behind == c)
            return "two placeholders need text between them";
        used |= 1u << found;
        c += strlen(known[found]);
        behind = c;
    }
    return used & 6 ? NULL : "a pattern needs {model} or {version}";
}

static bool read_pattern(struct reader *reader, const struct yaml_node *node, cJSON *list)
{
    if (!check_kind(reader, node, YAML_SCALAR, "an artifact pattern"))
        return false;
    const char *fault = pattern_fault(node->scalar);
    if (fault != NULL)
        return fail(reader->err, REACT_STOP, "%s line %zu: pattern '%.100s': %s", reader->path,
                    node->line, node->scalar, fault);
    cJSON_AddItemToArray(list, cJSON_CreateString(node->scalar));
    return see(reader, &reader->patterns, "pattern", node->scalar, node->line);
}

// A person is human unless said otherwise; a service says what it is, or is just that. Which word
// it stands under decides who may be taken for a human.
static bool read_kind(struct reader *reader, const struct yaml_node *node, bool is_person,
                      cJSON *person)
{
    static const char *const of_people[] = {"human", "shared", NULL};
    static const char *const of_services[] = {"service", "ci",         "gitops",
                                              "system",  "controller", NULL};
    const char *const *kinds = is_person ? of_people : of_services;
    const struct yaml_node *given = yaml_get(node, "kind");
    const char *kind = given ? given->scalar : kinds[0];
    for (size_t i = 0; kind != NULL && kinds[i] != NULL; i++) {
        if (strcmp(kinds[i], kind) == 0) {
            json_add_text(person, "kind", kind);
            return true;
        }
    }
    return bad(reader, given ? given->line : node->line,
               is_person ? "'kind' of a person is human or shared; hint: all else is a 'service'"
                         : "'kind' of a service is ci, gitops, controller, system or service; "
                           "hint: human and shared are those of a 'person'");
}

// A token that a program holds proves no human, and what a file says so would be believed by every
// answer.
static bool check_account(struct reader *reader, const struct yaml_node *item, const char *kind)
{
    if (strcmp(kind, "human") != 0 || !text_starts_with(item->scalar, "system:serviceaccount:"))
        return true;
    return fail(reader->err, REACT_STOP,
                "%s line %zu: '%.100s' is a service account, and those are never human; hint: name "
                "it under 'service:', or give the person kind: shared",
                reader->path, item->line, item->scalar);
}

// A principal is not held to is_name: it is compared byte by byte with what the audit log says,
// whatever that is, and escaped where it is printed.
static bool read_principals(struct reader *reader, const struct yaml_node *given, cJSON *person)
{
    cJSON *principals = cJSON_AddArrayToObject(person, "principals");
    for (size_t i = 0; given != NULL && i < given->count; i++) {
        const struct yaml_node *item = &given->items[i];
        if (item->kind != YAML_SCALAR || *item->scalar == '\0' || strlen(item->scalar) > 1000)
            return bad(reader, item->line, "a principal is a text of 1 to 1000 bytes");
        if (!see(reader, &reader->principals, "principal", item->scalar, item->line) ||
            !check_account(reader, item, json_text(person, "kind")))
            return false;
        cJSON_AddItemToArray(principals, cJSON_CreateString(item->scalar));
    }
    return true;
}

// What PostgreSQL thinks of it is asked later (apply.c); this file reads without a database.
static bool read_rule(struct reader *reader, const struct yaml_node *item, const char *name,
                      cJSON *rules)
{
    unsigned groups = 0;
    if (!check_kind(reader, item, YAML_SCALAR, "a rule"))
        return false;
    const char *fault = person_rule_fault(item->scalar, &groups);
    if (fault == NULL)
        fault = person_rule_name_fault(name, groups);
    if (fault != NULL)
        return fail(reader->err, REACT_STOP, "%s line %zu: rule '%.60s': %s", reader->path,
                    item->line, item->scalar, fault);
    if (reader->rules.count >= PERSON_RULES)
        return bad(reader, item->line, "more than 1000 rules");
    cJSON_AddItemToArray(rules, cJSON_CreateString(item->scalar));
    person_rules_add(reader->person_rules, item->scalar, item->line);
    return see(reader, &reader->rules, "rule", item->scalar, item->line);
}

static bool read_rules(struct reader *reader, const struct yaml_node *given, cJSON *person)
{
    if (given == NULL)
        return true;
    cJSON *rules = cJSON_AddArrayToObject(person, "rules");
    for (size_t i = 0; i < given->count; i++) {
        if (!read_rule(reader, &given->items[i], json_text(person, "person"), rules))
            return false;
    }
    return true;
}

// Principals, rules or both. A name that rules fill in is nobody's whom the file could name.
static bool read_names(struct reader *reader, const struct yaml_node *node, cJSON *person)
{
    const struct yaml_node *principals = yaml_get(node, "principals");
    const struct yaml_node *rules = yaml_get(node, "rules");
    if ((principals != NULL && !check_kind(reader, principals, YAML_LIST, "'principals'")) ||
        (rules != NULL && !check_kind(reader, rules, YAML_LIST, "'rules'")))
        return false;
    if ((principals ? principals->count : 0) + (rules ? rules->count : 0) == 0)
        return bad(reader, node->line, "'principals' or 'rules' must list at least one");
    if (principals != NULL && principals->count > 0 &&
        person_rule_is_template(json_text(person, "person")))
        return bad(reader, node->line,
                   "a name with a '\\' in it is filled in by 'rules', and has no 'principals'");
    return read_principals(reader, principals, person) && read_rules(reader, rules, person);
}

// Printed anew in UTC: the same instant in another zone is no change.
static bool read_instant(struct reader *reader, const struct yaml_node *given, cJSON *data)
{
    int64_t at;
    if (given->scalar == NULL || !timestamp_parse(given->scalar, &at) || !time_is_sane(at))
        return bad(reader, given->line, "'from' must be a time such as 2026-01-31T12:00:00Z");
    char text[TIMESTAMP_TEXT];
    timestamp_format(at, text);
    json_add_text(data, "from", text);
    return true;
}

// A service is a person of another kind to the rest of the program; the two words let the file say
// which default is meant.
static bool read_person(struct reader *reader, const struct yaml_node *node, cJSON *list)
{
    static const char *const known[] = {"person", "service", "kind", "principals",
                                        "rules",  "from",    NULL};
    if (!yaml_check_keys(node, "person", known, reader->err))
        return fail_in(reader->err, "%s", reader->path);
    const char *person = yaml_text(node, "person");
    const char *service = yaml_text(node, "service");
    if ((person == NULL) == (service == NULL) || !is_name(person ? person : service))
        return bad(reader, node->line,
                   "needs either 'person' or 'service', a name that can be printed");
    const struct yaml_node *from = yaml_get(node, "from");
    cJSON *entry = cJSON_CreateObject();
    cJSON_AddItemToArray(list, entry);
    json_add_text(entry, "person", person ? person : service);
    return read_kind(reader, node, person != NULL, entry) && read_names(reader, node, entry) &&
           (from == NULL || read_instant(reader, from, entry));
}

static bool read_list(struct reader *reader, const struct yaml_node *root, const char *key,
                      bool (*read)(struct reader *, const struct yaml_node *, cJSON *), cJSON *data)
{
    cJSON *list = cJSON_AddArrayToObject(data, key);
    const struct yaml_node *given = yaml_get(root, key);
    if (given != NULL && !check_kind(reader, given, YAML_LIST, key))
        return false;
    for (size_t i = 0; given != NULL && i < given->count; i++) {
        if (!read(reader, &given->items[i], list))
            return false;
    }
    return true;
}

// Always a member, null when not given.
static bool read_from(struct reader *reader, const struct yaml_node *root, cJSON *data)
{
    const struct yaml_node *given = yaml_get(root, "from");
    if (given != NULL)
        return read_instant(reader, given, data);
    cJSON_AddNullToObject(data, "from");
    return true;
}

static bool read_root(struct reader *reader, const struct yaml_node *root, cJSON *data)
{
    static const char *const known[] = {"environments", "artifacts", "people", "from", NULL};
    if (!yaml_check_keys(root, "central file", known, reader->err))
        return fail_in(reader->err, "%s", reader->path);
    return read_list(reader, root, "environments", read_environment, data) &&
           read_list(reader, root, "artifacts", read_pattern, data) &&
           read_list(reader, root, "people", read_person, data) && read_from(reader, root, data);
}

// Once and by a command, so a pipe will do: it may come out of a template or a vault.
// What is built hangs in `data` from the moment it is made, so one delete frees it wherever it
// stops.
bool central_file_read(const char *path, cJSON **out, struct person_rules *rules, struct error *err)
{
    SCOPED(yaml_tree_free) struct yaml_node *root = NULL;
    if (!yaml_load_file(path, NAMED_FILE_OR_PIPE, &root, err))
        return false;
    struct reader reader = {.path = path, .err = err, .person_rules = rules};
    cJSON *data = cJSON_CreateObject();
    bool good = read_root(&reader, root, data);
    seen_reset(&reader.environments);
    seen_reset(&reader.scopes);
    seen_reset(&reader.principals);
    seen_reset(&reader.patterns);
    seen_reset(&reader.rules);
    if (good)
        *out = data;
    else
        cJSON_Delete(data);
    return good;
}
