// KServe kinds: forms of one artifact, canaries by revision, graphs, adapters.

#include "tests/unit/unit.h"

#include "tests/unit/collector/extract.h"

static struct extracted kserve(const char *resource, const char *text)
{
    return extract("serving.kserve.io", resource, text);
}

#define STATUS(rest)                                                                               \
    "'metadata':{'generation':2},'status':{'observedGeneration':2,'components':{'predictor':"      \
    "{" rest "}}}"

static void old_and_new_form_are_the_same_artifact(void **state)
{
    (void)state;
    EXTRACTED old =
        kserve("inferenceservices", "{'spec':{'predictor':{'sklearn':{'storageUri':'s3://m/1'}}}}");
    EXTRACTED new = kserve("inferenceservices",
                           "{'spec':{'predictor':{'sklearn':null,'model':{'modelFormat':{'name':"
                           "'sklearn'},'storageUri':'s3://m/1'}}}}");
    assert_string_equal(placed(&old, "predictor")->uri, placed(&new, "predictor")->uri);
    assert_true(placed(&old, "predictor")->revisioned);
    assert_percent(placed(&new, "predictor")->percent, 100);
}

static void a_canary_needs_a_kept_revision(void **state)
{
    (void)state;
    EXTRACTED first = kserve("inferenceservices", "{'spec':{'predictor':{'canaryTrafficPercent':10,"
                                                  "'sklearn':{'storageUri':'s3://m/1'}}}}");
    assert_percent(placed(&first, "predictor")->percent, 100);
    EXTRACTED next = kserve(
        "inferenceservices",
        "{'spec':{'predictor':{'canaryTrafficPercent':10,'sklearn':{'storageUri':'s3://m/"
        "2'}}}," STATUS("'latestCreatedRevision':'r2','latestRolledoutRevision':'r1','traffic':[{"
                        "'revisionName':'r2','percent':10},{'revisionName':'r1','percent':90},"
                        "{'revisionName':'r1','tag':'prev'}]") "}");
    assert_int_equal(placed(&next, "canary")->role, ROLE_CANARY);
    assert_percent(placed(&next, "canary")->percent, 10);
    assert_true(placed(&next, "canary")->revisioned);
    assert_string_equal(next.extraction.revisions.kept, "r1");
    assert_int_equal(next.extraction.revisions.count, 2);
    assert_percent(next.extraction.revisions.traffic[1].percent, 90);
}

static void a_full_share_is_no_canary(void **state)
{
    (void)state;
    EXTRACTED object = kserve(
        "inferenceservices",
        "{'spec':{'predictor':{'canaryTrafficPercent':100,'sklearn':{'storageUri':'s3://m/"
        "2'}}}," STATUS(
            "'latestRolledoutRevision':'r1','traffic':[{'revisionName':'r1','percent':100}]") "}");
    assert_int_equal(placed(&object, "predictor")->role, ROLE_LIVE);
}

static void without_traffic_the_spec_alone_counts(void **state)
{
    (void)state;
    EXTRACTED object =
        kserve("inferenceservices",
               "{'spec':{'predictor':{'canaryTrafficPercent':10,'sklearn':{'storageUri':'s3://m/"
               "2'}}}," STATUS("'latestRolledoutRevision':'r1','latestCreatedRevision':'r2'") "}");
    assert_int_equal(placed(&object, "predictor")->role, ROLE_LIVE);
    assert_true(object.extraction.revisions.known);
    assert_null(object.extraction.revisions.kept);
}

static void model_id_is_an_artifact(void **state)
{
    (void)state;
    EXTRACTED object =
        kserve("inferenceservices",
               "{'spec':{'predictor':{'model':{'modelFormat':{'name':'huggingface'},'args':["
               "'--model-id','org/name']}}}}");
    assert_string_equal(placed(&object, "predictor")->uri, "hf://org/name");
}

static void min_replicas_zero_is_not_stopped(void **state)
{
    (void)state;
    EXTRACTED object =
        kserve("inferenceservices",
               "{'spec':{'predictor':{'minReplicas':0,'onnx':{'storageUri':'s3://m/2'}}}}");
    EXTRACTED stopped =
        kserve("inferenceservices", "{'metadata':{'annotations':{'serving.kserve.io/stop':'true'}},"
                                    "'spec':{'predictor':{'onnx':{'storageUri':'s3://m/2'}}}}");
    assert_false(placed(&object, "predictor")->stopped);
    assert_true(placed(&stopped, "predictor")->stopped);
}

static void an_empty_host_places_nothing(void **state)
{
    (void)state;
    EXTRACTED host = kserve("inferenceservices", "{'spec':{'predictor':{'sklearn':{}}}}");
    EXTRACTED trained =
        kserve("trainedmodels", "{'spec':{'model':{'storageUri':'gs://t/1','framework':'x'}}}");
    assert_int_equal(host.extraction.placement_count, 0);
    assert_string_equal(placed(&trained, "model")->uri, "gs://t/1");
}

static void splitters_within_splitters_multiply(void **state)
{
    (void)state;
    EXTRACTED object =
        kserve("inferencegraphs",
               "{'spec':{'nodes':{'root':{'routerType':'Splitter','steps':[{'nodeName':'in',"
               "'weight':50},{'serviceName':'a','weight':50}]},'in':{'routerType':'Splitter',"
               "'steps':[{'serviceName':'a','weight':10},{'serviceName':'b','weight':90}]}}}}");
    assert_int_equal(object.extraction.route_count, 2);
    assert_string_equal(object.extraction.routes[0].target, "a");
    assert_percent(object.extraction.routes[0].percent, 55);
    assert_percent(object.extraction.routes[1].percent, 45);
}

static void a_circle_of_nodes_ends(void **state)
{
    (void)state;
    EXTRACTED object =
        kserve("inferencegraphs", "{'spec':{'nodes':{'root':{'routerType':'Splitter','steps':["
                                  "{'nodeName':'root','weight':1},{'nodeName':'root','weight':1},"
                                  "{'serviceName':'a','weight':1}]}}}}");
    assert_false(object.usable);
    assert_non_null(strstr(object.err.text, "steps"));
}

static void adapters_are_placements(void **state)
{
    (void)state;
    EXTRACTED object = kserve("llminferenceservices",
                              "{'spec':{'replicas':0,'model':{'uri':'hf://base','lora':{"
                              "'adapters':[{'name':'x','uri':'s3://x'},{'name':'none'}]}}}}");
    assert_int_equal(object.extraction.placement_count, 2);
    assert_true(placed(&object, "predictor")->stopped);
    assert_string_equal(placed(&object, "adapter/x")->node, "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_and_new_form_are_the_same_artifact),
        cmocka_unit_test(a_canary_needs_a_kept_revision),
        cmocka_unit_test(a_full_share_is_no_canary),
        cmocka_unit_test(without_traffic_the_spec_alone_counts),
        cmocka_unit_test(model_id_is_an_artifact),
        cmocka_unit_test(min_replicas_zero_is_not_stopped),
        cmocka_unit_test(an_empty_host_places_nothing),
        cmocka_unit_test(splitters_within_splitters_multiply),
        cmocka_unit_test(a_circle_of_nodes_ends),
        cmocka_unit_test(adapters_are_placements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
