// What a name may lead to: files, folders, devices, pipes with and without a writer. None of it is
// waited for.

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/curve_key.h"
#include "common/named_file.h"

#define HANGS_AFTER_S 5

static char folder[64];

// A test that waits for ever shall fail alone.
static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/modeltrail-named-XXXXXX");
    assert_non_null(mkdtemp(folder));
    alarm(HANGS_AFTER_S);
    return 0;
}

static const char *in_folder(const char *name)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static int remove_folder(void **state)
{
    (void)state;
    alarm(0);
    unlink(in_folder("file"));
    unlink(in_folder("pipe"));
    return rmdir(folder);
}

static const char *make_file(const char *text)
{
    const char *path = in_folder("file");
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return path;
}

static const char *make_pipe(void)
{
    const char *path = in_folder("pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    return path;
}

static void refuses(const char *path, enum named_file takes, const char *words)
{
    SCOPED_BUFFER text = {0};
    struct error err;
    assert_false(named_file_read(path, takes, 100, &text, &err));
    assert_int_equal(err.react, REACT_STOP);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, words));
}

static void a_file_is_read_within_its_bound(void **state)
{
    (void)state;
    const char *path = make_file("text\n");
    SCOPED_BUFFER text = {0};
    struct error err;
    assert_true(named_file_read(path, NAMED_FILE_REGULAR, 5, &text, &err));
    assert_string_equal(text.data, "text\n");
    buffer_clear(&text);
    assert_false(named_file_read(path, NAMED_FILE_REGULAR, 4, &text, &err));
    assert_non_null(strstr(err.text, "is larger than 4 bytes"));
}

static void an_empty_file_is_a_text(void **state)
{
    (void)state;
    SCOPED_BUFFER text = {0};
    struct error err;
    assert_true(named_file_read(make_file(""), NAMED_FILE_REGULAR, 5, &text, &err));
    assert_string_equal(text.data, "");
}

static void what_is_no_file_is_refused_by_its_name(void **state)
{
    (void)state;
    for (int takes = NAMED_FILE_REGULAR; takes <= NAMED_FILE_OR_PIPE; takes++) {
        refuses(folder, (enum named_file)takes, "is a folder; hint: name a regular file");
        refuses("/dev/zero", (enum named_file)takes, "is a device");
        refuses("/nonexistent", (enum named_file)takes, "No such file");
    }
    refuses(make_pipe(), NAMED_FILE_REGULAR, "is a pipe");
}

static void a_pipe_without_a_writer_is_empty(void **state)
{
    (void)state;
    SCOPED_BUFFER text = {0};
    struct error err;
    assert_true(named_file_read(make_pipe(), NAMED_FILE_OR_PIPE, 5, &text, &err));
    assert_string_equal(text.data, "");
}

// As a shell makes it for <(command): the writer is there before the reader, and may be slow.
static void a_pipe_is_read_as_its_writer_writes(void **state)
{
    (void)state;
    SCOPED_BUFFER text = {0};
    struct error err;
    char path[32];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    if (fork() == 0) {
        usleep(200000);
        _exit(write(ends[1], "slow", 4) == 4 ? 0 : 1);
    }
    close(ends[1]);
    snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
    assert_true(named_file_read(path, NAMED_FILE_OR_PIPE, 5, &text, &err));
    assert_string_equal(text.data, "slow");
    close(ends[0]);
}

static void a_key_is_neither_folder_nor_pipe(void **state)
{
    (void)state;
    struct curve_key key;
    struct error err;
    assert_false(curve_key_load(make_pipe(), &key, &err));
    assert_non_null(strstr(err.text, "pipe is a pipe; hint: name a regular file"));
    assert_false(curve_key_load(folder, &key, &err));
    assert_non_null(strstr(err.text, "is a folder"));
    assert_null(strstr(err.text, "keygen"));
    assert_false(curve_key_load(in_folder("none"), &key, &err));
    assert_non_null(strstr(err.text, "No such file or directory; hint: make one with keygen"));
}

static void what_a_library_opens_is_looked_at(void **state)
{
    (void)state;
    struct error err;
    assert_true(named_file_check(make_file(""), &err));
    assert_true(named_file_check("/nonexistent", &err)); // the library tells
    assert_false(named_file_check(make_pipe(), &err));
    assert_false(named_file_check(folder, &err));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_read_within_its_bound),        TEST(an_empty_file_is_a_text),
        TEST(what_is_no_file_is_refused_by_its_name), TEST(a_pipe_without_a_writer_is_empty),
        TEST(a_pipe_is_read_as_its_writer_writes),    TEST(a_key_is_neither_folder_nor_pipe),
        TEST(what_a_library_opens_is_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
