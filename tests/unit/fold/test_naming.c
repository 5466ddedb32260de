// Naming: the table of examples in docs/naming.md, read from there, and the parts it does not
// reach.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "common/text.h"
#include "store/naming.h"

#include <cmocka.h>

#define MAX_CELLS 6
#define MAX_LABELS 4

// Splits a table row in place; returns the number of cells, each without spaces and backquotes at
// its ends.
static size_t split_cells(char *line, char *cells[MAX_CELLS])
{
    size_t count = 0;
    for (char *at = strtok(line, "|\n"); at != NULL && count < MAX_CELLS;
         at = strtok(NULL, "|\n")) {
        at += strspn(at, " ");
        size_t length = strlen(at);
        while (length > 0 && at[length - 1] == ' ')
            at[--length] = '\0';
        cells[count++] = at;
    }
    return count;
}

// One word of the column "given" becomes a member of the placement.
static void take_given(const char *word, struct raw_placement *raw, struct raw_label *labels,
                       struct fold_arena *arena)
{
    static const char *const kubeflow[] = {"registered-model-id", "model-version-id", "name"};
    const char *equal = strchr(word, '=');
    if (equal == NULL || strstr(word, "://") != NULL) {
        raw->uri = fold_arena_text(arena, word);
        return;
    }
    const char *value = fold_arena_text(arena, equal + 1);
    if (equal == word + 1 && word[0] == 'n') {
        raw->node = value;
    } else if (equal == word + 1 && word[0] == 'a') {
        raw->artifact_version = value;
    } else if (equal == word + 1 && word[0] == 'i') {
        raw->image = value;
    } else if (equal == word + 1 && word[0] == 'd') {
        raw->digest = value;
    } else {
        size_t length = (size_t)(equal - word);
        const char *prefix = "modeltrail.io/";
        for (size_t i = 0; i < 3; i++) {
            if (strlen(kubeflow[i]) == length && strncmp(word, kubeflow[i], length) == 0)
                prefix = "modelregistry.kubeflow.org/";
        }
        char key[128];
        snprintf(key, sizeof(key), "%s%.*s", prefix, (int)length, word);
        labels[raw->label_count++] = (struct raw_label){fold_arena_text(arena, key), value};
        raw->labels = labels;
    }
}

static void take_all_given(char *cell, struct raw_placement *raw, struct raw_label *labels,
                           struct fold_arena *arena)
{
    for (char *word = strchr(cell, '`'); word != NULL; word = strchr(word, '`')) {
        char *end = strchr(word + 1, '`');
        assert_non_null(end);
        *end = '\0';
        take_given(word + 1, raw, labels, arena);
        word = end + 1;
    }
}

static void assert_cell(const char *what, const char *given, const char *expected)
{
    if (strcmp(expected, "-") == 0)
        expected = NULL;
    if (!text_equal(given, expected))
        fail_msg("%s is %s, the table says %s", what, given ? given : "-",
                 expected ? expected : "-");
}

static void assert_version(const struct identity *identity, const char *expected)
{
    if (strcmp(expected, "~") != 0) {
        assert_cell("version", identity->version, expected);
        return;
    }
    uint8_t digest[DIGEST_BYTES];
    char hex[DIGEST_HEX];
    digest_sha256(identity->artifact, strlen(identity->artifact), digest);
    hex_encode(digest, sizeof(digest), hex);
    hex[12] = '\0';
    assert_string_equal(identity->version, hex);
}

static void check_row(char *cells[MAX_CELLS], const struct naming_rules *all)
{
    SCOPED_FOLD_ARENA arena = {0};
    struct raw_label labels[MAX_LABELS];
    struct raw_placement raw = {0};
    take_all_given(cells[0], &raw, labels, &arena);
    struct identity identity;
    naming_of(all, "fraud", &raw, &arena, &identity);
    assert_cell("model", identity.model, cells[1]);
    assert_version(&identity, cells[2]);
    assert_cell("artifact", identity.artifact, cells[3]);
    assert_cell("digest", identity.artifact_digest, cells[4]);
    assert_cell("source", identity_source_name(identity.source), cells[5]);
}

static void rules_of(const char *json, struct naming_rules *rules)
{
    cJSON *central = cJSON_Parse(json);
    assert_non_null(central);
    naming_rules_apply(rules, central, 1);
    cJSON_Delete(central);
}

static void the_table_of_examples_holds(void **unused)
{
    (void)unused;
    struct naming_rules rules = {0};
    rules_of("{\"artifacts\":[\"s3://models-{environment}/{model}/{version}\"]}", &rules);
    FILE *page = fopen(TEST_SOURCE_DIR "/docs/naming.md", "r");
    assert_non_null(page);
    char line[2048];
    bool in_examples = false;
    size_t rows = 0;
    while (fgets(line, sizeof(line), page) != NULL) {
        in_examples |= strcmp(line, "## Examples\n") == 0;
        if (!in_examples || line[0] != '|' || strncmp(line, "| given", 7) == 0 ||
            strncmp(line, "| ---", 5) == 0)
            continue;
        char *cells[MAX_CELLS];
        assert_int_equal(split_cells(line, cells), MAX_CELLS);
        check_row(cells, &rules);
        rows++;
    }
    fclose(page);
    assert_true(rows >= 25);
    naming_rules_reset(&rules);
}

static void versions_are_told_from_names(void **unused)
{
    (void)unused;
    static const char *const versions[] = {"v3",
                                           "V12",
                                           "3",
                                           "1.4.0",
                                           "v1.19.0-dev",
                                           "1.4.0+build.7",
                                           "2.0rc1",
                                           "2026-01-31",
                                           "2026_01_31",
                                           "20260131",
                                           "20260131T101500Z",
                                           "4f3c2a9",
                                           "0a0b0c0d-0000-4000-8000-000000000001"};
    static const char *const names[] = {"",         "v",     "fraud",       "v3x",   "2-class",
                                        "deadbeef", "model", "2026-13-01x", "1..2",  "latest",
                                        "abc123",   "-v3",   "1.",          "v1.0-", "rc1"};
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        if (!naming_is_version(versions[i], strlen(versions[i])))
            fail_msg("%s is a version", versions[i]);
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (naming_is_version(names[i], strlen(names[i])))
            fail_msg("%s is no version", names[i]);
    }
}

static const char *model_by(const char *patterns, const char *uri, const char **version,
                            struct fold_arena *arena)
{
    struct naming_rules rules = {0};
    rules_of(patterns, &rules);
    struct raw_placement raw = {.uri = uri};
    struct identity identity;
    naming_of(&rules, "w", &raw, arena, &identity);
    naming_rules_reset(&rules);
    *version = identity.version;
    return identity.model;
}

static void patterns_share_a_segment_and_come_in_order(void **unused)
{
    (void)unused;
    SCOPED_FOLD_ARENA arena = {0};
    const char *version;
    assert_string_equal(model_by("{\"artifacts\":[\"s3://b/{model}-{version}\"]}",
                                 "s3://b/fraud-scorer-v3", &version, &arena),
                        "fraud-scorer");
    assert_string_equal(version, "v3");
    // The first that matches, not the best.
    assert_string_equal(
        model_by("{\"artifacts\":[\"s3://x/{model}\",\"s3://b/{model}\",\"s3://b/{e}/{model}\"]}",
                 "s3://b/one/two", &version, &arena),
        "one");
    // One character more than the pattern's last segment is another place.
    assert_string_equal(
        model_by("{\"artifacts\":[\"s3://b/{model}/v1\"]}", "s3://b/m/v12", &version, &arena), "w");
    assert_string_equal(version, "v12");
    // A placeholder takes at least one character, and none that is not closed matches.
    assert_string_equal(model_by("{\"artifacts\":[\"s3://b/{model}x/\",\"s3://b/{model\"]}",
                                 "s3://b/x", &version, &arena),
                        "w");
}

static void a_hostile_artifact_costs_little(void **unused)
{
    (void)unused;
    SCOPED_FOLD_ARENA arena = {0};
    char uri[1100] = "s3://b/";
    memset(uri + 7, 'a', 1000);
    const char *version;
    assert_string_equal(model_by("{\"artifacts\":[\"s3://b/{a}{b}{c}{d}{e}{f}{g}{model}!\"]}", uri,
                                 &version, &arena),
                        "w");
    memset(uri, '/', sizeof(uri) - 1);
    assert_string_equal(naming_normalise_uri(uri, &arena), "/");
}

static void rules_move_only_when_patterns_differ(void **unused)
{
    (void)unused;
    struct naming_rules rules = {0};
    cJSON *none = cJSON_Parse("{\"people\":[]}");
    cJSON *one = cJSON_Parse("{\"artifacts\":[\"s3://{model}\", 7]}");
    assert_false(naming_rules_apply(&rules, none, 5));
    assert_int_equal(rules.log_index, 0);
    assert_true(naming_rules_apply(&rules, one, 6));
    assert_false(naming_rules_apply(&rules, one, 7));
    assert_int_equal(rules.log_index, 6);
    assert_true(naming_rules_apply(&rules, none, 8));
    assert_int_equal(rules.log_index, 8);
    assert_int_equal(rules.count, 0);
    cJSON_Delete(none);
    cJSON_Delete(one);
    naming_rules_reset(&rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_examples_holds),
        cmocka_unit_test(versions_are_told_from_names),
        cmocka_unit_test(patterns_share_a_segment_and_come_in_order),
        cmocka_unit_test(a_hostile_artifact_costs_little),
        cmocka_unit_test(rules_move_only_when_patterns_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
