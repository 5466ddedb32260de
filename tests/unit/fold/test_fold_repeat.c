// Which facts repeat older ones, member by member, and that repeats need no full fold.

#include "store/fold_repeat.h"
#include "tests/unit/fold/facts.h"

// An old reading with all that can be repeated, and its repeat.
static struct reading full_reading(int64_t log_index)
{
    return (struct reading){.position = 10,
                            .log_index = log_index,
                            .at = 50 * SECOND,
                            .at_source = TIME_OBJECT,
                            .not_before = 40 * SECOND,
                            .extractor = 2,
                            .generation = 1,
                            .removed = true,
                            .spec_at = 45 * SECOND,
                            .spec_source = TIME_OBJECT};
}

static void what_was_read_before_is_a_repeat(void **unused)
{
    (void)unused;
    struct reading old = full_reading(1);
    struct reading again = full_reading(2);
    assert_true(fold_reading_repeats(&again, &old, 1));
    assert_false(fold_reading_repeats(&again, &old, 0));
    // It may say less.
    again.extractor = 1;
    again.at++;
    again.not_before = FOLD_NONE;
    again.spec_at = FOLD_NONE;
    again.removed = false;
    assert_true(fold_reading_repeats(&again, &old, 1));
}

// One member each time; the old reading lacks what is new.
static void what_says_more_is_none(void **unused)
{
    (void)unused;
    for (int member = 0; member < 8; member++) {
        struct reading old = full_reading(1);
        struct reading again = full_reading(2);
        switch (member) {
        case 0:
            again.extractor++;
            break;
        case 1:
            again.at--;
            break;
        case 2:
            again.at_source = TIME_AUDIT;
            break;
        case 3:
            again.not_before++;
            break;
        case 4:
            old.not_before = FOLD_NONE;
            break;
        case 5:
            again.spec_at--;
            break;
        case 6:
            old.spec_at = FOLD_NONE;
            break;
        default:
            old.removed = false;
        }
        assert_false(fold_reading_repeats(&again, &old, 1));
        // What one old reading lacks another may have.
        struct reading both[] = {old, again};
        both[1].log_index = 1;
        assert_true(fold_reading_repeats(&again, both, 2));
    }
}

static void requests_repeat_in_all_members(void **unused)
{
    (void)unused;
    for (int member = 0; member < 14; member++) {
        struct fold_request old = {.log_index = 1, .at = 1, .verb = "update", .code = 200};
        old.position = 10;
        old.generation = 1;
        struct fold_request again = old;
        again.log_index = 2;
        assert_true(fold_request_repeats(&again, &old));
        switch (member) {
        case 0:
            again.at++;
            break;
        case 1:
            again.verb = "delete";
            break;
        case 2:
            again.subresource = "scale";
            break;
        case 3:
            again.code = 201;
            break;
        case 4:
            again.dry_run = true;
            break;
        case 5:
            again.removes = true;
            break;
        case 6:
            again.position = FOLD_NONE;
            break;
        case 7:
            again.generation = FOLD_NONE;
            break;
        case 8:
            again.audit_id = "b";
            break;
        case 9:
            again.principal = "bob";
            break;
        case 10:
            again.impersonated_by = "proxy";
            break;
        case 11:
            again.is_admission = true;
            break;
        case 12:
            again.role = ROLE_NAME;
            break;
        default:
            again.at--;
        }
        assert_false(fold_request_repeats(&again, &old));
    }
}

// Goes on from position 30's checkpoint with one more reading and one more request of position 10.
static bool resume_with_repeats(struct facts *facts, bool has_reading, bool has_request,
                                struct fold_output *out)
{
    struct reading *reading = observe(facts, 10, 1, 10, "s3://models/fraud/v1");
    struct fold_request *credited = request(facts, "create", 10, 10, 1);
    reading->is_repeat = has_reading;
    credited->is_repeat = has_request;
    struct fold_input tail = facts_input(facts);
    tail.readings = &facts->readings[1]; // position 30 and the new one
    tail.reading_count = 2;
    tail.requests = credited;
    tail.request_count = 1;
    tail.new_from = reading->log_index;
    bool needs_full = false;
    struct error err = {0};
    bool resumed = fold_resume(facts->out.checkpoint, &tail, out, &needs_full, &err);
    assert_int_equal(resumed, !needs_full);
    return resumed;
}

static void repeats_behind_the_checkpoint_need_no_full_fold(void **unused)
{
    (void)unused;
    for (int marked = 0; marked < 4; marked++) {
        SCOPED_FACTS facts = {0};
        request(&facts, "create", 10, 10, 1);
        observe(&facts, 10, 1, 10, "s3://models/fraud/v1");
        observe(&facts, 30, 2, 30, "s3://models/fraud/v2");
        fold_facts(&facts);
        SCOPED_FOLD_OUTPUT out = {0};
        bool resumed = resume_with_repeats(&facts, marked & 1, marked & 2, &out);
        assert_int_equal(resumed, marked == 3);
        if (!resumed)
            continue;
        assert_true(out.replace_from == INT64_MAX);
        assert_int_equal(out.placement_count + out.change_count + out.attribution_count, 0);
        assert_string_equal(out.checkpoint, facts.out.checkpoint);
    }
}

// Two generations went by unseen at position 10, and whoever made them is credited together: each
// request once, however often it was read.
static void a_repeat_shares_no_credit(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    request(&facts, "update", 10, 10, 3)->audit_id = "a";
    observe(&facts, 5, 1, 5, "s3://models/fraud/v1");
    observe(&facts, 10, 3, 10, "s3://models/fraud/v2");
    observe(&facts, 30, 3, 30, "s3://models/fraud/v2");
    request(&facts, "update", 10, 10, 3)->audit_id = "a";
    assert_attributions(&facts, "10 #1 ambiguous\n");
    request(&facts, "update", 10, 10, 3)->audit_id = "b";
    assert_attributions(&facts, "10 #1 ambiguous\n10 #6 ambiguous\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_read_before_is_a_repeat),
        cmocka_unit_test(what_says_more_is_none),
        cmocka_unit_test(requests_repeat_in_all_members),
        cmocka_unit_test(repeats_behind_the_checkpoint_need_no_full_fold),
        cmocka_unit_test(a_repeat_shares_no_credit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
