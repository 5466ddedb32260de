// The form of rules, and of the names that they fill in.

#include "tests/unit/unit.h"

#include <string.h>

#include "common/memory.h"
#include "store/person_rule.h"

static void test_forms_that_are_taken(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        unsigned groups;
    } cases[] = {
        {"^$", 0},
        {"^alice$", 0},
        {"^arn:aws:sts::[0-9]+:assumed-role/MLPlatform/([^/]+)$", 1},
        {"^(a|b)(c(d))$", 3},
        {"^a\\(b\\$$", 0},
        {"^a\\\\$", 0},
        // What stands in brackets opens and closes nothing.
        {"^[]()|$]$", 0},
        {"^[^](]x$", 0},
        {"^[[:alpha:](]$", 0},
        {"^[[.].](]$", 0},
        {"^[\\](]$", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        unsigned groups = 99;
        const char *fault = person_rule_fault(cases[i].pattern, &groups);
        if (fault != NULL || groups != cases[i].groups)
            fail_msg("case %zu: %s, %u groups", i, fault ? fault : "taken", groups);
    }
}

static void test_forms_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *word;
    } cases[] = {
        {"", "1 to 1000"},
        {"^", "from '^' to '$'"},
        {"alice$", "from '^' to '$'"},
        {"^alice", "from '^' to '$'"},
        {"^alice\\$", "from '^' to '$'"},
        {"^alice[$]", "from '^' to '$'"},
        {"^(alice$)", "from '^' to '$'"},
        {"^alice$ ", "from '^' to '$'"},
        {"^alice|bob$", "parentheses"},
        {"^(a)\\1$", "refer back"},
        {"^\\0$", "refer back"},
        {"^(?:a)$", "'(?'"},
        {"^(?=a)a$", "'(?'"},
        {"(?i)^a$", "from '^' to '$'"},
        {"***:^a$", "from '^' to '$'"},
        {"^(a$", "without ')'"},
        {"^a)$", "without '('"},
        {"^[a$", "without ']'"},
        {"^[$", "without ']'"},
        {"^[[:alpha$", "without ']'"},
        {"^a\\", "ends with '\\'"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        unsigned groups;
        const char *fault = person_rule_fault(cases[i].pattern, &groups);
        if (fault == NULL || strstr(fault, cases[i].word) == NULL)
            fail_msg("case %zu: %s", i, fault ? fault : "taken");
    }
    char longest[PERSON_RULE_BYTES + 2];
    memset(longest, 'a', sizeof(longest));
    longest[0] = '^';
    longest[PERSON_RULE_BYTES - 1] = '$';
    longest[PERSON_RULE_BYTES] = '\0';
    unsigned groups;
    assert_null(person_rule_fault(longest, &groups));
    longest[PERSON_RULE_BYTES - 1] = 'a';
    longest[PERSON_RULE_BYTES] = '$';
    longest[PERSON_RULE_BYTES + 1] = '\0';
    assert_non_null(person_rule_fault(longest, &groups));
}

static void test_names(void **state)
{
    (void)state;
    assert_null(person_rule_name_fault("alice@corp.example", 0));
    assert_null(person_rule_name_fault("\\1@\\2", 2));
    assert_non_null(person_rule_name_fault("\\1@\\2", 1));
    assert_non_null(person_rule_name_fault("\\0", 9));
    assert_non_null(person_rule_name_fault("\\&", 9));
    assert_non_null(person_rule_name_fault("a\\", 9));
    assert_non_null(person_rule_name_fault("\\\\1", 9));
    assert_true(person_rule_is_template("\\1@corp"));
    assert_false(person_rule_is_template("corp"));
}

static void test_lists(void **state)
{
    (void)state;
    struct person_rules rules = {0};
    person_rules_add(&rules, "^a$", 3);
    person_rules_add(&rules, "^b$", 4);
    assert_int_equal(rules.count, 2);
    assert_string_equal(rules.items[1].pattern, "^b$");
    assert_int_equal(rules.items[1].line, 4);
    person_rules_reset(&rules);
    assert_int_equal(rules.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms_that_are_taken),
        cmocka_unit_test(test_forms_that_are_refused),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
