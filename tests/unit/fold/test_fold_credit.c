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
    struct fold_request *scale = request(&facts, "update", 9, FOLD_NONE, 1); // #2
    scale->subresource = "scale";
    struct fold_request *status = request(&facts, "update", 8, 10, 1);
    status->subresource = "status";
    assert_attributions(&facts, "");
    observe(&facts, 20, 2, 20, V2);
    scale->at = 20 * SECOND;
    scale->position = 20; // the position that it made is its own
    assert_attributions(&facts, "20 #2 exact\n");
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

static void the_only_one_of_its_time_is_unique(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe_second(&facts, 10, 1, 100, V1); // #1
    observe_second(&facts, 20, 2, 200, V2); // #2
    by_name(&facts, "create", 100, "a");    // #3
    by_name(&facts, "patch", 200, "b");     // #4
    by_name(&facts, "patch", 200, "b");     // #5: the same, read twice
    by_name(&facts, "patch", 150, "c");     // #6: changed nothing
    by_name(&facts, "patch", 203, "d");     // #7: too late
    assert_attributions(&facts, "10 #3 unique\n20 #4 unique\n");
}

static void two_within_a_second_are_never_guessed(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe_second(&facts, 10, 1, 100, V1); // #1
    observe_second(&facts, 20, 2, 200, V2); // #2
    observe_second(&facts, 30, 3, 201, V1); // #3
    by_name(&facts, "patch", 200, "alice"); // #4
    by_name(&facts, "patch", 201, "bob");   // #5
    assert_attributions(&facts, "20 #4 ambiguous\n20 #5 ambiguous\n"
                                "30 #4 ambiguous\n30 #5 ambiguous\n");
    facts.readings[2].at += 9 * SECOND; // bob alone, nine seconds later
    facts.readings[2].not_before += 9 * SECOND;
    facts.requests[1].at += 9 * SECOND;
    assert_attributions(&facts, "20 #4 unique\n30 #5 unique\n");
}

static void a_collectors_clock_may_be_behind(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe_second(&facts, 10, 1, 100, V1);                     // #1
    observe(&facts, 20, 2, 199, V2)->not_before = 198 * SECOND; // #2
    by_name(&facts, "patch", 200, "alice");                     // #3
    assert_attributions(&facts, "20 #3 unique\n");
    facts.requests[0].at = 202 * SECOND;
    assert_attributions(&facts, "");
}

static void without_a_lower_bound_nobody_is_proven(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 100, V1);     // #1
    observe(&facts, 20, 2, 200, V2);     // #2
    assert_attributions(&facts, "");     // nothing can have been it
    by_name(&facts, "create", 100, "a"); // #3
    by_name(&facts, "patch", 150, "b");  // #4
    by_name(&facts, "patch", 200, "c");  // #5: the newest stands for both
    by_name(&facts, "patch", 200, "d");  // #6: as new, and heard of later
    by_name(&facts, "patch", 203, "e");  // #7: too late
    assert_attributions(&facts, "10 #3 ambiguous\n20 #5 ambiguous\n");
}

static void seen_late_the_spec_tells_the_window(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe_second(&facts, 10, 1, 100, V1);                        // #1
    struct reading *late = observe_second(&facts, 40, 2, 300, V2); // #2: status was written since
    late->spec_at = 200 * SECOND + SECOND - 1;
    late->spec_source = TIME_MANAGED_FIELDS;
    by_name(&facts, "patch", 200, "alice"); // #3
    by_name(&facts, "patch", 300, "bob");   // #4: changed nothing
    assert_attributions(&facts, "40 #3 unique\n");
}

static void a_review_joins_by_generation(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 100, V1);           // #1
    observe(&facts, 20, 2, 200, V2);           // #2
    review(&facts, "create", 105, 1, "alice"); // #3: its clock is late
    review(&facts, "update", 199, 2, "bob");   // #4
    review(&facts, "update", 198, 2, "bob");   // #5: it had failed, and was tried again
    assert_attributions(&facts, "10 #3 exact\n20 #5 exact\n");
    review(&facts, "update", 190, 2, "alice"); // #6: one of them failed
    assert_attributions(&facts, "10 #3 exact\n20 #4 ambiguous\n20 #5 ambiguous\n"
                                "20 #6 ambiguous\n");
    request(&facts, "patch", 199, FOLD_NONE, 2); // #7: the audit log knows
    assert_attributions(&facts, "10 #3 exact\n20 #7 exact\n");
}

static void removed_by_name_or_collection(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 100, V1);                 // #1
    observe(&facts, 30, 2, 300, V1)->removed = true; // #2
    by_name(&facts, "delete", 90, "x");              // #3: a former object of that name
    struct fold_request *all = by_name(&facts, "deletecollection", 200, "bob"); // #4
    all->role = ROLE_COLLECTION;
    assert_attributions(&facts, "30 #4 unique\n");
    by_name(&facts, "delete", 250, "alice"); // #5
    assert_attributions(&facts, "30 #5 unique\n");
    struct fold_request *again = by_name(&facts, "delete", 260, "alice2"); // #6
    again->principal = "alice";
    assert_attributions(&facts, "30 #5 unique\n");
    again->principal = "bob";
    assert_attributions(&facts, "30 #5 ambiguous\n30 #6 ambiguous\n");
    review(&facts, "delete", 260, FOLD_NONE, "bob"); // #7
    assert_attributions(&facts, "30 #7 exact\n");
    request(&facts, "delete", 260, FOLD_NONE, FOLD_NONE); // #8
    assert_attributions(&facts, "30 #8 exact\n");
}

static void controllers_delete_for_somebody(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 100, V1);                                                      // #1
    observe(&facts, 30, 2, 300, V1)->removed = true;                                      // #2
    struct fold_request *executed = request(&facts, "delete", 290, FOLD_NONE, FOLD_NONE); // #3
    executed->principal = "system:serviceaccount:kube-system:namespace-controller";
    assert_attributions(&facts, "30 #3 exact\n");
    by_name(&facts, "delete", 200, "alice")->role = ROLE_NAMESPACE; // #4: of a former namespace
    by_name(&facts, "delete", 280, "bob")->role = ROLE_NAMESPACE;   // #5
    by_name(&facts, "delete", 295, "carol")->role = ROLE_NAMESPACE; // #6: later
    by_name(&facts, "delete", 285, "dave")->role = ROLE_OWNER;      // #7
    assert_attributions(&facts, "30 #3 executed\n30 #5 unique\n");
    executed->principal = "system:serviceaccount:kube-system:generic-garbage-collector";
    assert_attributions(&facts, "30 #3 executed\n30 #7 unique\n");
    executed->principal = "alice";
    assert_attributions(&facts, "30 #3 exact\n");
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
        cmocka_unit_test(removal_belongs_to_the_delete),
        cmocka_unit_test(a_position_without_a_change_has_no_row),
        cmocka_unit_test(the_only_one_of_its_time_is_unique),
        cmocka_unit_test(two_within_a_second_are_never_guessed),
        cmocka_unit_test(a_collectors_clock_may_be_behind),
        cmocka_unit_test(without_a_lower_bound_nobody_is_proven),
        cmocka_unit_test(seen_late_the_spec_tells_the_window),
        cmocka_unit_test(a_review_joins_by_generation),
        cmocka_unit_test(removed_by_name_or_collection),
        cmocka_unit_test(controllers_delete_for_somebody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
