// Which object of a commit changed its file, and whether it says there what it said before.

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "collector/git_moves.h"

// A name and what it says, as NAME=TEXT; up to four of them make a file.
struct file {
    struct git_object objects[4];
    struct git_manifest manifest;
};

static const struct git_manifest *file(struct file *file, const char *const *texts)
{
    *file = (struct file){.manifest = {.objects = file->objects, .readable = true}};
    for (size_t i = 0; texts != NULL && texts[i] != NULL; i++) {
        struct git_object *object = &file->objects[file->manifest.count++];
        const char *equals = strchr(texts[i], '=');
        memcpy(object->name, texts[i], (size_t)(equals - texts[i]));
        strcpy(object->kind, "Model");
        object->digest[0] = (uint8_t)equals[1];
    }
    return texts != NULL ? &file->manifest : NULL;
}

#define FILE_OF(...)                                                                               \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

// A path of the commit; NULL: there is no such side.
struct path {
    const char *path;
    const char *const *before, *const *after;
};

struct commit {
    struct file sides[8][2];
    struct git_moves *moves;
};

static void begin(struct commit *commit, const struct path *paths, size_t count)
{
    commit->moves = git_moves_new();
    for (size_t i = 0; i < count; i++)
        git_moves_add(commit->moves, paths[i].path, file(&commit->sides[i][0], paths[i].before),
                      file(&commit->sides[i][1], paths[i].after));
    git_moves_finish(commit->moves);
}

#define BEGIN(...)                                                                                 \
    begin(commit, (struct path[]){__VA_ARGS__},                                                    \
          sizeof((struct path[]){__VA_ARGS__}) / sizeof(struct path))

static void check(struct git_move move, const char *change, const char *from, const char *to)
{
    assert_string_equal(move.change, change);
    assert_string_equal(move.from != NULL ? move.from : "-", from);
    assert_string_equal(move.to != NULL ? move.to : "-", to);
}

static void arrives(struct commit *commit, const char *path, const char *text, const char *change,
                    const char *from)
{
    struct file wanted;
    const struct git_manifest *manifest = file(&wanted, FILE_OF(text));
    check(git_moves_arrival(commit->moves, manifest->objects, path), change, from, "-");
}

static void departs(struct commit *commit, const char *path, const char *text, const char *change,
                    const char *to)
{
    struct file wanted;
    const struct git_manifest *manifest = file(&wanted, FILE_OF(text));
    check(git_moves_departure(commit->moves, manifest->objects, path), change, "-", to);
}

static int set_up(void **state)
{
    *state = xcalloc(1, sizeof(struct commit));
    return 0;
}

static int tear_down(void **state)
{
    struct commit *commit = *state;
    git_moves_free(commit->moves);
    free(commit);
    return 0;
}

static void a_renamed_file_moves_its_objects(void **state)
{
    struct commit *commit = *state;
    BEGIN({"prod/a.yaml", FILE_OF("m=1", "n=1"), NULL},
          {"prod/b.yaml", NULL, FILE_OF("m=1", "n=2")});
    arrives(commit, "prod/b.yaml", "m=1", "moved", "prod/a.yaml");
    arrives(commit, "prod/b.yaml", "n=2", "modified", "prod/a.yaml");
    departs(commit, "prod/a.yaml", "m=1", "moved", "prod/b.yaml");
    departs(commit, "prod/a.yaml", "n=1", "moved", "prod/b.yaml");
}

static void what_no_other_file_has_comes_and_goes(void **state)
{
    struct commit *commit = *state;
    BEGIN({"a.yaml", FILE_OF("m=1", "x=1"), FILE_OF("x=1")},
          {"b.yaml", FILE_OF("x=2"), FILE_OF("n=1", "x=3")});
    departs(commit, "a.yaml", "m=1", "removed", "-");
    arrives(commit, "b.yaml", "n=1", "added", "-");
}

static void a_copy_is_added(void **state)
{
    struct commit *commit = *state;
    BEGIN({"a.yaml", FILE_OF("m=1"), FILE_OF("m=2")}, {"b.yaml", NULL, FILE_OF("m=1")});
    arrives(commit, "b.yaml", "m=1", "added", "-");
}

static void what_another_file_keeps_is_removed_here(void **state)
{
    struct commit *commit = *state;
    BEGIN({"a.yaml", FILE_OF("m=1"), NULL}, {"b.yaml", FILE_OF("m=1"), FILE_OF("m=2")});
    departs(commit, "a.yaml", "m=1", "removed", "-");
}

// A rename in the folders of two environments is one commit, and each has its own content.
static void the_nearest_file_is_the_other_end(void **state)
{
    struct commit *commit = *state;
    BEGIN({"apps/dev/a/m.yaml", FILE_OF("m=1"), NULL}, {"apps/dev/b/m.yaml", NULL, FILE_OF("m=1")},
          {"apps/prod/a/m.yaml", FILE_OF("m=2"), NULL},
          {"apps/prod/b/m.yaml", NULL, FILE_OF("m=1")});
    arrives(commit, "apps/dev/b/m.yaml", "m=1", "moved", "apps/dev/a/m.yaml");
    arrives(commit, "apps/prod/b/m.yaml", "m=1", "modified", "apps/prod/a/m.yaml");
    departs(commit, "apps/prod/a/m.yaml", "m=2", "moved", "apps/prod/b/m.yaml");
}

static void of_two_as_near_one_that_differs_counts(void **state)
{
    struct commit *commit = *state;
    BEGIN({"a.yaml", FILE_OF("m=1"), NULL}, {"b.yaml", FILE_OF("m=2"), NULL},
          {"c.yaml", NULL, FILE_OF("m=1")});
    arrives(commit, "c.yaml", "m=1", "modified", "b.yaml");
    departs(commit, "a.yaml", "m=1", "moved", "c.yaml");
}

static void an_object_twice_in_a_file_is_there_once(void **state)
{
    struct commit *commit = *state;
    BEGIN({"a.yaml", FILE_OF("m=1", "m=2"), NULL}, {"b.yaml", NULL, FILE_OF("m=1")});
    arrives(commit, "b.yaml", "m=1", "moved", "a.yaml");
}

static void another_namespace_is_another_object(void **state)
{
    struct commit *commit = *state;
    struct file before, after;
    file(&before, FILE_OF("m=1"));
    file(&after, FILE_OF("m=1"));
    strcpy(after.objects[0].namespace, "prod");
    commit->moves = git_moves_new();
    git_moves_add(commit->moves, "a.yaml", &before.manifest, NULL);
    git_moves_add(commit->moves, "b.yaml", NULL, &after.manifest);
    git_moves_finish(commit->moves);
    check(git_moves_arrival(commit->moves, &after.objects[0], "b.yaml"), "added", "-", "-");
    check(git_moves_departure(commit->moves, &before.objects[0], "a.yaml"), "removed", "-", "-");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_renamed_file_moves_its_objects),
        TEST(what_no_other_file_has_comes_and_goes),
        TEST(a_copy_is_added),
        TEST(what_another_file_keeps_is_removed_here),
        TEST(the_nearest_file_is_the_other_end),
        TEST(of_two_as_near_one_that_differs_counts),
        TEST(an_object_twice_in_a_file_is_there_once),
        TEST(another_namespace_is_another_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
