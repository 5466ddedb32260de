// Time, text, hex, YAML, options and frames: the common room's small nouns.

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/curve_key.h"
#include "common/event.h"
#include "common/json.h"
#include "common/log.h"
#include "common/options.h"
#include "common/text.h"
#include "common/timestamp.h"
#include "common/yaml.h"

static void assert_time(const char *text, const char *expected)
{
    int64_t at;
    char printed[TIMESTAMP_TEXT];
    if (!timestamp_parse(text, &at))
        fail_msg("not taken: %s", text);
    timestamp_format(at, printed);
    assert_string_equal(printed, expected);
}

static void times_go_both_ways(void **state)
{
    (void)state;
    assert_time("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z");
    assert_time("2026-01-02T03:04:05.1234567Z", "2026-01-02T03:04:05.123456Z");
    assert_time("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05Z");
    assert_time("2024-02-29T23:59:59.5-00:30", "2024-03-01T00:29:59.500000Z");
    assert_time("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500000Z");
    int64_t at = 42;
    static const char *const bad[] = {
        "",           "2026-13-01T00:00:00Z", "2025-02-29T00:00:00Z",  "2026-01-02T03:04:05",
        "2026-01-02", "2026-01-02T25:00:00Z", "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05Zx"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(timestamp_parse(bad[i], &at));
    assert_int_equal(at, 42);
}

static void outside_text_is_only_shown(void **state)
{
    (void)state;
    SCOPED_BUFFER out = {0};
    const char *text = "a\x1b[31m\xe2\x80\xae\xff\xc3\xa9\n";
    text_append_visible(&out, text, strlen(text));
    assert_string_equal(out.data, "a\\x1b[31m\\u202e\\xff\xc3\xa9\\x0a");
}

static void integers_have_bounds(void **state)
{
    (void)state;
    int64_t value = 0;
    assert_true(text_to_int64("9223372036854775807", &value) && value == INT64_MAX);
    assert_false(text_to_int64("9223372036854775808", &value));
    assert_true(text_to_int64("-9223372036854775808", &value) && value == INT64_MIN);
    assert_false(text_to_int64("", &value));
    assert_false(text_to_int64("-", &value));
    assert_false(text_to_int64("1 ", &value));
    assert_false(text_to_int64("0x1", &value));
}

static void yaml_refuses_what_it_does_not_know(void **state)
{
    (void)state;
    static const char *const known[] = {"a", "b", NULL};
    struct error err;
    struct yaml_node *root = NULL;
    const char *text = "a: 1\nb: [x, {c: d}]\n";
    assert_true(yaml_load("f", text, strlen(text), &root, &err));
    assert_string_equal(yaml_text(root, "a"), "1");
    assert_string_equal(yaml_text(&yaml_get(root, "b")->items[1], "c"), "d");
    assert_true(yaml_check_keys(root, "f", known, &err));
    yaml_tree_free(root);
    static const char *const bad[] = {"a: 1\na: 2\n", "a: &x 1\nb: *x\n", "a: [", "--- 1\n--- 2\n",
                                      ""};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(yaml_load("f", bad[i], strlen(bad[i]), &root, &err));
    assert_true(yaml_load("f", "c: 1\n", 5, &root, &err));
    assert_false(yaml_check_keys(root, "f", known, &err));
    assert_non_null(strstr(err.text, "unknown key 'c'; hint: known are a, b"));
    yaml_tree_free(root);
}

static void options_come_from_three_places(void **state)
{
    (void)state;
    const char *file = NULL;
    const char *name = NULL;
    bool quiet = false;
    const struct option_spec table[] = {
        {"file", 'f', OPTION_VALUE, "FILE", "a file", &file, NULL},
        {"test-name", 0, OPTION_VALUE, "NAME", "a name", &name, NULL},
        {"quiet", 'q', OPTION_FLAG, NULL, "say less", NULL, &quiet},
        {0},
    };
    struct error err;
    int words;
    char *argv[] = {(char[]){"p"},
                    (char[]){"one"},
                    (char[]){"--file=x"},
                    (char[]){"-q"},
                    (char[]){"--"},
                    (char[]){"-two"},
                    NULL};
    setenv("MODELTRAIL_TEST_NAME", "from-environment", 1);
    setenv("MODELTRAIL_FILE", "loses", 1);
    assert_true(options_parse(table, 6, argv, &words, &err));
    assert_string_equal(file, "x");
    assert_string_equal(name, "from-environment");
    assert_true(quiet);
    assert_int_equal(words, 2);
    assert_string_equal(argv[2], "-two");
    char *missing[] = {(char[]){"p"}, (char[]){"--file"}, NULL};
    assert_false(options_parse(table, 2, missing, &words, &err));
    char *unknown[] = {(char[]){"p"}, (char[]){"--fil"}, NULL};
    assert_false(options_parse(table, 2, unknown, &words, &err));
    unsetenv("MODELTRAIL_TEST_NAME");
    unsetenv("MODELTRAIL_FILE");
}

static void frames_go_both_ways(void **state)
{
    (void)state;
    struct frame data = {.kind = FRAME_DATA, .epoch = 1763868000123, .seq = 41, .count = 2};
    memset(data.chain, 0xab, DIGEST_BYTES);
    data.body = "{}\n{}\n";
    data.body_length = 6;
    SCOPED_BUFFER bytes = {0};
    frame_write(&data, &bytes);
    struct frame read;
    struct error err;
    assert_true(frame_parse(bytes.data, bytes.length, &read, &err));
    assert_int_equal(read.kind, FRAME_DATA);
    assert_true(read.epoch == data.epoch && read.seq == 41 && read.count == 2);
    assert_memory_equal(read.chain, data.chain, DIGEST_BYTES);
    assert_int_equal(read.body_length, 6);
    assert_int_equal(read.at, 0); // older programs do not tell
    data.at = 1763868000123456;
    buffer_clear(&bytes);
    frame_write(&data, &bytes);
    assert_true(frame_parse(bytes.data, bytes.length, &read, &err));
    assert_true(read.at == data.at);
    static const char odd[] = "{\"kind\":\"beat\",\"epoch\":\"1\",\"at\":\"noon\"}";
    assert_true(frame_parse(odd, strlen(odd), &read, &err));
    assert_int_equal(read.at, 0);
    struct frame nack = {.kind = FRAME_NACK, .reason = NACK_FORK, .epoch = 1763868000123};
    buffer_clear(&bytes);
    frame_write(&nack, &bytes);
    assert_true(frame_parse(bytes.data, bytes.length, &read, &err));
    assert_true(read.epoch == nack.epoch);
    static const char *const bad[] = {"",
                                      "{}",
                                      "{\"kind\":\"what\"}",
                                      "{\"kind\":\"ack\"}",
                                      "{\"kind\":\"ack\",\"acked\":\"-1\"}",
                                      "{\"kind\":\"hello\",\"collector\":\"\"}",
                                      "\xff\xfe"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(frame_parse(bad[i], strlen(bad[i]), &read, &err));
}

static void event_lines_are_json_whatever_the_name(void **state)
{
    (void)state;
    struct event_head head = {.collector = "eu-1",
                              .epoch = 1,
                              .seq = 2,
                              .cluster = "c\"1",
                              .type = TYPE_SCOPE_GAP,
                              .subject = "ns/Kind/\x01\"",
                              .time = 0};
    SCOPED_BUFFER line = {0};
    event_write(&line, &head, "{\"a\":1}", 7);
    struct error err;
    SCOPED(cJSON_Delete) cJSON *tree = json_parse(line.data, line.length, 8, &err);
    assert_non_null(tree);
    assert_string_equal(json_text(tree, "id"), "eu-1:1:2");
    assert_string_equal(json_text(tree, "source"), "/modeltrail/c\"1/eu-1");
    assert_string_equal(json_text(tree, "subject"), "ns/Kind/\x01\"");
    assert_string_equal(json_text(tree, "time"), "1970-01-01T00:00:00Z");
}

static void key_files_are_private(void **state)
{
    (void)state;
    char path[] = "/tmp/modeltrail-key-XXXXXX";
    close(mkstemp(path));
    struct curve_key made;
    struct curve_key loaded;
    struct error err;
    assert_false(curve_key_create(path, &made, &err)); // never replaces a file
    unlink(path);
    assert_true(curve_key_create(path, &made, &err));
    assert_true(curve_key_load(path, &loaded, &err));
    assert_memory_equal(made.public, loaded.public, CURVE_KEY_BYTES);
    chmod(path, 0644);
    assert_false(curve_key_load(path, &loaded, &err));
    assert_non_null(strstr(err.text, "hint: chmod 600"));
    unlink(path);
    const struct curve_key none = {0};
    curve_key_wipe(&made);
    assert_memory_equal(&made, &none, sizeof(none));
}

// A key file of this text, mode 0600: what curve_key_load says against it.
static void refuses_key_text(const char *text, const char *words)
{
    char path[] = "/tmp/modeltrail-key-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    const struct curve_key none = {0};
    struct curve_key key = {0};
    struct error err;
    assert_false(curve_key_load(path, &key, &err));
    assert_non_null(strstr(err.text, words));
    assert_memory_equal(&key, &none, sizeof(none)); // nothing of a refused key is given
    unlink(path);
}

static void key_files_hold_one_key(void **state)
{
    (void)state;
    // The secret keys of server and client in the zmq_curve(7) manual, and the server's public one.
    refuses_key_text("8e0bdd697628b91d8f245587ee95c5b04d48963f79259877b49cd9063aead3b7\n",
                     "test key");
    refuses_key_text("7bb864b489afa3671fbe69101f94b38972f24816dfb01b51656b3fec8dfd0888",
                     "test key");
    refuses_key_text("54fcba24e93249969316fb617c872bb0c1d1ff14800427c594cbfacf1bc2d652",
                     "test key");
    refuses_key_text("", "64 hex digits");
    refuses_key_text("12", "64 hex digits");
    refuses_key_text("8e0bdd697628b91d8f245587ee95c5b04d48963f79259877b49cd9063aead3b7ff",
                     "64 hex digits");
}

static void json_strings_are_escaped(void **state)
{
    (void)state;
    SCOPED_BUFFER out = {0};
    buffer_append_json_string(&out, "a\"\\\n\x01\xc3\xa9", 7);
    assert_string_equal(out.data, "\"a\\\"\\\\\\u000a\\u0001\xc3\xa9\"");
}

// What log_line writes for one value.
static void log_value(const char *value, char *line, size_t size)
{
    int out[2];
    assert_int_equal(pipe(out), 0);
    int before = dup(STDERR_FILENO);
    dup2(out[1], STDERR_FILENO);
    log_line(LOG_ERROR, "m", "key", value, NULL);
    dup2(before, STDERR_FILENO);
    ssize_t length = read(out[0], line, size - 1);
    assert_true(length > 0);
    line[length] = '\0';
    close(before);
    close(out[0]);
    close(out[1]);
}

static void log_values_are_safe_to_show(void **state)
{
    (void)state;
    char line[512];
    log_value("plain-1", line, sizeof(line));
    assert_non_null(strstr(line, " key=plain-1\n"));
    log_value("a \"b\\c\nd level=error", line, sizeof(line));
    assert_non_null(strstr(line, " key=\"a \\\"b\\\\c\\nd level=error\"\n"));
    log_value("\x1b[2J \xc2\x9b \xe2\x80\xae \xff", line, sizeof(line));
    assert_null(strpbrk(line, "\x1b\xff\xae"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_values_are_safe_to_show),
        cmocka_unit_test(times_go_both_ways),
        cmocka_unit_test(outside_text_is_only_shown),
        cmocka_unit_test(integers_have_bounds),
        cmocka_unit_test(yaml_refuses_what_it_does_not_know),
        cmocka_unit_test(options_come_from_three_places),
        cmocka_unit_test(frames_go_both_ways),
        cmocka_unit_test(event_lines_are_json_whatever_the_name),
        cmocka_unit_test(key_files_are_private),
        cmocka_unit_test(key_files_hold_one_key),
        cmocka_unit_test(json_strings_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
