// The allow-list: who is found by key and name, for which namespaces, and what is refused with
// which words.

#include "tests/unit/unit.h"

#include <string.h>

#include "store/allow_list.h"

#define KEY_A "1111111111111111111111111111111111111111111111111111111111111111"
#define KEY_B "2222222222222222222222222222222222222222222222222222222222222222"
#define KEY_C "3333333333333333333333333333333333333333333333333333333333333333"
#define KEY_D "4444444444444444444444444444444444444444444444444444444444444444"

static bool read_list(const char *text, struct allow_list **list, struct error *err)
{
    SCOPED(yaml_tree_free) struct yaml_node *root = NULL;
    assert_true(yaml_load("test", text, strlen(text), &root, err));
    return allow_list_read(root, list, err);
}

static void refuses(const char *text, const char *words)
{
    struct allow_list *list = NULL;
    struct error err;
    assert_false(read_list(text, &list, &err));
    if (strstr(err.text, words) == NULL)
        fail_msg("'%s' is not in '%s'", words, err.text);
    assert_int_equal(err.react, REACT_STOP);
}

static void finds_collectors(void **state)
{
    (void)state;
    struct allow_list *list = NULL;
    struct error err;
    assert_true(read_list("- {name: eu-1, key: " KEY_A ", cluster: c1, namespaces: [dev, prod]}\n"
                          "- {name: eu-2, key: " KEY_B ", cluster: c2}\n",
                          &list, &err));
    const struct allowed *first = allow_list_by_name(list, "eu-1");
    assert_non_null(first);
    assert_ptr_equal(allow_list_by_key(list, first->keys[0]), first);
    assert_null(allow_list_by_name(list, "eu-3"));
    assert_true(allowed_namespace(first, "c1", "dev"));
    assert_false(allowed_namespace(first, "c1", "staging"));
    assert_false(allowed_namespace(first, "c2", "dev"));
    assert_false(allowed_namespace(first, "c1", NULL)); // the whole cluster is more than it may
    assert_true(allowed_namespace(allow_list_by_name(list, "eu-2"), "c2", NULL));
    allow_list_free(list);
}

// A commit names people: what is not said is not allowed, and only "*" is all.
static void finds_repositories(void **state)
{
    (void)state;
    struct allow_list *list = NULL;
    struct error err;
    assert_true(read_list("- {name: none, key: " KEY_A ", cluster: c1}\n"
                          "- {name: empty, key: " KEY_B ", cluster: c1, repositories: []}\n"
                          "- {name: two, key: " KEY_C ", cluster: c1, "
                          "repositories: [https://git.example/a.git, /srv/b]}\n"
                          "- {name: all, key: " KEY_D ", cluster: c1, repositories: ['*']}\n",
                          &list, &err));
    const struct allowed *two = allow_list_by_name(list, "two");
    assert_false(allowed_repository(allow_list_by_name(list, "none"), "https://git.example/a.git"));
    assert_false(allowed_repository(allow_list_by_name(list, "none"), ""));
    assert_false(allowed_repository(allow_list_by_name(list, "empty"), "/srv/b"));
    assert_true(allowed_repository(two, "https://git.example/a.git"));
    assert_true(allowed_repository(two, "/srv/b"));
    assert_false(allowed_repository(two, "https://git.example/a"));
    assert_false(allowed_repository(two, "https://git.example/a.git/b"));
    assert_false(allowed_repository(two, "*"));
    assert_true(allowed_repository(allow_list_by_name(list, "all"), "/anything"));
    allow_list_free(list);
    refuses("- {name: a, key: " KEY_A ", cluster: c1, repositories: '*'}\n", "must be a list");
    refuses("- {name: a, key: " KEY_A ", cluster: c1, repositories: [/a, {}]}\n",
            "a repository must be a name");
    refuses("- {name: a, key: " KEY_A ", cluster: c1, repositories: [/a, '']}\n",
            "a repository must be a name");
}

// While a key is exchanged both are the collector's, and nobody else's.
static void finds_either_key(void **state)
{
    (void)state;
    struct allow_list *list = NULL;
    struct error err;
    uint8_t second[CURVE_KEY_BYTES];
    memset(second, 0x22, sizeof(second));
    assert_true(
        read_list("- {name: eu-1, key: [" KEY_A ", " KEY_B "], cluster: c1}\n", &list, &err));
    const struct allowed *found = allow_list_by_key(list, second);
    assert_ptr_equal(found, allow_list_by_name(list, "eu-1"));
    assert_true(allowed_has_key(found, second));
    memset(second, 0x33, sizeof(second));
    assert_null(allow_list_by_key(list, second));
    allow_list_free(list);
    refuses("- {name: a, key: [" KEY_A ", " KEY_B "], cluster: c1}\n"
            "- {name: b, key: " KEY_B ", cluster: c1}\n",
            "same key");
    refuses("- {name: a, key: [" KEY_A ", " KEY_A "], cluster: c1}\n", "twice");
    refuses("- {name: a, key: [], cluster: c1}\n", "the old and the next");
    refuses("- {name: a, key: [" KEY_A ", {}], cluster: c1}\n", "64 hex digits");
}

static void refuses_bad_lists(void **state)
{
    (void)state;
    refuses("- {name: a, key: " KEY_A ", cluster: c1}\n- {name: a, key: " KEY_B ", cluster: c1}\n",
            "listed twice");
    refuses("- {name: a, key: " KEY_A ", cluster: c1}\n- {name: b, key: " KEY_A ", cluster: c1}\n",
            "same key");
    refuses("- {name: _store, key: " KEY_A ", cluster: c1}\n", "'_' not first");
    refuses("- {name: a, key: 12ab, cluster: c1}\n", "64 hex digits");
    refuses("- {name: a, key: " KEY_A "}\n", "lacks its key or its cluster");
    refuses("- {name: a, key: " KEY_A ", cluster: c1, namespaces: []}\n", "at least one");
    refuses("- {name: a, key: " KEY_A ", cluster: c1, namespace: dev}\n",
            "unknown key 'namespace'");
    // The public server key of the zmq_curve(7) manual.
    refuses("- {name: a, cluster: c1, key: "
            "54fcba24e93249969316fb617c872bb0c1d1ff14800427c594cbfacf1bc2d652}\n",
            "test key");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_collectors),
        cmocka_unit_test(finds_repositories),
        cmocka_unit_test(finds_either_key),
        cmocka_unit_test(refuses_bad_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
