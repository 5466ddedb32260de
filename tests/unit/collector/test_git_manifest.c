// Which Kubernetes objects a manifest holds, and when two of them say the same.

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "collector/git_manifest.h"
#include "common/buffer.h"

static struct git_manifest reads(const char *text)
{
    struct git_manifest manifest;
    git_manifest_read(text, strlen(text), &manifest);
    return manifest;
}

static void is_unreadable(const char *text)
{
    struct git_manifest manifest = reads(text);
    assert_false(manifest.readable);
    assert_int_equal(manifest.count, 0);
    git_manifest_reset(&manifest);
}

static void names_each_object(void **state)
{
    (void)state;
    struct git_manifest manifest =
        reads("# why\n"
              "metadata: {namespace: prod, name: a}\n"
              "kind: Model\n"
              "apiVersion: mlops.seldon.io/v1alpha1\n"
              "spec: {kind: no, metadata: {name: no}, items: [{kind: no}]}\n"
              "---\n"
              "---\n"
              "{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\","
              " \"metadata\": {\"name\": \"b\"}}\n");
    assert_true(manifest.readable);
    assert_int_equal(manifest.count, 2);
    const struct git_object *model = &manifest.objects[0];
    assert_string_equal(model->group, "mlops.seldon.io");
    assert_string_equal(model->kind, "Model");
    assert_string_equal(model->namespace, "prod");
    assert_string_equal(model->name, "a");
    assert_string_equal(manifest.objects[1].group, "");
    assert_string_equal(manifest.objects[1].namespace, "");
    assert_string_equal(manifest.objects[1].name, "b");
    git_manifest_reset(&manifest);
}

static void looks_into_lists(void **state)
{
    (void)state;
    struct git_manifest manifest =
        reads("apiVersion: v1\nkind: List\nmetadata: {resourceVersion: ''}\nitems:\n"
              "- {apiVersion: v1, kind: A, metadata: {name: a}}\n"
              "- [not, an, object]\n"
              "- {apiVersion: g/v1, kind: B, metadata: {name: b, namespace: n}}\n");
    assert_int_equal(manifest.count, 2);
    assert_string_equal(manifest.objects[0].kind, "A");
    assert_string_equal(manifest.objects[1].group, "g");
    assert_string_equal(manifest.objects[1].namespace, "n");
    git_manifest_reset(&manifest);
}

#define OBJECT "apiVersion: v1\nkind: A\nmetadata: {name: a}\n"

static bool says_the_same(const char *left, const char *right)
{
    struct git_manifest one = reads(left);
    struct git_manifest other = reads(right);
    assert_int_equal(one.count, 1);
    assert_int_equal(other.count, 1);
    bool same = memcmp(one.objects[0].digest, other.objects[0].digest, DIGEST_BYTES) == 0;
    git_manifest_reset(&one);
    git_manifest_reset(&other);
    return same;
}

static void compares_content_and_not_layout(void **state)
{
    (void)state;
    assert_true(says_the_same(OBJECT "spec: {x: 1, y: [a]}\n",
                              "# comment\n" OBJECT "spec:\n  x:   1 # one\n  y:\n  - a\n"));
    assert_false(says_the_same(OBJECT "spec: {x: 1}\n", OBJECT "spec: {x: 2}\n"));
    assert_false(says_the_same(OBJECT "spec: {x: 1}\n", OBJECT "spec: {x: '1'}\n"));
    assert_false(says_the_same(OBJECT "spec: {x: [a, b]}\n", OBJECT "spec: {x: [a], b: c}\n"));
    assert_false(says_the_same(OBJECT "spec: {x: ab, y: c}\n", OBJECT "spec: {x: a, y: bc}\n"));
}

static void what_is_no_plain_manifest_is_unreadable(void **state)
{
    (void)state;
    is_unreadable("");
    is_unreadable("just text\n");
    is_unreadable("a: [\n");
    is_unreadable(OBJECT "---\na: [\n"); // half a file would be a wrong answer
    is_unreadable(OBJECT "spec: {x: '{{ .Values.x }}'}\n");
    is_unreadable("{{- if .x }}\n" OBJECT "{{ end }}\n");
    is_unreadable(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a.yaml]\n");
    is_unreadable("apiVersion: v2\nname: chart\nversion: 1.0.0\n");
    is_unreadable("kind: A\nmetadata: {name: a}\n");
    is_unreadable("apiVersion: v1\nkind: A\nmetadata: {name: \"\xff\"}\n");
    is_unreadable("apiVersion: v1\nkind: [A]\nmetadata: {name: a}\n");
    struct git_manifest nul;
    git_manifest_read("apiVersion: v1\0kind: A", 22, &nul);
    assert_false(nul.readable);
}

static void depth_and_size_are_bounded(void **state)
{
    (void)state;
    SCOPED_BUFFER deep = {0};
    buffer_append_text(&deep, OBJECT "spec: ");
    for (size_t i = 0; i < 100000; i++)
        buffer_append_char(&deep, '[');
    is_unreadable(deep.data);
    SCOPED_BUFFER large = {0};
    buffer_append_text(&large, OBJECT "spec: ");
    while (large.length <= GIT_MANIFEST_MAX_BYTES)
        buffer_append_text(&large, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    is_unreadable(large.data);
    SCOPED_BUFFER many = {0};
    for (size_t i = 0; i < 5000; i++)
        buffer_printf(&many, "---\napiVersion: v1\nkind: A\nmetadata: {name: a%zu}\n", i);
    struct git_manifest manifest = reads(many.data);
    assert_int_equal(manifest.count, GIT_MANIFEST_MAX_OBJECTS);
    git_manifest_reset(&manifest);
}

static void aliases_are_not_followed(void **state)
{
    (void)state;
    SCOPED_BUFFER bomb = {0};
    buffer_append_text(&bomb, OBJECT "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (size_t i = 1; i < 60; i++)
        buffer_printf(&bomb, "a%zu: &a%zu [*a%zu, *a%zu, *a%zu, *a%zu]\n", i, i, i - 1, i - 1,
                      i - 1, i - 1);
    struct git_manifest manifest = reads(bomb.data);
    assert_int_equal(manifest.count, 1);
    git_manifest_reset(&manifest);
}

static void knows_manifests_by_their_names(void **state)
{
    (void)state;
    assert_true(git_manifest_is_path("a.yaml"));
    assert_true(git_manifest_is_path("x/y.YML"));
    assert_true(git_manifest_is_path("x.json"));
    assert_false(git_manifest_is_path(".yaml"));
    assert_false(git_manifest_is_path("README.md"));
    assert_false(git_manifest_is_path("yaml"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_each_object),
        cmocka_unit_test(looks_into_lists),
        cmocka_unit_test(compares_content_and_not_layout),
        cmocka_unit_test(what_is_no_plain_manifest_is_unreadable),
        cmocka_unit_test(depth_and_size_are_bounded),
        cmocka_unit_test(aliases_are_not_followed),
        cmocka_unit_test(knows_manifests_by_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
