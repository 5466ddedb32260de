// The central file in YAML, and the event that it becomes.

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/event.h"
#include "common/json.h"
#include "store/central.h"
#include "store/central_file.h"

static cJSON *read_text(const char *text, struct error *err)
{
    char path[] = "/tmp/modeltrail-central-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    cJSON *data = NULL;
    err->text[0] = '\0';
    struct person_rules rules = {0};
    if (!central_file_read(path, &data, &rules, err))
        data = NULL;
    person_rules_reset(&rules);
    unlink(path);
    return data;
}

static void test_example(void **state)
{
    (void)state;
    struct error err;
    SCOPED(cJSON_Delete)
    cJSON *data = read_text("environments:\n"
                            "  - {name: dev, order: 1, scopes: [c1/risk-dev]}\n"
                            "  - {name: prod, scopes: [c2]}\n"
                            "artifacts: [\"s3://m-{environment}/{model}/{version}\"]\n"
                            "people:\n"
                            "  - {person: bob@x, principals: [bob]}\n"
                            "  - {service: ci, kind: ci, principals: [\"system:sa:ci\"]}\n"
                            "from: 2026-01-01T02:00:00+01:00\n",
                            &err);
    assert_non_null(data);
    SCOPED(xfree_char) char *text = json_print(data);
    assert_string_equal(
        text, "{\"environments\":[{\"name\":\"dev\",\"scopes\":[{\"cluster\":\"c1\","
              "\"namespace\":\"risk-dev\"}],\"order\":1},{\"name\":\"prod\",\"scopes\":[{"
              "\"cluster\":\"c2\",\"namespace\":null}],\"order\":null}],"
              "\"artifacts\":[\"s3://m-{environment}/{model}/{version}\"],"
              "\"people\":[{\"person\":\"bob@x\",\"kind\":\"human\",\"principals\":[\"bob\"]},"
              "{\"person\":\"ci\",\"kind\":\"ci\",\"principals\":[\"system:sa:ci\"]}],"
              "\"from\":\"2026-01-01T01:00:00Z\"}");
}

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *word;
    } cases[] = {
        {"artifacts: [\"{model}{version}\"]\n", "between them"},
        {"artifacts: [\"s3://{model}/{model}\"]\n", "twice"},
        {"artifacts: [\"s3://{environment}\"]\n", "needs {model}"},
        {"artifacts: [\"s3://{model\"]\n", "placeholders"},
        {"artifacts: [\"s3://}{model}\"]\n", "without"},
        {"environments: [{name: \"\"}]\n", "needs a 'name'"},
        {"environments: [{name: \"\\e[31m\"}]\n", "printed"},
        {"environments: {name: dev}\n", "must be a list"},
        {"environments: [{name: dev, scopes: [/x]}]\n", "CLUSTER"},
        {"environments: [{name: dev, scopes: [c1/]}]\n", "CLUSTER"},
        {"people: [{principals: [x]}]\n", "either"},
        {"people: [{person: x, principals: [\"\"]}]\n", "principal"},
        {"people: [{person: x}]\n", "at least one"},
        {"people: [{person: x, rules: []}]\n", "at least one"},
        {"people: [{person: x, rules: [[a]]}]\n", "a text"},
        {"people: [{person: x, principals: a}]\n", "a list"},
        {"people: [{person: x, rules: [a]}]\n", "'^' to '$'"},
        {"people: [{person: x, rules: [^a$, ^a$]}]\n", "twice"},
        {"people: [{person: '\\1', rules: [^a$]}]\n", "group"},
        {"people: [{person: x, from: 2026, principals: [a]}]\n", "time"},
        {"people: [{person: x, kind: gitops, principals: [a]}]\n", "human or shared"},
        {"people: [{service: x, kind: human, principals: [a]}]\n", "'kind' of a service"},
        {"people: [{person: x, principals: ['system:serviceaccount:a:b']}]\n", "never human"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct error err;
        assert_null(read_text(cases[i].text, &err));
        if (strstr(err.text, cases[i].word) == NULL || strstr(err.text, "line 1") == NULL)
            fail_msg("case %zu: %s", i, err.text);
    }
}

static void test_rules(void **state)
{
    (void)state;
    struct error err;
    SCOPED(cJSON_Delete)
    cJSON *data = read_text("people:\n"
                            "  - person: '\\1@corp.example'\n"
                            "    rules: ['^arn:(.*)$', '^oidc:(.*)$']\n"
                            "    from: 2026-01-01T02:00:00+01:00\n"
                            "  - {person: ops, kind: shared, principals: [root, "
                            "'system:serviceaccount:a:b']}\n",
                            &err);
    assert_non_null(data);
    SCOPED(xfree_char) char *text = json_print(cJSON_GetObjectItem(data, "people"));
    assert_string_equal(text,
                        "[{\"person\":\"\\\\1@corp.example\",\"kind\":\"human\",\"principals\":[],"
                        "\"rules\":[\"^arn:(.*)$\",\"^oidc:(.*)$\"],"
                        "\"from\":\"2026-01-01T01:00:00Z\"},"
                        "{\"person\":\"ops\",\"kind\":\"shared\","
                        "\"principals\":[\"root\",\"system:serviceaccount:a:b\"]}]");
}

static void take_central(struct facts *facts, const char *data, struct batch_event *event)
{
    static char line[2000];
    snprintf(line, sizeof(line),
             "{\"specversion\":\"1.0\",\"id\":\"_store:1:1\",\"type\":\"" TYPE_CENTRAL_APPLIED
             "\",\"time\":\"2026-01-01T00:00:00Z\",\"data\":%s}",
             data);
    *event = (struct batch_event){.collector = "_store",
                                  .epoch = 1,
                                  .seq = 1,
                                  .line = line,
                                  .length = strlen(line),
                                  .log_index = 1};
    batch_event_read(event);
    facts_add(facts, event);
}

static void test_event_becomes_rows(void **state)
{
    (void)state;
    struct facts facts = {0};
    struct batch_event event;
    take_central(
        &facts,
        "{\"environments\":[{\"name\":\"dev\",\"order\":1,\"scopes\":[{\"cluster\":\"c1\"}]}],"
        "\"artifacts\":[],\"people\":[{\"person\":\"b\",\"kind\":\"human\","
        "\"principals\":[\"b\",\"c\"],\"rules\":[\"^d$\"],\"from\":\"2026-01-01T00:00:00Z\"}],"
        "\"applied_by\":\"root\"}",
        &event);
    assert_string_equal(event.quarantined, "");
    assert_int_equal(facts.central.count, 1);
    assert_int_equal(facts.environment.count, 1);
    assert_int_equal(facts.person.count, 3);
    assert_int_equal(facts.central_count, 1);
    batch_event_reset(&event);
    facts_reset(&facts);
}

// Twice the same key would end as an error of the database, which must never come from content.
static void test_event_that_names_twice_leaves_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"environments\":[{\"name\":\"a\"},{\"name\":\"a\"}],\"artifacts\":[],\"people\":[],"
        "\"applied_by\":\"x\"}",
        "{\"environments\":[{\"name\":\"a\",\"scopes\":[{\"cluster\":\"c\"}]},{\"name\":\"b\","
        "\"scopes\":[{\"cluster\":\"c\"}]}],\"artifacts\":[],\"people\":[],\"applied_by\":\"x\"}",
        "{\"environments\":[],\"artifacts\":[],\"people\":[{\"person\":\"a\",\"kind\":\"human\","
        "\"principals\":[\"p\",\"p\"]}],\"applied_by\":\"x\"}",
        "{\"environments\":[],\"artifacts\":[],\"people\":[{\"person\":\"a\",\"kind\":\"human\","
        "\"rules\":[\"^p$\",\"^p$\"]}],\"applied_by\":\"x\"}",
        "{\"environments\":[],\"artifacts\":[],\"people\":[{\"person\":\"a\",\"kind\":\"human\","
        "\"rules\":[7]}],\"applied_by\":\"x\"}",
        "{\"environments\":[],\"artifacts\":[],\"people\":[{\"person\":\"a\",\"kind\":\"human\","
        "\"from\":\"soon\",\"rules\":[\"^p$\"]}],\"applied_by\":\"x\"}",
        "{\"environments\":[],\"artifacts\":[],\"people\":[]}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct facts facts = {0};
        struct batch_event event;
        take_central(&facts, bad[i], &event);
        assert_string_not_equal(event.quarantined, "");
        assert_int_equal(facts.central.count, 0);
        assert_int_equal(facts.environment.count, 0);
        assert_int_equal(facts.person.count, 0);
        assert_int_equal(facts.central_count, 0);
        batch_event_reset(&event);
        facts_reset(&facts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_event_becomes_rows),
        cmocka_unit_test(test_event_that_names_twice_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
