// Who made what an object held when it was found (R17, R18): whoever created it, or nobody.

#include "tests/unit/fold/facts.h"

#define V1 "s3://models/fraud/v1"
#define V2 "s3://models/fraud/v2"

static void first_sight_of_an_old_object_is_no_jump(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 7, 10, V1);             // #1
    request(&facts, "patch", 10, FOLD_NONE, 7); // #2
    request(&facts, "patch", 5, FOLD_NONE, 6);  // #3
    assert_attributions(&facts, "10 #2 ambiguous\n");
}

// Its spec may be older than the label that somebody wrote just before it was found.
static void what_an_object_held_when_it_was_found_proves_nobody(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe_second(&facts, 10, 7, 100, V1); // #1
    assert_attributions(&facts, "");
    by_name(&facts, "patch", 50, "a");  // #2
    by_name(&facts, "patch", 100, "b"); // #3
    assert_attributions(&facts, "10 #3 ambiguous\n");
    // #4 says that it raised the generation: by this version or by something else.
    request(&facts, "patch", 100, FOLD_NONE, 7);
    assert_attributions(&facts, "10 #4 ambiguous\n");
}

// Level RequestResponse, and nothing is known from before. A label, a scale or a change of one
// model has the position and the generation of all that the object held already.
static void whoever_wrote_what_was_found_is_not_named(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    struct reading *reading = observe_nothing(&facts, 10, 7, 10); // #1
    place(&facts, reading, "a", "live", V1, FOLD_NONE);
    place(&facts, reading, "b", "live", V1, FOLD_NONE);
    struct fold_request *label = request(&facts, "patch", 10, 10, 7); // #2
    assert_attributions(&facts, "10 #2 ambiguous\n");
    label->subresource = "scale";
    assert_attributions(&facts, "10 #2 ambiguous\n");
    label->generation = FOLD_NONE;
    facts.readings[0].generation = FOLD_NONE;
    assert_attributions(&facts, "10 #2 ambiguous\n");
    label->subresource = NULL;
    label->generation = 7;
    facts.readings[0].generation = 7;
    // What comes later is seen coming, a new component too.
    reading = observe_nothing(&facts, 20, 8, 20); // #3
    place(&facts, reading, "a", "live", V2, FOLD_NONE);
    place(&facts, reading, "b", "live", V1, FOLD_NONE);
    place(&facts, reading, "c", "live", V1, FOLD_NONE);
    request(&facts, "patch", 20, 20, 8); // #4
    assert_changes(&facts, "10 a deployed initial -->v1 -->- t10\n"
                           "10 b deployed initial -->v1 -->- t10\n"
                           "20 a upgraded - v1->v2 -->- t20\n"
                           "20 c deployed - -->v1 -->- t20\n");
    assert_string_equal(attribution_lines(&facts), "10 #2 ambiguous\n20 #4 exact\n");
}

// At generation 1 too a label may be what was read first; of what status shows later nobody knows
// more than of the spec.
static void what_was_found_has_no_author_for_status_either(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    struct reading *reading = observe_nothing(&facts, 10, 1, 10); // #1
    place(&facts, reading, "canary", "canary", V1, 10)->revisioned = true;
    request(&facts, "patch", 10, 10, 1);          // #2
    reading = observe_nothing(&facts, 20, 1, 20); // #3
    place(&facts, reading, "canary", "canary", V1, 10)->revisioned = true;
    set_revisions(&facts, reading, NULL, "r0", NULL);
    assert_attributions(&facts, "10 #2 ambiguous\n20 #2 ambiguous\n");
    request(&facts, "create", 5, FOLD_NONE, 1); // #4: read a day later
    assert_attributions(&facts, "10 #4 exact\n20 #4 exact\n");
}

static void its_creation_proves_what_was_found(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1);                                     // #1
    struct fold_request *applied = request(&facts, "patch", 10, 10, 1); // #2
    assert_attributions(&facts, "10 #2 ambiguous\n");
    applied->code = 201; // an apply of what was not there
    assert_attributions(&facts, "10 #2 exact\n");
    applied->position = 8; // it was seen at a label's position only
    request(&facts, "patch", 9, 10, 1)->log_index = 1;
    assert_attributions(&facts, "10 #2 exact\n");
    // Since raised: the creation did not make this spec.
    facts.readings[0].generation = 2;
    facts.requests[1].generation = 2;
    assert_attributions(&facts, "10 #1 ambiguous\n");
}

static void of_reviews_that_of_the_creation_proves_what_was_found(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 100, V1);        // #1
    review(&facts, "update", 99, 1, "bob"); // #2
    assert_attributions(&facts, "10 #2 ambiguous\n");
    review(&facts, "update", 98, 1, "carol"); // #3
    assert_attributions(&facts, "10 #2 ambiguous\n10 #3 ambiguous\n");
    review(&facts, "create", 101, 1, "alice"); // #4
    assert_attributions(&facts, "10 #4 exact\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_sight_of_an_old_object_is_no_jump),
        cmocka_unit_test(what_an_object_held_when_it_was_found_proves_nobody),
        cmocka_unit_test(whoever_wrote_what_was_found_is_not_named),
        cmocka_unit_test(what_was_found_has_no_author_for_status_either),
        cmocka_unit_test(its_creation_proves_what_was_found),
        cmocka_unit_test(of_reviews_that_of_the_creation_proves_what_was_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
