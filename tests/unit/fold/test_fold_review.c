// What was asked for and may have been refused, or left the object out: only time tells whether it
// came about (docs/fold.md 5).

#include "tests/unit/fold/facts.h"

#define V1 "s3://models/fraud/v1"
#define V2 "s3://models/fraud/v2"

// Another webhook refused it; an hour later, ours was away.
static void a_refused_write_is_not_the_next_one(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe_second(&facts, 10, 1, 100, V1);    // #1
    review(&facts, "update", 150, 2, "alice"); // #2
    observe_second(&facts, 15, 1, 4000, V1);   // #3: still as it was
    observe_second(&facts, 20, 2, 5000, V2);   // #4: bob's
    assert_attributions(&facts, "");
    review(&facts, "update", 5000, 2, "bob"); // #5
    assert_attributions(&facts, "20 #5 exact\n");
    facts.requests[0].at = 4980 * SECOND; // alice's may have been held for long by another webhook
    assert_attributions(&facts, "20 #2 ambiguous\n20 #5 ambiguous\n");
    facts.requests[0].at = 5100 * SECOND; // and this one came when all was over
    assert_attributions(&facts, "20 #5 exact\n");
}

static void a_review_nearby_is_no_proof(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe_second(&facts, 10, 1, 100, V1);                               // #1
    observe_second(&facts, 20, 2, 200, V2);                               // #2
    struct fold_request *asked = review(&facts, "update", 0, 2, "alice"); // #3
    struct {
        int64_t at;
        const char *lines;
    } const cases[] = {
        {159, ""},
        {160, "20 #3 ambiguous\n"},
        {194, "20 #3 ambiguous\n"},
        {195, "20 #3 exact\n"},
        {205, "20 #3 exact\n"},
        {206, "20 #3 ambiguous\n"},
        {240, "20 #3 ambiguous\n"},
        {241, ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        asked->at = cases[i].at * SECOND;
        assert_attributions(&facts, cases[i].lines);
    }
}

// Its collector was away and was told of both positions at once.
static void a_late_sight_is_no_proof_against_anybody(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe_second(&facts, 10, 1, 100, V1);                      // #1
    observe(&facts, 15, 1, 4000, V1)->not_before = 110 * SECOND; // #2: a label, who knows when
    observe(&facts, 20, 2, 4000, V2)->not_before = 110 * SECOND; // #3
    review(&facts, "update", 2000, 2, "alice");                  // #4
    assert_attributions(&facts, "20 #4 ambiguous\n");
    facts.readings[1].at_source = TIME_MANAGED_FIELDS; // the object's own word, so it was then
    assert_attributions(&facts, "");
}

// Found as it is: the spec may be of any age, but the uid is that of one create.
static void a_create_is_proven_by_its_uid(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 5000, V1);          // #1
    review(&facts, "create", 100, 1, "alice"); // #2
    assert_attributions(&facts, "10 #2 exact\n");
    facts.requests[0].at = 9000 * SECOND;
    assert_attributions(&facts, "10 #2 exact\n");
    facts.requests[0].verb = "update";
    facts.requests[0].generation = facts.readings[0].generation = 7;
    assert_attributions(&facts, "");
    facts.requests[0].at = 100 * SECOND;
    assert_attributions(&facts, "10 #2 ambiguous\n");
}

static void a_collection_that_left_it_out(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 100, V1);                                            // #1
    struct fold_request *all = by_name(&facts, "deletecollection", 200, "bob"); // #2
    all->role = ROLE_COLLECTION;
    observe(&facts, 20, 2, 4000, V2);                 // #3: it lives, and is changed
    observe(&facts, 30, 2, 5000, V2)->removed = true; // #4: somebody's, whom nobody saw
    assert_attributions(&facts, "");
    all->at = 4990 * SECOND;
    assert_attributions(&facts, "30 #2 unique\n");
}

static void a_refused_delete_removes_nothing(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 100, V1);                   // #1
    review(&facts, "delete", 200, FOLD_NONE, "alice"); // #2: another webhook refused it
    observe(&facts, 20, 2, 4000, V2);                  // #3: it lives, and is changed
    observe(&facts, 30, 2, 5000, V2)->removed = true;  // #4: somebody's; the webhook was away
    assert_attributions(&facts, "");
    facts.requests[0].role = ROLE_NAME; // an API server that does not show what it deletes
    assert_attributions(&facts, "");
    facts.requests[0].at = 4990 * SECOND;
    assert_attributions(&facts, "30 #2 unique\n");
}

static void finalizers_hold_what_was_deleted(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 100, V1);                      // #1
    review(&facts, "delete", 200, FOLD_NONE, "alice");    // #2
    observe(&facts, 20, 2, 201, V1)->is_deleting = true;  // #3
    observe(&facts, 25, 2, 4000, V1)->is_deleting = true; // #4: one of two let it go
    review(&facts, "delete", 4500, FOLD_NONE, "bob");     // #5: of what is deleted already
    observe(&facts, 30, 2, 5000, V1)->removed = true;     // #6
    assert_attributions(&facts, "30 #2 exact\n");
    facts.readings[2].is_deleting = false; // a list of after 4000 shows it alive
    assert_attributions(&facts, "30 #5 exact\n");
}

static void a_former_namespace_is_no_cause(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 100, V1);                                                      // #1
    observe(&facts, 30, 2, 300, V1)->removed = true;                                      // #2
    struct fold_request *executed = request(&facts, "delete", 290, FOLD_NONE, FOLD_NONE); // #3
    executed->principal = "system:serviceaccount:kube-system:namespace-controller";
    by_name(&facts, "delete", 50, "alice")->role = ROLE_NAMESPACE; // #4
    assert_attributions(&facts, "30 #3 exact\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_write_is_not_the_next_one),
        cmocka_unit_test(a_review_nearby_is_no_proof),
        cmocka_unit_test(a_late_sight_is_no_proof_against_anybody),
        cmocka_unit_test(a_create_is_proven_by_its_uid),
        cmocka_unit_test(a_collection_that_left_it_out),
        cmocka_unit_test(a_refused_delete_removes_nothing),
        cmocka_unit_test(finalizers_hold_what_was_deleted),
        cmocka_unit_test(a_former_namespace_is_no_cause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
