// The tail: rotation by rename and by copy and truncate, archives, order, unfinished lines,
// resuming by a place, and a file that is gone.

#include "tests/unit/unit.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "collector/tail.h"
#include "common/buffer.h"
#include "common/named_file.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/modeltrail-tail-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    SCOPED(xfree_char) char *pattern = xasprintf("%s/*", folder);
    glob_t found;
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            unlink(found.gl_pathv[i]);
        globfree(&found);
    }
    return rmdir(folder);
}

// A line of the tests begins with its time: "17 text".
static bool line_time(const char *bytes, size_t length, int64_t *at)
{
    char *end;
    SCOPED(xfree_char) char *text = xstrndup(bytes, length);
    *at = strtol(text, &end, 10);
    return end != text;
}

static char *in_folder(const char *name)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *mode, const char *text)
{
    FILE *file = fopen(in_folder(name), mode);
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void write_gzip(const char *name, const char *text)
{
    gzFile file = gzopen(in_folder(name), "wb");
    assert_non_null(file);
    gzputs(file, text);
    gzclose(file);
}

static struct tail *open_tail(const char *name, bool once)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return tail_open(&(struct tail_options){.path = path, .once = once, .line_time = line_time});
}

// Reads what there is as one text, lines separated by '|', then how it ended.
static void reads(struct tail *tail, const char *expected)
{
    static const char *const endings[] = {"", "wait", "end", "lost", "trouble"};
    SCOPED_BUFFER all = {0};
    struct tail_line line;
    struct error err;
    enum tail_outcome outcome;
    do {
        outcome = tail_next(tail, &line, &err);
        if (outcome == TAIL_LINE)
            buffer_append(&all, line.bytes, line.length);
        else
            buffer_append_text(&all, endings[outcome]);
        buffer_append_char(&all, '|');
    } while (outcome == TAIL_LINE || outcome == TAIL_LOST);
    assert_string_equal(all.data, expected);
}

static void follows_and_waits_for_line_ends(void **state)
{
    (void)state;
    struct tail *tail = open_tail("a.log", false);
    reads(tail, "trouble|");
    write_file("a.log", "w", "1 one\n2 t");
    reads(tail, "1 one|wait|");
    reads(tail, "wait|");
    write_file("a.log", "a", "wo\n3 three\n");
    reads(tail, "2 two|3 three|wait|");
    tail_close(tail);
}

static void follows_a_rename(void **state)
{
    (void)state;
    write_file("a.log", "w", "1 one\n");
    struct tail *tail = open_tail("a.log", false);
    reads(tail, "1 one|wait|");
    write_file("a.log", "a", "2 two\n3 unended");
    rename(in_folder("a.log"), in_folder("a-2026-01-02T03-04-05.678.log"));
    reads(tail, "2 two|wait|");
    write_file("a.log", "w", "");
    reads(tail, "wait|");
    write_file("a.log", "a", "4 four\n");
    reads(tail, "3 unended|4 four|wait|");
    tail_close(tail);
}

static void follows_several_rotations_at_once(void **state)
{
    (void)state;
    write_file("a.log", "w", "1 one\n");
    struct tail *tail = open_tail("a.log", false);
    reads(tail, "1 one|wait|");
    rename(in_folder("a.log"), in_folder("a.log.2"));
    write_gzip("a.log.1.gz", "2 two\n3 three\n");
    write_file("a.log", "w", "4 four\n");
    reads(tail, "2 two|3 three|4 four|wait|");
    tail_close(tail);
}

static void follows_copy_and_truncate(void **state)
{
    (void)state;
    write_file("a.log", "w", "1 one\n2 two\n");
    struct tail *tail = open_tail("a.log", false);
    reads(tail, "1 one|2 two|wait|");
    write_file("a.log.1", "w", "1 one\n2 two\n3 three\n");
    write_file("a.log", "w", "4 four, a longer line than before\n");
    reads(tail, "3 three|4 four, a longer line than before|wait|");
    tail_close(tail);
}

static void says_lost_when_the_file_is_gone(void **state)
{
    (void)state;
    write_file("a.log", "w", "1 one\n2 two\n");
    struct tail *tail = open_tail("a.log", false);
    reads(tail, "1 one|2 two|wait|");
    write_file("a.log", "w", "9 nine\n");
    reads(tail, "lost|9 nine|wait|");
    tail_close(tail);
}

static void resumes_at_a_place(void **state)
{
    (void)state;
    write_file("a.log", "w", "1 one\n2 two\n");
    struct tail *tail = open_tail("a.log", false);
    struct tail_line line;
    struct error err;
    assert_int_equal(tail_next(tail, &line, &err), TAIL_LINE);
    struct tail_place place = tail_place(tail);
    reads(tail, "2 two|wait|");
    tail_return_to(tail, &place);
    reads(tail, "2 two|wait|");
    tail_close(tail);
    // While nobody looked the file was compressed under another name, and two more came.
    unlink(in_folder("a.log"));
    write_gzip("a.log-20260102.gz", "1 one\n2 two\n3 three\n");
    write_file("a.log.1", "w", "4 four\n");
    write_file("a.log", "w", "5 five\n");
    tail = open_tail("a.log", false);
    tail_return_to(tail, &place);
    reads(tail, "2 two|3 three|4 four|5 five|wait|");
    tail_close(tail);
}

static void reads_on_in_a_replaced_file(void **state)
{
    (void)state;
    write_file("a.log", "w", "1 one\n2 two\n");
    struct tail *tail = open_tail("a.log", false);
    reads(tail, "1 one|2 two|wait|");
    write_file("new", "w", "1 one\n2 two\n3 three\n");
    rename(in_folder("new"), in_folder("a.log"));
    reads(tail, "3 three|wait|");
    tail_close(tail);
}

static void reads_archives_in_order_of_time(void **state)
{
    (void)state;
    write_file("x-b.log", "w", "5 five\n6 six");
    write_gzip("x-c.log.gz", "1 one\n2 two\n");
    write_file("x-a.log", "w", "not a time\n3 three\n");
    write_file("x-empty.log", "w", "");
    struct tail *tail = open_tail("x-*", true);
    reads(tail, "1 one|2 two|not a time|3 three|5 five|6 six|end|");
    struct tail_place place = tail_place(tail);
    tail_close(tail);
    // Read again from where it ended: nothing. A further archive is read.
    tail = open_tail("x-*", true);
    tail_return_to(tail, &place);
    reads(tail, "end|");
    tail_close(tail);
    write_gzip("x-0.log.gz", "8 eight\n");
    tail = open_tail("x-*", true);
    tail_return_to(tail, &place);
    reads(tail, "8 eight|end|");
    tail_close(tail);
}

static void says_so_when_an_archive_is_damaged(void **state)
{
    (void)state;
    // Random enough not to compress, so that half of the file is half of the lines.
    SCOPED_BUFFER text = {0};
    for (int i = 0; i < 40000; i++)
        buffer_printf(&text, "%d %d\n", 10 + i, rand());
    write_gzip("x-1.gz", text.data);
    SCOPED_BUFFER bytes = {0};
    struct error err;
    assert_true(named_file_read(in_folder("x-1.gz"), NAMED_FILE_REGULAR, 1 << 24, &bytes, &err));
    assert_int_equal(truncate(in_folder("x-1.gz"), (off_t)bytes.length / 2), 0);
    write_file("x-2", "w", "99999 last\n");
    struct tail *tail = open_tail("x-*", true);
    struct tail_line line;
    enum tail_outcome outcome;
    size_t lines = 0;
    while ((outcome = tail_next(tail, &line, &err)) == TAIL_LINE)
        lines++;
    assert_int_equal(outcome, TAIL_TROUBLE);
    assert_int_equal(err.react, REACT_REJECT);
    assert_in_range(lines, 1000, 39999);
    reads(tail, "99999 last|end|");
    tail_close(tail);
}

static void cuts_a_line_that_is_too_long(void **state)
{
    (void)state;
    SCOPED_BUFFER text = {0};
    buffer_append_text(&text, "1 one\n2 ");
    for (size_t i = 0; i < TAIL_LINE_MAX / 16 + 100000; i++)
        buffer_append_text(&text, "0123456789abcdef");
    buffer_append_text(&text, "\n3 three\n");
    write_file("a.log", "w", text.data);
    struct tail *tail = open_tail("a.log", false);
    struct tail_line line;
    struct error err;
    assert_int_equal(tail_next(tail, &line, &err), TAIL_LINE);
    assert_false(line.too_long);
    assert_int_equal(tail_next(tail, &line, &err), TAIL_LINE);
    assert_true(line.too_long);
    assert_int_equal(line.offset, 6);
    reads(tail, "3 three|wait|");
    tail_close(tail);
}

#define TAIL_TEST(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAIL_TEST(follows_and_waits_for_line_ends),    TAIL_TEST(follows_a_rename),
        TAIL_TEST(follows_several_rotations_at_once),  TAIL_TEST(follows_copy_and_truncate),
        TAIL_TEST(says_lost_when_the_file_is_gone),    TAIL_TEST(resumes_at_a_place),
        TAIL_TEST(reads_on_in_a_replaced_file),        TAIL_TEST(reads_archives_in_order_of_time),
        TAIL_TEST(says_so_when_an_archive_is_damaged), TAIL_TEST(cuts_a_line_that_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
