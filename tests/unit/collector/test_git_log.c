// What git's answers are made of: commits and their paths, the graph, and contents of objects.

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "collector/git_log.h"
#include "collector/git_objects.h"
#include "collector/git_walk.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccc"
#define D "dddddddddddddddddddddddddddddddddddddddd"
#define E "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
#define F "ffffffffffffffffffffffffffffffffffffffff"
#define ZERO "0000000000000000000000000000000000000000"
#define REST(subject)                                                                              \
    "\0"                                                                                           \
    "\0an\0ae\0"                                                                                   \
    "1\0cn\0ce\0"                                                                                  \
    "2\0"                                                                                          \
    "\0"                                                                                           \
    "\0" subject "\0Ticket: T\0"

// Paths that look like what else git tells must stay paths.
static const char two_commits[] = "\x01" A REST("one") "\0\n:000000 100644 " ZERO " " B " A\0\x01" C
                                                       "\0:100644 000000 " B " " ZERO " D\0:x y\0"
                                                       "\x01" C REST("two") "\0"
                                                                            "\x01" D REST("three");

static void reads_by_number_in_any_pieces(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < sizeof(two_commits); piece += piece < 5 ? 1 : 37) {
        SCOPED(git_log_free) struct git_log *log = git_log_new();
        struct error err;
        for (size_t at = 0; at < sizeof(two_commits); at += piece) {
            size_t left = sizeof(two_commits) - at;
            assert_true(git_log_take(log, two_commits + at, left < piece ? left : piece, &err));
        }
        size_t count;
        struct git_commit *commits = git_log_commits(log, true, &count);
        assert_int_equal(count, 3);
        assert_string_equal(commits[0].fields[GIT_FIELD_ID], A);
        assert_string_equal(commits[0].fields[GIT_FIELD_SUBJECT], "one");
        assert_string_equal(commits[0].fields[GIT_FIELD_TRAILERS], "Ticket: T");
        assert_int_equal(commits[0].change_count, 2);
        assert_string_equal(commits[0].changes[0].path, "\x01" C);
        assert_string_equal(commits[0].changes[0].before, "");
        assert_string_equal(commits[0].changes[0].after, B);
        assert_string_equal(commits[0].changes[1].path, ":x y");
        assert_int_equal(commits[0].changes[1].kind, 'D');
        assert_string_equal(commits[1].fields[GIT_FIELD_COMMITTER_EMAIL], "ce");
        assert_int_equal(commits[2].change_count, 0);
        git_log_commits(log, false, &count);
        assert_int_equal(count, 2); // the last one may not be whole
    }
}

static void refuses_what_is_no_log(void **state)
{
    (void)state;
    static const char *const bad[] = {"x", "\x01no name", ":100644", "\x01" A "x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        SCOPED(git_log_free) struct git_log *log = git_log_new();
        struct error err;
        assert_false(git_log_take(log, bad[i], strlen(bad[i]) + 1, &err));
        assert_int_equal(err.react, REACT_REJECT);
    }
}

static void keeps_so_many_paths_and_counts_the_rest(void **state)
{
    (void)state;
    static const char commit[] = "\x01" A REST("wide");
    static const char raw[] = ":000000 100644 " ZERO " " B " A";
    SCOPED(git_log_free) struct git_log *log = git_log_new();
    struct error err;
    assert_true(git_log_take(log, commit, sizeof(commit), &err));
    for (size_t i = 0; i < 100000; i++) {
        assert_true(git_log_take(log, raw, sizeof(raw), &err));
        assert_true(git_log_take(log, "a/long/path.yaml", 17, &err));
    }
    size_t count;
    struct git_commit *commits = git_log_commits(log, true, &count);
    assert_int_equal(commits[0].change_count, GIT_LOG_MAX_PATHS);
    assert_int_equal(commits[0].omitted, 100000 - GIT_LOG_MAX_PATHS);
}

static void walks(struct git_walk *walk, const char *text)
{
    struct error err;
    for (; *text != '\0'; text++)
        assert_true(git_walk_take(walk, text, 1, &err));
    git_walk_finish(walk);
}

// A - B - E - F   the mainline; C and D were brought by E, the merge of a merge
//  \ C - D /
static void finds_the_mainline_and_what_merges_brought(void **state)
{
    (void)state;
    SCOPED(git_walk_free) struct git_walk *walk = git_walk_new();
    walks(walk,
          A "\n" C " " A "\n" B " " A "\n" D " " C " " B "\n" E " " B " " D "\n" F " " E "\n");
    static const bool mainline[] = {true, false, true, false, true, true};
    assert_int_equal(git_walk_count(walk), 6);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(git_walk_is_mainline(walk, i), mainline[i]);
    assert_int_equal(git_walk_first_brought(walk, 4), 1);
    assert_int_equal(git_walk_next_brought(walk, 1), 3);
    assert_int_equal(git_walk_next_brought(walk, 3), SIZE_MAX);
    assert_int_equal(git_walk_first_brought(walk, 5), SIZE_MAX);
}

static void each_merge_has_its_own(void **state)
{
    (void)state;
    SCOPED(git_walk_free) struct git_walk *walk = git_walk_new();
    // D comes before the first merge in the order, and was brought by the second.
    walks(walk, A "\n" D " " A "\n" B " " A "\n" C " " A " " B "\n" E " " C " " D "\n");
    assert_int_equal(git_walk_first_brought(walk, 3), 2);
    assert_int_equal(git_walk_first_brought(walk, 4), 1);
}

static void a_walk_of_nothing_is_one(void **state)
{
    (void)state;
    SCOPED(git_walk_free) struct git_walk *walk = git_walk_new();
    struct error err;
    git_walk_finish(walk);
    assert_int_equal(git_walk_count(walk), 0);
    SCOPED(git_walk_free) struct git_walk *bad = git_walk_new();
    assert_false(git_walk_take(bad, "nonsense\n", 9, &err));
}

#define MODEL "apiVersion: v1\nkind: A\nmetadata: {name: a}\n"
#define SIGNED "tree x\nauthor a\ngpgsig -----BEGIN\n x\n\nmessage\n"
#define PLAIN "tree x\nauthor a\n\ngpgsig in the message\n\ngpgsig\n"

static void reads_contents_in_any_pieces(void **state)
{
    (void)state;
    char answer[1000];
    int length = snprintf(answer, sizeof(answer),
                          A " blob %zu\n" MODEL "\n" C " commit %zu\n" SIGNED "\n" D
                            " commit %zu\n" PLAIN "\n" E " missing\n" F " blob 0\n\n",
                          strlen(MODEL), strlen(SIGNED), strlen(PLAIN));
    for (size_t piece = 1; piece < 60; piece++) {
        SCOPED(git_objects_free) struct git_objects *objects = git_objects_new();
        SCOPED_BUFFER names = {0};
        struct error err;
        const char *const wanted[] = {F, E, D, C, A, A};
        for (size_t i = 0; i < 6; i++)
            git_objects_want(objects, wanted[i]);
        git_objects_print_all(objects, &names);
        assert_string_equal(names.data, A "\n" C "\n" D "\n" E "\n" F "\n");
        for (size_t at = 0; at < (size_t)length; at += piece) {
            size_t left = (size_t)length - at;
            assert_true(
                git_objects_take_contents(objects, answer + at, left < piece ? left : piece, &err));
        }
        assert_int_equal(git_objects_manifest(objects, A)->count, 1);
        assert_true(git_objects_is_signed(objects, C));
        assert_false(git_objects_is_signed(objects, D));
        assert_null(git_objects_manifest(objects, E));
        assert_true(git_objects_is_signed(objects, E)); // not known to have none
        assert_false(git_objects_manifest(objects, F)->readable);
    }
}

static void only_small_objects_are_read(void **state)
{
    (void)state;
    SCOPED(git_objects_free) struct git_objects *objects = git_objects_new();
    SCOPED_BUFFER all = {0};
    SCOPED_BUFFER small = {0};
    struct error err;
    git_objects_want(objects, A);
    git_objects_want(objects, B);
    git_objects_want(objects, C);
    git_objects_print_all(objects, &all);
    static const char sizes[] = A " blob 100\n" B " blob 104857600\n" C " missing\n";
    assert_true(git_objects_take_sizes(objects, sizes, sizeof(sizes) - 1, &err));
    git_objects_print_small(objects, &small);
    assert_string_equal(small.data, A "\n");
    assert_false(git_objects_take_sizes(objects, D " blob 1\n", 48, &err));
    assert_false(git_objects_take_contents(objects, A " blob 99999999\n", 56, &err));
}

// Grafts or a damaged graph may say so; names that are digests never do.
static void a_line_of_parents_that_is_a_circle_ends(void **state)
{
    (void)state;
    static const char circle[] = A " " B "\n" B " " A "\n" C " " B " " D "\n";
    SCOPED(git_walk_free) struct git_walk *walk = git_walk_new();
    struct error err;
    assert_true(git_walk_take(walk, circle, strlen(circle), &err));
    git_walk_finish(walk);
    assert_int_equal(git_walk_count(walk), 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(git_walk_is_mainline(walk, i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_by_number_in_any_pieces),
        cmocka_unit_test(refuses_what_is_no_log),
        cmocka_unit_test(keeps_so_many_paths_and_counts_the_rest),
        cmocka_unit_test(finds_the_mainline_and_what_merges_brought),
        cmocka_unit_test(each_merge_has_its_own),
        cmocka_unit_test(a_walk_of_nothing_is_one),
        cmocka_unit_test(reads_contents_in_any_pieces),
        cmocka_unit_test(only_small_objects_are_read),
        cmocka_unit_test(a_line_of_parents_that_is_a_circle_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
