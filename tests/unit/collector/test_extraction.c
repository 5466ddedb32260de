// Limits, numbering and spelling of what extractors find.

#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "common/timestamp.h"
#include "tests/unit/collector/extract.h"

static void repeated_components_are_numbered(void **state)
{
    (void)state;
    struct extraction out = {0};
    assert_string_equal(extraction_place(&out, "a")->component, "a");
    assert_string_equal(extraction_place(&out, "a#2")->component, "a#2");
    assert_string_equal(extraction_place(&out, "a")->component, "a#3");
    assert_string_equal(extraction_place(&out, "a")->component, "a#4");
    assert_string_equal(extraction_place(&out, "a#2")->component, "a#2#2");
    extraction_reset(&out);
}

static void too_many_placements_refuse_the_object(void **state)
{
    (void)state;
    struct extraction out = {0};
    char name[32];
    for (int i = 0; i < EXTRACTION_MAX_PLACEMENTS + 5; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        extraction_place(&out, extraction_text(&out, "%s", name))->uri = "s3://x";
    }
    assert_int_equal(out.placement_count, EXTRACTION_MAX_PLACEMENTS);
    assert_int_equal(out.problem.react, REACT_REJECT);
    assert_non_null(strstr(out.problem.text, "1000 placements"));
    extraction_reset(&out);
}

static void the_first_problem_counts(void **state)
{
    (void)state;
    struct extraction out = {0};
    extraction_problem(&out, "one %d", 1);
    extraction_problem(&out, "two");
    assert_string_equal(out.problem.text, "one 1");
}

static void routes_to_one_target_become_one(void **state)
{
    (void)state;
    struct extraction out = {0};
    extraction_route(&out, "Model", "a", "candidate", 30);
    extraction_route(&out, "Model", "a", "candidate", 12.5);
    extraction_route(&out, "Model", "a", "mirror", 10);
    extraction_route(&out, "Pipeline", "a", "candidate", 1);
    assert_int_equal(out.route_count, 3);
    assert_percent(out.routes[0].percent, 42.5);
    extraction_route(&out, "Model", "a", "candidate", PERCENT_NONE);
    assert_percent(out.routes[0].percent, PERCENT_NONE);
    extraction_reset(&out);
}

static void shares_are_rounded_and_guarded(void **state)
{
    (void)state;
    assert_percent(percent_of(1, 3), 33.3333);
    assert_percent(percent_of(0, 3), 0);
    assert_percent(percent_of(0, 0), PERCENT_NONE);
    assert_percent(percent_of(-1, 3), PERCENT_NONE);
    assert_percent(percent_of(1e308, 1e308 * 10), PERCENT_NONE);
}

static char *print(const struct extracted *extracted)
{
    SCOPED(cJSON_Delete) cJSON *data = cJSON_CreateObject();
    extraction_add_to(&extracted->extraction, extracted->object, data);
    return json_print(data);
}

static void prints_all_members(void **state)
{
    (void)state;
    EXTRACTED model =
        extract("mlops.seldon.io", "models",
                "{'metadata':{'labels':{'modeltrail.io/version':'3','app':'x'}},"
                "'spec':{'storageUri':'oci://r/m@sha256:"
                "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'}}");
    SCOPED(xfree_char) char *text = print(&model);
    assert_string_equal(
        text, "{\"ready\":null,\"failed\":false,\"ready_since\":null,\"placements\":[{"
              "\"component\":\"model\",\"role\":\"live\",\"traffic_percent\":null,\"stopped\":"
              "false,\"replicas\":null,\"node\":null,\"uri\":\"oci://r/m@sha256:"
              "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\","
              "\"artifact_version\":null,\"image\":null,\"digest\":\"sha256:"
              "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\","
              "\"revisioned\":false,\"labels\":{\"modeltrail.io/version\":\"3\"}}],"
              "\"revisions\":null,\"routes\":[]}");
}

static void labels_do_not_name_two_models_alike(void **state)
{
    (void)state;
    EXTRACTED both = extract("machinelearning.seldon.io", "seldondeployments",
                             "{'metadata':{'labels':{'modeltrail.io/model':'m',"
                             "'modeltrail.io/version':'3'}},'spec':{'predictors':[{'name':'p',"
                             "'graph':{'name':'a','modelUri':'s3://a/1','children':[{'name':'b',"
                             "'modelUri':'s3://b/1'}]}}]}}");
    assert_int_equal(both.extraction.placement_count, 2);
    SCOPED(xfree_char) char *text = print(&both);
    assert_null(strstr(text, "modeltrail.io/"));
}

static void too_long_names_refuse_the_object(void **state)
{
    (void)state;
    SCOPED(xfree_char) char *uri = xmalloc(EXTRACTION_MAX_IDENTITY + 2);
    memset(uri, 'x', EXTRACTION_MAX_IDENTITY + 1);
    uri[EXTRACTION_MAX_IDENTITY + 1] = '\0';
    SCOPED(xfree_char) char *object = xasprintf("{'spec':{'storageUri':'%s'}}", uri);
    EXTRACTED model = extract("mlops.seldon.io", "models", object);
    assert_false(model.usable);
    assert_int_equal(model.err.react, REACT_REJECT);
    assert_non_null(strstr(model.err.text, "too long"));
}

static void too_long_labels_refuse_the_object(void **state)
{
    (void)state;
    char label[EXTRACTION_MAX_LABEL + 2];
    memset(label, 'x', sizeof(label));
    label[sizeof(label) - 1] = '\0';
    SCOPED(xfree_char)
    char *object = xasprintf("{'metadata':{'annotations':{'other':'%s','modeltrail.io/version':"
                             "'%s'}},'spec':{'storageUri':'s3://a'}}",
                             label, label);
    EXTRACTED model = extract("mlops.seldon.io", "models", object);
    assert_false(model.usable);
    assert_non_null(strstr(model.err.text, "modeltrail.io/version of 513 bytes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repeated_components_are_numbered),
        cmocka_unit_test(too_many_placements_refuse_the_object),
        cmocka_unit_test(the_first_problem_counts),
        cmocka_unit_test(routes_to_one_target_become_one),
        cmocka_unit_test(shares_are_rounded_and_guarded),
        cmocka_unit_test(prints_all_members),
        cmocka_unit_test(labels_do_not_name_two_models_alike),
        cmocka_unit_test(too_long_names_refuse_the_object),
        cmocka_unit_test(too_long_labels_refuse_the_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
