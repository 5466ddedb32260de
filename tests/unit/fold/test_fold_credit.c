// Who made a change (R17, R18): by position, by generation, nobody when it may have been several.

#include "tests/unit/fold/facts.h"

#define V1 "s3://models/fraud/v1"
#define V2 "s3://models/fraud/v2"

static void r17_repeated_apply_does_not_steal(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1);      // #1
    request(&facts, "patch", 30, 10, 1); // #2: changed nothing, got the position that was there
    assert_attributions(&facts, "");
    request(&facts, "create", 9, 10, 1); // #3: the real one, seen later
    assert_attributions(&facts, "10 #3 exact\n");
}

static void r17_received_just_as_it_began(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1);
    request(&facts, "create", 10, 10, 1);
    assert_attributions(&facts, "10 #2 exact\n");
}

static void r18_by_generation_when_no_position_is_known(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1);              // #1
    observe(&facts, 20, 2, 20, V2);              // #2
    request(&facts, "patch", 20, FOLD_NONE, 2);  // #3
    request(&facts, "patch", 19, FOLD_NONE, 2);  // #4: the earlier of the two
    request(&facts, "create", 10, FOLD_NONE, 1); // #5
    assert_attributions(&facts, "10 #5 exact\n20 #4 exact\n");
}

static void r18_a_label_set_later_is_no_deployment(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 40, V1);
    observe(&facts, 20, 1, 40, V1);      // the label's own position
    request(&facts, "patch", 20, 20, 1); // reached generation 1 too, at a higher position
    assert_attributions(&facts, "");
}

static void r18_scale_and_status_are_no_deployments(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1);
    struct fold_request *scale = request(&facts, "update", 9, FOLD_NONE, 1);
    scale->subresource = "scale";
    struct fold_request *status = request(&facts, "update", 8, 10, 1);
    status->subresource = "status";
    assert_attributions(&facts, "");
    scale->position = 10; // the position that it made is its own
    assert_attributions(&facts, "10 #2 exact\n");
}

static void attempts_are_credited_with_nothing(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1);
    request(&facts, "create", 9, 10, 1)->code = 403;
    request(&facts, "create", 9, 10, 1)->dry_run = true;
    request(&facts, "create", 9, 10, 1)->code = FOLD_NONE;
    request(&facts, "get", 9, 10, 1);
    assert_attributions(&facts, "");
}

static void r18_what_comes_through_status_inherits(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    struct reading *reading = observe_nothing(&facts, 10, 1, 10); // #1
    place(&facts, reading, "canary", "canary", V1, 10)->revisioned = true;
    request(&facts, "create", 10, 10, 1);         // #2
    reading = observe_nothing(&facts, 20, 1, 20); // #3: status now tells which revision is kept
    place(&facts, reading, "canary", "canary", V1, 10)->revisioned = true;
    set_revisions(&facts, reading, NULL, "r0", NULL);
    assert_changes(&facts, "10 canary deployed initial -->v1 -->10 t10\n"
                           "20 predictor deployed - -->- -->90 t20\n");
    assert_string_equal(attribution_lines(&facts), "10 #2 exact\n20 #2 exact\n");
    // With another spec it did not come through status.
    facts.reading_count--;
    reading = observe_nothing(&facts, 20, 1, 20);
    place(&facts, reading, "canary", "canary", V2, 10)->revisioned = true;
    assert_attributions(&facts, "10 #2 exact\n");
}

static void unseen_generations_name_nobody(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1);             // #1
    request(&facts, "create", 10, 10, 1);       // #2
    request(&facts, "patch", 15, FOLD_NONE, 2); // #3: its position was never seen
    observe(&facts, 30, 3, 30, V2);             // #4
    request(&facts, "patch", 30, 30, 3);        // #5
    request(&facts, "patch", 40, 30, 3);        // #6: after the fact
    assert_attributions(&facts, "10 #2 exact\n30 #3 ambiguous\n30 #5 ambiguous\n");
}

static void first_sight_of_an_old_object_is_no_jump(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 7, 10, V1);             // #1
    request(&facts, "patch", 10, FOLD_NONE, 7); // #2
    request(&facts, "patch", 5, FOLD_NONE, 6);  // #3
    assert_attributions(&facts, "10 #2 exact\n");
}

static void removal_belongs_to_the_delete(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1);
    request(&facts, "delete", 20, 11, 2); // #2: finalizers hold it
    request(&facts, "update", 29, 30, 2); // #3: a controller lets it go
    observe(&facts, 30, 2, 30, V1)->removed = true;
    assert_attributions(&facts, "30 #2 exact\n");
}

static void a_position_without_a_change_has_no_row(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1);
    observe(&facts, 20, 2, 20, V1);
    request(&facts, "patch", 20, 20, 2);
    assert_attributions(&facts, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(r17_repeated_apply_does_not_steal),
        cmocka_unit_test(r17_received_just_as_it_began),
        cmocka_unit_test(r18_by_generation_when_no_position_is_known),
        cmocka_unit_test(r18_a_label_set_later_is_no_deployment),
        cmocka_unit_test(r18_scale_and_status_are_no_deployments),
        cmocka_unit_test(attempts_are_credited_with_nothing),
        cmocka_unit_test(r18_what_comes_through_status_inherits),
        cmocka_unit_test(unseen_generations_name_nobody),
        cmocka_unit_test(first_sight_of_an_old_object_is_no_jump),
        cmocka_unit_test(removal_belongs_to_the_delete),
        cmocka_unit_test(a_position_without_a_change_has_no_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
