// Redaction by byte ranges: what goes, what stays, and the pointers that say so.

#include "tests/unit/unit.h"

#include <string.h>

#include "collector/redact.h"

static void check(const char *object, const char *want, const char *paths)
{
    SCOPED_BUFFER out = {0};
    struct redactions redactions = {0};
    struct error err = {0};
    if (!redact_object(object, strlen(object), &out, &redactions, &err))
        fail_msg("%s: %s", object, err.text);
    assert_string_equal(out.data, want);
    assert_string_equal(redactions.paths.data != NULL ? redactions.paths.data : "", paths);
    redactions_reset(&redactions);
}

static void keeps_bytes_but_white_space(void **state)
{
    (void)state;
    check(" { \"a\" : [ 1.0e+2 , \"\\u0041 b\" ,\n{ } ] ,\t\"b\":null } ",
          "{\"a\":[1.0e+2,\"\\u0041 b\",{}],\"b\":null}", "");
}

static void environment_values_go(void **state)
{
    (void)state;
    check("{\"env\":[{\"name\":\"A\",\"value\":\"x\"},{\"value\":\"y\",\"name\":\"B\"}]}",
          "{\"env\":[{\"name\":\"A\",\"value\":\"[redacted]\"},"
          "{\"value\":\"[redacted]\",\"name\":\"B\"}]}",
          "\"/env/0/value\",\"/env/1/value\"");
    check("{\"env\":{\"A\":\"x\",\"B\":2,\"C\":true}}",
          "{\"env\":{\"A\":\"[redacted]\",\"B\":\"[redacted]\",\"C\":true}}",
          "\"/env/A\",\"/env/B\"");
    check("{\"env\":[\"A=x\"]}", "{\"env\":[\"[redacted]\"]}", "\"/env/0\"");
}

// Maps of maps, lists of maps: whatever shape a chart gives them, they are variables.
static void grouped_environment_values_go(void **state)
{
    (void)state;
    check("{\"envs\":{\"env\":{\"A\":\"x\"},\"b\":{\"c\":{\"D\":1,\"E\":[\"y\",{\"F\":\"z\"}]}}}}",
          "{\"envs\":{\"env\":{\"A\":\"[redacted]\"},\"b\":{\"c\":{\"D\":\"[redacted]\","
          "\"E\":[\"[redacted]\",{\"F\":\"[redacted]\"}]}}}}",
          "\"/envs/env/A\",\"/envs/b/c/D\",\"/envs/b/c/E/0\",\"/envs/b/c/E/1/F\"");
    check("{\"env\":[{\"A\":\"x\"}]}", "{\"env\":[{\"A\":\"[redacted]\"}]}", "\"/env/0/A\"");
    check("{\"env\":[{\"name\":\"A\",\"valueFrom\":{\"configMapKeyRef\":{\"name\":\"n\",\"key\":"
          "\"k\"}}}]}",
          "{\"env\":[{\"name\":\"A\",\"valueFrom\":{\"configMapKeyRef\":{\"name\":\"n\",\"key\":"
          "\"k\"}}}]}",
          "");
}

static void storage_uri_stays_but_for_its_secrets(void **state)
{
    (void)state;
    check("{\"env\":[{\"value\":\"s3://b/m\",\"name\":\"STORAGE_URI\"}]}",
          "{\"env\":[{\"value\":\"s3://b/m\",\"name\":\"STORAGE_URI\"}]}", "");
    check("{\"env\":[{\"name\":\"STORAGE_URI\",\"value\":\"s3://k:s@b/m\"}]}",
          "{\"env\":[{\"name\":\"STORAGE_URI\",\"value\":\"s3://b/m\"}]}", "\"/env/0/value\"");
    // Two names, or two values: no reader can be trusted to see the harmless one.
    check("{\"env\":[{\"name\":\"STORAGE_URI\",\"value\":\"x\",\"name\":\"P\"}]}",
          "{\"env\":[{\"name\":\"STORAGE_URI\",\"value\":\"[redacted]\",\"name\":\"P\"}]}",
          "\"/env/0/value\"");
    check("{\"env\":[{\"value\":\"x\",\"value\":\"y\",\"name\":\"P\"}]}",
          "{\"env\":[{\"value\":\"[redacted]\",\"value\":\"[redacted]\",\"name\":\"P\"}]}",
          "\"/env/0/value\",\"/env/0/value\"");
}

static void members_named_like_secrets_go_whole(void **state)
{
    (void)state;
    check("{\"oauth_secret\":\"a\",\"PassWord\":1,\"tokens\":[\"a\"],\"credential\":{\"a\":[1]}}",
          "{\"oauth_secret\":\"[redacted]\",\"PassWord\":\"[redacted]\",\"tokens\":\"[redacted]\","
          "\"credential\":\"[redacted]\"}",
          "\"/oauth_secret\",\"/PassWord\",\"/tokens\",\"/credential\"");
    check("{\"pass\\u0077ord\":\"a\"}", "{\"pass\\u0077ord\":\"[redacted]\"}", "\"/password\"");
    check("{\"secretName\":\"a\",\"token\":null,\"password\":\"\",\"max_tokens\":5}",
          "{\"secretName\":\"a\",\"token\":null,\"password\":\"\",\"max_tokens\":5}", "");
}

static void volumes_keep_their_references(void **state)
{
    (void)state;
    check("{\"secret\":{\"secretName\":\"s\",\"items\":[{\"key\":\"k\",\"path\":\"p\"}],\"x\":"
          "\"y\"}}",
          "{\"secret\":{\"secretName\":\"s\",\"items\":[{\"key\":\"k\",\"path\":\"p\"}],"
          "\"x\":\"[redacted]\"}}",
          "\"/secret/x\"");
    check("{\"secret\":\"x\"}", "{\"secret\":\"[redacted]\"}", "\"/secret\"");
}

static void values_beside_a_secret_name_go(void **state)
{
    (void)state;
    check("{\"p\":[{\"value\":{\"a\":1},\"name\":\"hf_token\"},{\"name\":\"n\",\"value\":\"v\"}]}",
          "{\"p\":[{\"value\":\"[redacted]\",\"name\":\"hf_token\"},"
          "{\"name\":\"n\",\"value\":\"v\"}]}",
          "\"/p/0/value\"");
}

static void lists_of_values_go_as_well(void **state)
{
    (void)state;
    check("{\"p\":[{\"values\":[\"a\",1],\"name\":\"password\"},{\"name\":\"n\",\"values\":[2]}]}",
          "{\"p\":[{\"values\":\"[redacted]\",\"name\":\"password\"},"
          "{\"name\":\"n\",\"values\":[2]}]}",
          "\"/p/0/values\"");
    // Two of them: as with a doubled `value`, none can be trusted to be the harmless one.
    check("{\"value\":1,\"values\":[\"a\"],\"name\":\"token\"}",
          "{\"value\":\"[redacted]\",\"values\":\"[redacted]\",\"name\":\"token\"}",
          "\"/values\",\"/value\"");
}

static void environments_have_many_names(void **state)
{
    (void)state;
    static const char *const keys[] = {"ENV", "serverEnv", "env_variables",
                                       "ENVIRONMENT_VARIABLES"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        SCOPED_BUFFER object = {0};
        SCOPED_BUFFER want = {0};
        SCOPED_BUFFER path = {0};
        buffer_printf(&object, "{\"%s\":{\"A\":\"x\"}}", keys[i]);
        buffer_printf(&want, "{\"%s\":{\"A\":\"[redacted]\"}}", keys[i]);
        buffer_printf(&path, "\"/%s/A\"", keys[i]);
        check(object.data, want.data, path.data);
    }
    check("{\"convEnvironment\":{\"A\":\"x\"},\"a_very_long_name_of_an_environment\":{\"A\":1}}",
          "{\"convEnvironment\":{\"A\":\"x\"},\"a_very_long_name_of_an_environment\":{\"A\":1}}",
          "");
}

static void nested_values_are_cut_in_the_right_place(void **state)
{
    (void)state;
    check("{\"value\":[{\"value\":\"aa\",\"name\":\"token\"}],\"x\":1,\"name\":\"harmless\"}",
          "{\"value\":[{\"value\":\"[redacted]\",\"name\":\"token\"}],\"x\":1,"
          "\"name\":\"harmless\"}",
          "\"/value/0/value\"");
}

static void arguments_behind_a_flag_go(void **state)
{
    (void)state;
    check("{\"args\":[\"--token\",\"abc\",\"--port\",\"1\",\"--password\",\"--x\",\"y\"]}",
          "{\"args\":[\"--token\",\"[redacted]\",\"--port\",\"1\",\"--password\",\"--x\",\"y\"]}",
          "\"/args/1\"");
}

static void managed_fields_and_last_applied_go(void **state)
{
    (void)state;
    check("{\"metadata\":{\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":"
          "\"{}\"},\"managedFields\":[{\"manager\":\"m\",\"fieldsV1\":{\"f:x\":{}}}]}}",
          "{\"metadata\":{\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":"
          "\"[redacted]\"},\"managedFields\":[{\"manager\":\"m\",\"fieldsV1\":\"[redacted]\"}]}}",
          "\"/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration\","
          "\"/metadata/managedFields/0/fieldsV1\"");
}

static void the_list_of_paths_is_bounded(void **state)
{
    (void)state;
    SCOPED_BUFFER object = {0};
    buffer_append_text(&object, "{\"env\":[\"x\"");
    for (int i = 0; i < 20000; i++)
        buffer_append_text(&object, ",\"x\"");
    buffer_append_text(&object, "]}");
    SCOPED_BUFFER out = {0};
    struct redactions redactions = {0};
    struct error err = {0};
    assert_true(redact_object(object.data, object.length, &out, &redactions, &err));
    assert_int_equal(redactions.count + redactions.unnamed, 20001);
    assert_true(redactions.unnamed > 0);
    assert_true(redactions.paths.length < REDACT_MAX_PATHS_BYTES + 2 * REDACT_MAX_PATH_BYTES);
    redactions_reset(&redactions);
}

static void refuses_what_is_no_object(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "[]", "1", "{", "{}x", "{\"a\":1e9999}", NULL};
    for (size_t i = 0; texts[i] != NULL; i++) {
        SCOPED_BUFFER out = {0};
        struct redactions redactions = {0};
        struct error err = {0};
        assert_false(redact_object(texts[i], strlen(texts[i]), &out, &redactions, &err));
        assert_int_equal(err.react, REACT_REJECT);
        redactions_reset(&redactions);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_bytes_but_white_space),
        cmocka_unit_test(environment_values_go),
        cmocka_unit_test(grouped_environment_values_go),
        cmocka_unit_test(storage_uri_stays_but_for_its_secrets),
        cmocka_unit_test(members_named_like_secrets_go_whole),
        cmocka_unit_test(volumes_keep_their_references),
        cmocka_unit_test(values_beside_a_secret_name_go),
        cmocka_unit_test(lists_of_values_go_as_well),
        cmocka_unit_test(environments_have_many_names),
        cmocka_unit_test(nested_values_are_cut_in_the_right_place),
        cmocka_unit_test(arguments_behind_a_flag_go),
        cmocka_unit_test(managed_fields_and_last_applied_go),
        cmocka_unit_test(the_list_of_paths_is_bounded),
        cmocka_unit_test(refuses_what_is_no_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
