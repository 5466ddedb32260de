// Annotations as a real API server wrote them, and as nobody should.

#include "tests/unit/unit.h"

#include <string.h>

#include "collector/audit_policy.h"
#include "common/memory.h"

#define P "\"attribution.modeltrail.io/"
#define ALL_BUT_LAST                                                                               \
    P "generation-1\":\"1>2\"," P "generation-2\":\"2>3\"," P "generation-3\":\"3>4\"," P          \
      "generation-4\":\"4>5\"," P "generation-5\":\"5>6\"," P "generation-6\":\"6>7\"," P          \
      "generation-7\":\"7>8\"," P "generation-8\":\"8>9\"," P "generation-9\":\"9>10\"," P         \
      "generation-10\":\"10>11\"," P "generation-11\":\"11>12\"," P "generation-12\":\"12>13\"," P \
      "generation-13\":\"13>14\"," P "generation-14\":\"14>15\"," P "generation-15\":\"15>16\""

struct expectation {
    const char *annotations;
    bool answered_created;
    const char *uid; // NULL: none
    int64_t generation;
    bool created;
    bool dry_run;
};

static void check(const struct expectation *expected)
{
    struct audit_policy policy;
    struct error err;
    struct span span = {expected->annotations, strlen(expected->annotations)};
    assert_true(audit_policy_read(span, expected->answered_created, &policy, &err));
    if (expected->uid == NULL)
        assert_null(policy.uid);
    else
        assert_string_equal(policy.uid, expected->uid);
    if (policy.generation != expected->generation || policy.created != expected->created ||
        policy.dry_run != expected->dry_run || policy.applied != (expected->uid != NULL))
        fail_msg("%s", expected->annotations);
    audit_policy_reset(&policy);
}

static void tells_what_a_request_led_to(void **state)
{
    static const struct expectation expectations[] = {
        {"{}", false, NULL, 0, false, false},
        {"{\"authorization.k8s.io/decision\":\"allow\"}", true, NULL, 0, false, false},
        {"{" P "created-uid\":\"u\"," P "created-generation\":\"1\"}", true, "u", 1, true, false},
        {"{" P "uid\":\"u\"," P "generation-6\":\"6>7\"}", false, "u", 7, false, false},
        {"{" P "uid\":\"u\"," P "generation-7\":\"7>7\"}", false, "u", 0, false, false},
        {"{" P "uid\":\"u\"}", false, "u", 0, false, false},
        {"{" P "uid\":\"u\"," P "dry-run\":\"true\"}", false, "u", 0, false, true},
        // Of several tries, the one that found the highest generation was done.
        {"{" P "uid\":\"u\"," P "generation-0\":\"32>33\"," P "generation-15\":\"31>32\"}", false,
         "u", 33, false, false},
        {"{" P "uid\":\"u\"," P "generation-15\":\"31>32\"," P "generation-0\":\"32>32\"}", false,
         "u", 0, false, false},
        // An apply that met another's create, and one whose object was deleted under it.
        {"{" P "uid\":\"u\"," P "created-uid\":\"never\"," P "created-generation\":\"1\"," P
         "generation-1\":\"1>2\"}",
         false, "u", 2, false, false},
        {"{" P "uid\":\"gone\"," P "created-uid\":\"u\"," P "created-generation\":\"1\"," P
         "generation-1\":\"1>2\"}",
         true, "u", 1, true, false},
        // With every key taken there may have been more tries than keys.
        {"{" P "uid\":\"u\"," ALL_BUT_LAST "}", false, "u", 16, false, false},
        {"{" P "uid\":\"u\"," ALL_BUT_LAST "," P "generation-0\":\"16>17\"}", false, "u", 0, false,
         false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(expectations) / sizeof(*expectations); i++)
        check(&expectations[i]);
}

static void what_the_policy_never_writes_says_nothing(void **state)
{
    static const char *const steps[] = {"\"\"",    "\"7\"",     "7",       "\"7>\"",
                                        "\">7\"",  "\"8>7\"",   "\"0>1\"", "\"-1>1\"",
                                        "\"a>b\"", "[\"6>7\"]", "null"};
    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        SCOPED(xfree_char)
        char *text = xasprintf("{" P "uid\":\"u\"," P "generation-6\":%s}", steps[i]);
        check(&(struct expectation){text, false, "u", 0, false, false});
    }
}

static void annotations_may_be_missing(void **state)
{
    struct audit_policy policy;
    struct error err;
    (void)state;
    assert_true(audit_policy_read((struct span){0}, true, &policy, &err));
    assert_false(policy.applied);
    assert_true(audit_policy_read((struct span){"7", 1}, true, &policy, &err));
    assert_false(policy.applied);
    assert_false(audit_policy_read((struct span){"{", 1}, true, &policy, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_a_request_led_to),
        cmocka_unit_test(what_the_policy_never_writes_says_nothing),
        cmocka_unit_test(annotations_may_be_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
