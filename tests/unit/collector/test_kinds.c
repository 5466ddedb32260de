// The table of kinds: found by group and plural, complete in every row.

#include "tests/unit/unit.h"

#include <string.h>

#include "collector/kinds.h"

static void finds_each_kind_by_group_and_plural(void **state)
{
    (void)state;
    size_t count;
    const struct kind *kinds = kinds_all(&count);
    assert_true(count >= 7);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(kinds_find(kinds[i].group, kinds[i].resource), &kinds[i]);
        assert_non_null(kinds[i].extract);
        assert_true(kinds[i].extractor > 0);
        assert_non_null(kinds[i].versions[0]);
        assert_null(kinds[i].versions[3]);
    }
}

static void models_of_another_group_are_not_ours(void **state)
{
    (void)state;
    assert_non_null(kinds_find("mlops.seldon.io", "models"));
    assert_null(kinds_find("kubeai.org", "models"));
    assert_null(kinds_find("mlops.seldon.io", "Models"));
}

static void seldon_deployments_have_three_versions(void **state)
{
    (void)state;
    const struct kind *kind = kinds_find("machinelearning.seldon.io", "seldondeployments");
    assert_string_equal(kind->kind, "SeldonDeployment");
    assert_string_equal(kind->versions[0], "v1");
    assert_string_equal(kind->versions[2], "v1alpha2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_each_kind_by_group_and_plural),
        cmocka_unit_test(models_of_another_group_are_not_ours),
        cmocka_unit_test(seldon_deployments_have_three_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
