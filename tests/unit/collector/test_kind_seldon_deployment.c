// SeldonDeployment: traffic, graphs, state. tests/samples has the rest of its shapes.

#include "tests/unit/unit.h"

#include "common/timestamp.h"
#include "tests/unit/collector/extract.h"

static struct extracted seldon(const char *text)
{
    return extract("machinelearning.seldon.io", "seldondeployments", text);
}

static void canaries_by_traffic(void **state)
{
    (void)state;
    EXTRACTED object = seldon("{'spec':{'predictors':["
                              "{'name':'a','traffic':30,'graph':{'name':'m','modelUri':'u:1'}},"
                              "{'name':'b','traffic':70,'graph':{'name':'m','modelUri':'u:2'}},"
                              "{'name':'c','shadow':true,'traffic':10,"
                              "'graph':{'name':'m','modelUri':'u:3'}}]}}");
    assert_int_equal(placed(&object, "a/m")->role, ROLE_CANARY);
    assert_percent(placed(&object, "a/m")->percent, 30);
    assert_int_equal(placed(&object, "b/m")->role, ROLE_LIVE);
    assert_int_equal(placed(&object, "c/m")->role, ROLE_SHADOW);
    assert_percent(placed(&object, "c/m")->percent, 10);
}

static void several_without_traffic_have_no_share(void **state)
{
    (void)state;
    EXTRACTED object = seldon("{'spec':{'predictors':["
                              "{'name':'a','graph':{'name':'m','modelUri':'u:1'}},"
                              "{'name':'b','graph':{'name':'m','modelUri':'u:2'}}]}}");
    assert_percent(placed(&object, "a/m")->percent, PERCENT_NONE);
    assert_int_equal(placed(&object, "a/m")->role, ROLE_LIVE);
    assert_int_equal(placed(&object, "b/m")->role, ROLE_CANARY);
}

static void nodes_come_in_document_order(void **state)
{
    (void)state;
    EXTRACTED object =
        seldon("{'spec':{'predictors':[{'name':'p','graph':{'name':'r','type':'ROUTER','children':["
               "{'name':'a','modelUri':'u:a','children':[{'name':'b','modelUri':'u:b'}]},"
               "{'name':'c','modelUri':'u:c'}]}}]}}");
    assert_int_equal(object.extraction.placement_count, 3);
    const char *want[] = {"p/a", "p/b", "p/c"};
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(object.extraction.placements[i].component, want[i]);
    assert_string_equal(placed(&object, "p/b")->node, "b");
}

static void a_router_with_an_image_places_nothing(void **state)
{
    (void)state;
    EXTRACTED object =
        seldon("{'spec':{'predictors':[{'name':'p','componentSpecs':[{'spec':{'containers':["
               "{'name':'r','image':'acme/bandit:1'},{'name':'m','image':'acme/m:1'}]}}],"
               "'graph':{'name':'r','type':'ROUTER','children':[{'name':'m','type':'MODEL'}]}}]}}");
    assert_int_equal(object.extraction.placement_count, 1);
    assert_string_equal(placed(&object, "p/m")->image, "acme/m:1");
    assert_null(placed(&object, "p/m")->node);
}

static void state_says_ready_and_failed(void **state)
{
    (void)state;
    EXTRACTED up = seldon("{'status':{'state':'Available'}}");
    EXTRACTED down = seldon("{'status':{'state':'Failed','conditions':[{'type':'Ready',"
                            "'status':'True','lastTransitionTime':'2026-01-01T00:00:00Z'}]}}");
    EXTRACTED silent = seldon("{'status':{}}");
    assert_int_equal(up.extraction.ready, READY_YES);
    assert_int_equal(down.extraction.ready, READY_NO);
    assert_true(down.extraction.failed);
    assert_true(down.extraction.ready_since == TIMESTAMP_NONE);
    assert_int_equal(silent.extraction.ready, READY_UNKNOWN);
}

static void wrong_types_are_nothing(void **state)
{
    (void)state;
    EXTRACTED object = seldon("{'spec':{'predictors':[1,null,'x',[],{'graph':3},{'graph':{"
                              "'name':7,'modelUri':[],'children':{'a':{'modelUri':'u:1'}}}},"
                              "{'traffic':'9','replicas':-2,'graph':{'modelUri':'u:2'}}]}}");
    assert_true(object.usable);
    assert_int_equal(object.extraction.placement_count, 1);
    assert_string_equal(placed(&object, "predictor/")->uri, "u:2");
    assert_int_equal(placed(&object, "predictor/")->replicas, REPLICAS_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canaries_by_traffic),
        cmocka_unit_test(several_without_traffic_have_no_share),
        cmocka_unit_test(nodes_come_in_document_order),
        cmocka_unit_test(a_router_with_an_image_places_nothing),
        cmocka_unit_test(state_says_ready_and_failed),
        cmocka_unit_test(wrong_types_are_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
