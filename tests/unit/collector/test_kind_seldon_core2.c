// Core 2 Model, Experiment, Pipeline and Server.

#include "tests/unit/unit.h"

#include "common/timestamp.h"
#include "tests/unit/collector/extract.h"

static struct extracted core2(const char *resource, const char *text)
{
    return extract("mlops.seldon.io", resource, text);
}

static void a_model_is_uri_and_artifact_version(void **state)
{
    (void)state;
    EXTRACTED object =
        core2("models", "{'spec':{'storageUri':'gs://m','artifactVersion':4294967295}}");
    assert_string_equal(placed(&object, "model")->uri, "gs://m");
    assert_string_equal(placed(&object, "model")->artifact_version, "4294967295");
    assert_percent(placed(&object, "model")->percent, PERCENT_NONE);
}

static void a_model_that_explains_is_an_explainer(void **state)
{
    (void)state;
    EXTRACTED object = core2("models", "{'spec':{'storageUri':'gs://m','explainer':{'type':'t'}}}");
    assert_int_equal(placed(&object, "model")->role, ROLE_EXPLAINER);
}

static void model_ready_stands_in_for_ready(void **state)
{
    (void)state;
    EXTRACTED object = core2("models", "{'status':{'conditions':[{'type':'ModelReady','status':"
                                       "'True','lastTransitionTime':'2026-01-01T00:00:00Z'}]}}");
    int64_t want;
    assert_int_equal(object.extraction.ready, READY_YES);
    assert_true(timestamp_parse("2026-01-01T00:00:00.999999Z", &want));
    assert_true(object.extraction.ready_since == want);
}

static void unknown_conditions_say_not_ready(void **state)
{
    (void)state;
    EXTRACTED object =
        core2("models", "{'status':{'conditions':[{'type':'Ready','status':'Unknown',"
                        "'reason':'ModelFailed'}]}}");
    assert_int_equal(object.extraction.ready, READY_NO);
    assert_false(object.extraction.failed);
}

static void shares_are_weights_over_their_sum(void **state)
{
    (void)state;
    EXTRACTED object = core2("experiments", "{'spec':{'candidates':[{'name':'a','weight':1},"
                                            "{'name':'b','weight':7},{'weight':8}],"
                                            "'mirror':{'name':'c','percent':50}}}");
    assert_int_equal(object.extraction.placement_count, 0);
    assert_int_equal(object.extraction.route_count, 3);
    assert_percent(object.extraction.routes[0].percent, 6.25);
    assert_percent(object.extraction.routes[1].percent, 43.75);
    assert_string_equal(object.extraction.routes[2].role, "mirror");
}

static void pipelines_and_servers_place_nothing(void **state)
{
    (void)state;
    EXTRACTED pipeline = core2("pipelines", "{'spec':{'steps':[{'name':'a'},{'name':'a'}]}}");
    EXTRACTED server = core2("servers", "{'spec':{'podSpec':{'containers':[{'image':'x'}]}}}");
    assert_int_equal(pipeline.extraction.placement_count, 0);
    assert_int_equal(pipeline.extraction.route_count, 1);
    assert_int_equal(server.extraction.placement_count + server.extraction.route_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_is_uri_and_artifact_version),
        cmocka_unit_test(a_model_that_explains_is_an_explainer),
        cmocka_unit_test(model_ready_stands_in_for_ready),
        cmocka_unit_test(unknown_conditions_say_not_ready),
        cmocka_unit_test(shares_are_weights_over_their_sum),
        cmocka_unit_test(pipelines_and_servers_place_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
