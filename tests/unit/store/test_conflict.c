// Whose a uid is: what a batch says of it, against what the database knew and what came first.

#include "tests/unit/unit.h"

#include "store/conflict.h"

#define FIRST 100
#define COUNT 4

static const char uid[] = "0a0b0c0d-0000-4000-8000-000000000001";

static void observe(struct touched *touched, int64_t log_index, const char *namespace)
{
    struct touched_workload *workload = touched_get(touched, "c1", "models.x", uid);
    if (workload->object == NULL) {
        struct touched_object *object = fold_arena_alloc(&touched->arena, sizeof(*object));
        object->namespace = namespace;
        object->log_index = log_index;
        workload->object = object;
    }
    touched_add_reading(touched, workload, &(struct reading){.log_index = log_index}, namespace);
}

static void request(struct touched *touched, int64_t log_index, const char *namespace)
{
    touched_add_request(touched, touched_get(touched, "c1", "models.x", uid),
                        &(struct fold_request){.log_index = log_index}, namespace);
}

static bool is_refused(const struct conflicts *conflicts, int64_t log_index)
{
    struct batch_event event = {.log_index = log_index};
    conflicts_apply(conflicts, &event);
    return event.quarantined[0] != '\0';
}

static void check(struct touched *touched, const bool expected[COUNT])
{
    struct conflicts conflicts = {0};
    bool any = expected[0] || expected[1] || expected[2] || expected[3];
    assert_int_equal(conflicts_find(&conflicts, touched, FIRST, COUNT), any);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(is_refused(&conflicts, FIRST + i), expected[i]);
    assert_false(is_refused(&conflicts, FIRST - 1));
    assert_false(is_refused(&conflicts, FIRST + COUNT));
    conflicts_reset(&conflicts);
    touched_reset(touched);
}

static void test_the_first_observation_settles_it(void **state)
{
    (void)state;
    struct touched touched = {0};
    observe(&touched, FIRST, "dev");
    observe(&touched, FIRST + 1, "prod");
    request(&touched, FIRST + 2, "prod");
    request(&touched, FIRST + 3, NULL);
    check(&touched, (const bool[]){false, true, true, false});
}

static void test_earlier_requests_stay(void **state)
{
    (void)state;
    struct touched touched = {0};
    request(&touched, FIRST, "prod");
    observe(&touched, FIRST + 1, "dev");
    request(&touched, FIRST + 2, "dev");
    check(&touched, (const bool[]){false, false, false, false});
    request(&touched, FIRST, "prod");
    check(&touched, (const bool[]){false, false, false, false});
}

// What the database knew came before all of the batch.
static void test_the_database_knows_better(void **state)
{
    (void)state;
    struct touched touched = {0};
    request(&touched, FIRST, "prod");
    observe(&touched, FIRST + 1, "prod");
    observe(&touched, FIRST + 2, "dev");
    observe(&touched, FIRST + 3, "");
    touched.items[0]->name = "m";
    touched.items[0]->namespace = "dev";
    check(&touched, (const bool[]){true, true, false, true});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_observation_settles_it),
        cmocka_unit_test(test_earlier_requests_stay),
        cmocka_unit_test(test_the_database_knows_better),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
