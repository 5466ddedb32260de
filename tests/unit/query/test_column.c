// Column selection: only names of the fixed table ever reach SQL.

#include "query/column.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct column columns[] = {
    {"model", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"deployed_at", COLUMN_TIME, COLUMN_TABLE, "since"},
    {"versions", COLUMN_LIST, COLUMN_WIDE, NULL},
    {"artifact_digest", COLUMN_TEXT, COLUMN_ALL, NULL},
    {0},
};

static void levels_widen(void **state)
{
    (void)state;
    struct selection selection;
    struct error err;
    assert_true(selection_make(columns, COLUMN_TABLE, NULL, &selection, &err));
    assert_int_equal(selection.count, 2);
    assert_true(selection_make(columns, COLUMN_WIDE, NULL, &selection, &err));
    assert_int_equal(selection.count, 3);
    assert_true(selection_make(columns, COLUMN_ALL, NULL, &selection, &err));
    assert_int_equal(selection.count, 4);
}

static void names_choose_and_order(void **state)
{
    (void)state;
    struct selection selection;
    struct error err;
    assert_true(selection_make(columns, COLUMN_TABLE, "artifact_digest,model", &selection, &err));
    assert_int_equal(selection.count, 2);
    assert_string_equal(selection.columns[0]->name, "artifact_digest");
    assert_string_equal(selection.columns[1]->name, "model");
}

static void headings_are_names_too(void **state)
{
    (void)state;
    struct selection selection;
    struct error err;
    assert_true(selection_make(columns, COLUMN_TABLE, "SINCE,ARTIFACT DIGEST", &selection, &err));
    assert_int_equal(selection.count, 2);
    assert_string_equal(selection.columns[0]->name, "deployed_at");
    assert_string_equal(selection.columns[1]->name, "artifact_digest");
    assert_true(selection_make(columns, COLUMN_TABLE, "since", &selection, &err));
    assert_string_equal(selection.columns[0]->name, "deployed_at");
    assert_false(selection_make(columns, COLUMN_TABLE, "sinc", &selection, &err));
}

static void a_column_is_named_once(void **state)
{
    (void)state;
    struct selection selection;
    struct error err;
    assert_false(selection_make(columns, COLUMN_TABLE, "model,model", &selection, &err));
    assert_non_null(strstr(err.text, "'model' is named twice"));
    assert_false(selection_make(columns, COLUMN_TABLE, "since,deployed_at", &selection, &err));
}

static void strange_names_are_refused_with_the_nearest(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "", "model,", ",model", "model ", "mode", "model;DROP TABLE x", "\"model\"", "*"};
    struct selection selection;
    struct error err;
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
        assert_false(selection_make(columns, COLUMN_TABLE, refused[i], &selection, &err));
    assert_false(selection_make(columns, COLUMN_TABLE, "mdoel", &selection, &err));
    assert_string_equal(err.text, "no column 'mdoel'; hint: did you mean 'model'?");
    assert_false(selection_make(columns, COLUMN_TABLE, "zzzzzz", &selection, &err));
    assert_non_null(strstr(err.text, "model, deployed_at, versions, artifact_digest"));
}

static void sql_is_made_of_the_tables_names(void **state)
{
    (void)state;
    struct selection selection;
    struct error err;
    SCOPED_BUFFER sql = {0};
    assert_true(selection_make(columns, COLUMN_WIDE, NULL, &selection, &err));
    selection_append_names(&selection, &sql);
    assert_string_equal(sql.data, "model, deployed_at, versions");
    buffer_clear(&sql);
    selection_append_cells(&selection, true, &sql);
    assert_string_equal(sql.data, "model::text, to_json(deployed_at) #>> '{}',"
                                  " array_to_string(versions, ', ')");
    buffer_clear(&sql);
    selection_append_cells(&selection, false, &sql);
    assert_non_null(strstr(sql.data, "to_json(versions)::text"));
}

static void headings_are_capitals(void **state)
{
    (void)state;
    SCOPED_BUFFER heading = {0};
    column_append_heading(&columns[3], &heading);
    assert_string_equal(heading.data, "ARTIFACT DIGEST");
    buffer_clear(&heading);
    column_append_heading(&columns[1], &heading);
    assert_string_equal(heading.data, "SINCE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_widen),
        cmocka_unit_test(names_choose_and_order),
        cmocka_unit_test(headings_are_names_too),
        cmocka_unit_test(a_column_is_named_once),
        cmocka_unit_test(strange_names_are_refused_with_the_nearest),
        cmocka_unit_test(sql_is_made_of_the_tables_names),
        cmocka_unit_test(headings_are_capitals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
