// Edit distance and "did you mean".

#include "query/model_word.h"
#include "query/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void counts_edits(void **state)
{
    (void)state;
    assert_int_equal(edit_distance("", "", 5), 0);
    assert_int_equal(edit_distance("", "abc", 5), 3);
    assert_int_equal(edit_distance("kitten", "sitting", 5), 3);
    assert_int_equal(edit_distance("fraud-scorer", "fraud-socrer", 5), 1);
    assert_int_equal(edit_distance("Fraud", "fraud", 5), 0);
    assert_int_equal(edit_distance("abcdef", "azcedf", 5), 2);
}

static void stops_at_the_limit(void **state)
{
    (void)state;
    assert_int_equal(edit_distance("kitten", "sitting", 2), 3);
    assert_int_equal(edit_distance("a", "aaaaaaaaaa", 3), 4);
    assert_int_equal(edit_distance("abcdefgh", "hgfedcba", 2), 3);
}

static void long_words_have_no_neighbours(void **state)
{
    (void)state;
    char word[600];
    memset(word, 'a', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    assert_int_equal(edit_distance(word, word, 3), 4);
}

static void finds_the_nearest(void **state)
{
    (void)state;
    const char *const names[] = {"churn", "fraud-score", NULL, "fraud-scorer", "fraud-scorer-v2"};
    assert_string_equal(nearest_word("fraud-scorr", names, 5), "fraud-score");
    assert_string_equal(nearest_word("fruad-scorer", names, 5), "fraud-scorer");
    assert_string_equal(nearest_word("FRAUD-SCORER", names, 5), "fraud-scorer");
    assert_string_equal(nearest_word("chrun", names, 5), "churn");
    assert_null(nearest_word("weather", names, 5));
    assert_null(nearest_word("x", names, 0));
}

static void expect_word(const char *text, const char *model, const char *version)
{
    struct model_word word;
    struct error err;
    assert_true(model_word_split(&word, text, &err));
    if (model == NULL)
        assert_null(word.model);
    else
        assert_string_equal(word.model, model);
    if (version == NULL)
        assert_null(word.version);
    else
        assert_string_equal(word.version, version);
    model_word_reset(&word);
}

static void splits_a_model_from_its_version(void **state)
{
    (void)state;
    expect_word("fraud", "fraud", NULL);
    expect_word("fraud@v3", "fraud", "v3");
    expect_word("org/name@rev@2", "org/name@rev", "2");
    expect_word("@odd", "@odd", NULL);
    struct model_word word;
    struct error err;
    assert_false(model_word_split(&word, "odd@", &err));
    expect_word("hf://org/name@main", NULL, NULL);
    expect_word("sha256:00ff", NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_edits),
        cmocka_unit_test(stops_at_the_limit),
        cmocka_unit_test(long_words_have_no_neighbours),
        cmocka_unit_test(finds_the_nearest),
        cmocka_unit_test(splits_a_model_from_its_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
