// What is a secret inside a text, and what only looks like one.

#include "tests/unit/unit.h"

#include <string.h>

#include "collector/redact_message.h"
#include "collector/redact_text.h"
#include "collector/secret_name.h"

struct pair {
    const char *from;
    const char *to; // NULL: stays
};

static void check(const struct pair *pairs)
{
    for (; pairs->from != NULL; pairs++) {
        SCOPED_BUFFER out = {0};
        bool changed = redact_text(pairs->from, strlen(pairs->from), &out);
        if (changed != (pairs->to != NULL))
            fail_msg("'%s' became '%s'", pairs->from, changed ? out.data : "(the same)");
        if (changed)
            assert_string_equal(out.data != NULL ? out.data : "", pairs->to);
    }
}

static void uris_lose_credentials_and_queries(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"s3://bucket/a/b", NULL},
        {"https://u:p@h:8080/x?y=z", "https://h:8080/x"},
        {"https://token@github.com/o/r", "https://github.com/o/r"},
        {"http://h/?q", "http://h/"},
        {"see <https://u@h/> and 'http://a?b'", "see <https://h/> and 'http://a'"},
        {"postgres://u:p/w?x#y@db/name", "postgres://db/name"},
        {"postgres://u:p@ss@db/name", "postgres://db/name"},
        {"jdbc:postgresql://db/n?user=a&password=b", "jdbc:postgresql://db/n"},
        {"http://[::1]:80/x", NULL},
        {"://", NULL},
        {"x://", NULL},
        {"a://b://c?d", "a://b://c"},
        {"nats://b:S1@a:4222,nats://b:S2@b:4222", "nats://a:4222,nats://b:4222"},
        {"s3://k:s@a/x;gs://k:s@b/y|S3A://k@c/z?t=1,d", "s3://a/x;gs://b/y|S3A://c/z"},
        {"s3://a/x?t=1,s3://k:s@b/y?t=2", "s3://a/x,s3://b/y"},
        {"mongodb://u:p@a:1,b:2/n?c,d", "mongodb://a:1,b:2/n"},
        {"s3://a/x,y;z|w,://v", NULL},
        {NULL, NULL},
    };
    check(pairs);
}

static void at_signs_of_identities_stay(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"hf://gpt2@main", NULL},
        {"hf://org/name@4f2c", NULL},
        {"oci://registry:5000/m@sha256:abcdef", NULL},
        {"oci://m:1@sha256:abcdef", NULL},
        {"oci://user:pw@registry/m:1", "oci://registry/m:1"},
        {"abfss://box@account.dfs.core.windows.net/m", NULL},
        {"https://account.blob.core.windows.net/box/m?sv=1&sig=2",
         "https://account.blob.core.windows.net/box/m"},
        {NULL, NULL},
    };
    check(pairs);
}

static void assigned_secrets_are_taken(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"--password=x", "--password=[redacted]"},
        {"--hf-token abc def", "--hf-token [redacted] def"},
        {"run --token 'a b' --port 1", "run --token '[redacted]' --port 1"},
        {"--token --port 1", NULL},
        {"{\"api_key\": \"a b\"}", "{\"api_key\": \"[redacted]\"}"},
        {"{\\\"secret\\\":\\\"a\\\"}", "{\\\"secret\\\":\\\"[redacted]\\\"}"},
        {"{\"token\": [\"a\", \"b]\"], \"x\": 1}", "{\"token\": [redacted], \"x\": 1}"},
        {"{\\\"secret\\\":{\\\"a\\\":[\\\"b\\\"]},\\\"x\\\":1}",
         "{\\\"secret\\\":[redacted],\\\"x\\\":1}"},
        {"token: [a, b", "token: [redacted]"},
        {"password: abc", "password: [redacted]"},
        {"TOKEN=$(cat)", NULL},
        {"TOKEN=${TOKEN}", NULL},
        {"Authorization: Bearer abc x", "Authorization: [redacted] x"},
        {"a=1 client_secret=b c=2", "a=1 client_secret=[redacted] c=2"},
        {"password=", NULL},
        {"a password is needed", NULL},
        {NULL, NULL},
    };
    check(pairs);
}

// Two versions must not become one artifact.
static void places_stay_distinct(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"s3://bucket/token=prod/m/v1", "s3://bucket/token=[redacted]/m/v1"},
        {"s3://k:s@b/token=x/v1?y, s3://b/api_key=z/v2",
         "s3://b/token=[redacted]/v1 s3://b/api_key=[redacted]/v2"},
        {"s3://b/token=x,s3://b/v2", "s3://b/token=[redacted],s3://b/v2"},
        {"s3://b/token=Bearer/v1", "s3://b/token=[redacted]/v1"},
        {"jdbc:sqlserver://h:1433;user=u;password=S/T;x=y",
         "jdbc:sqlserver://h:1433;user=u;password=[redacted]"},
        {"jdbc:sqlserver://h/db;password=S/T", "jdbc:sqlserver://h/db;password=[redacted]"},
        {"--token=s3://b/m/v1 c", "--token=[redacted] c"},
        {"s3://b/m token=a/b", "s3://b/m token=[redacted]"},
        {"s3://b/token: a/b", "s3://b/token: [redacted]"},
        {":s3,access_key_id=A,secret_access_key=S/T:b/m/v1",
         ":s3,access_key_id=[redacted],secret_access_key=[redacted]:b/m/v1"},
        {"--uri=:s3,secret_access_key=S:b/v1 x", "--uri=:s3,secret_access_key=[redacted]:b/v1 x"},
        {":s3,secret_access_key='S:T':b/v1", ":s3,secret_access_key='[redacted]':b/v1"},
        {":s3,a=b:c/d token=S:T", ":s3,a=b:c/d token=[redacted]"},
        {"remote,token=S:T", "remote,token=[redacted]"},
        {NULL, NULL},
    };
    check(pairs);
}

static void yaml_in_a_text(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"password:\n  S\nuser: u", "password:\n  [redacted]\nuser: u"},
        {"a:\n  token:\n    - S\n\n    - T\n  user: u\n",
         "a:\n  token:\n    [redacted]\n  user: u\n"},
        {"api_keys:\r\n- S\r\n- T\r\nu: v", "api_keys:\r\n[redacted]\nu: v"},
        {"secret: \n\n\tS", "secret: \n\n\t[redacted]"},
        {"password:\nuser: u", NULL},
        {"  password:\n user: u", NULL},
        {"password:\n", NULL},
        {"password:\n\n", NULL},
        {"tokenFile:\n  a", NULL},
        {"user:u\npassword:S\nx:y", "user:u\npassword:[redacted]\nx:y"},
        {"{db_password:S}", "{db_password:[redacted]"},
        {"token-classifier:1.2", NULL},
        {"acme/token:1.2", NULL},
        {"hf://acme/secret:1", NULL},
        {NULL, NULL},
    };
    check(pairs);
}

static void keys_of_clouds(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"AccountName=a;AccountKey=S==;b", "AccountName=a;AccountKey=[redacted]"},
        {"AZURE_STORAGE_KEY=S x", "AZURE_STORAGE_KEY=[redacted] x"},
        {"{\"auths\":{\"r\":{\"auth\":\"S\"}},\"x\":1}", "{\"auths\":[redacted],\"x\":1}"},
        {"run --password -Secret x", "run --password [redacted] x"},
        {"run --password -v --token --port", NULL},
        {"run --jwt S --bearer=T", "run --jwt [redacted] --bearer=[redacted]"},
        {NULL, NULL},
    };
    check(pairs);
}

static void messages_do_not_quote_values(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"x is invalid: a.b: Invalid value: \"s\\\"t\": must be y",
         "x is invalid: a.b: Invalid value: \"[redacted]\": must be y"},
        {"a: Unsupported value: \"s\": b, c: Not found: \"t\"",
         "a: Unsupported value: \"[redacted]\": b, c: Not found: \"[redacted]\""},
        {"a: Invalid value: -5: too small", NULL},
        {"a: Invalid value: map[string]string{\"a\":\"s\"}: no", "a: Invalid value: [redacted]"},
        {"denied: password=s", "denied: password=[redacted]"},
        {"secrets \"x\" is forbidden: User \"u\" cannot get resource \"secrets\" here", NULL},
        {"Invalid value: ", NULL},
        {"", NULL},
        {NULL, NULL},
    };
    for (const struct pair *pair = pairs; pair->from != NULL; pair++) {
        SCOPED_BUFFER out = {0};
        redact_message(pair->from, strlen(pair->from), &out);
        assert_string_equal(out.length > 0 ? out.data : pair->from,
                            pair->to != NULL ? pair->to : pair->from);
    }
}

static void names_of_models_stay(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"acme/token-classifier:1.2", NULL},
        {"s3://lake/token-classification/3", NULL},
        {"--tokenizer=x", NULL},
        {"--max-num-batched-tokens=8192", NULL},
        {"max_tokens: 100", NULL},
        {"--token-file=/run/token", NULL},
        {NULL, NULL},
    };
    check(pairs);
}

static void flags_that_name_a_secret(void **state)
{
    (void)state;
    assert_true(redact_names_next("--api-key", 9));
    assert_true(redact_names_next("-token", 6));
    assert_false(redact_names_next("--token=x", 9));
    assert_false(redact_names_next("--tokenizer", 11));
    assert_false(redact_names_next("token", 5));
    assert_false(redact_names_next("-", 1));
}

static void keys_users_and_short_names(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"-----BEGIN RSA PRIVATE KEY-----\nx\n-----END RSA PRIVATE KEY-----\nb", "[redacted]\nb"},
        {"a -----BEGIN PRIVATE KEY-----\nx cut", "a [redacted]"},
        {"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----", NULL},
        {"curl -u bob:x -H y http://h", "curl -u bob:[redacted] -H y http://h"},
        {"curl --user 'bob:x y' h", "curl --user 'bob:[redacted]' h"},
        {"curl -u=bob:x", "curl -u=bob:[redacted]"},
        {"python -u serve.py --token x", "python -u serve.py --token [redacted]"},
        {"run -u 1000:1000", NULL},
        {"run -u --password=x", "run -u --password=[redacted]"},
        {"export PASS=x; DB_PWD=y", "export PASS=[redacted] DB_PWD=[redacted]"},
        {"serve --auth x --port 1", "serve --auth [redacted] --port 1"},
        {"--auth-token=x", "--auth-token=[redacted]"},
        {"auth: oidc", NULL},
        {"bypass=1 pass-through=2", NULL},
        {NULL, NULL},
    };
    check(pairs);
}

static enum secret_class class_of(const char *name)
{
    return secret_classify(name, strlen(name));
}

static void names_of_secrets(void **state)
{
    (void)state;
    static const char *const secrets[] = {"password",
                                          "dbPassword",
                                          "API_KEY",
                                          "oauth_secret",
                                          "x.private-key",
                                          "db_pwd",
                                          "passwd",
                                          "dbPass",
                                          "pass",
                                          "DB_PASS",
                                          "--auth",
                                          "hf_token",
                                          "secretKey",
                                          "credentials",
                                          "vendor.io/agent-token",
                                          "accountKey",
                                          "AZURE_STORAGE_KEY",
                                          "encryptionKey",
                                          "signing_key",
                                          "jwt",
                                          "x-bearer",
                                          "client-key-data",
                                          ".dockerconfigjson",
                                          "auths",
                                          "sharedAccessSignature",
                                          NULL};
    static const char *const references[] = {
        "secretName",    "envSecretRefName", "tokenFile",  "imagePullSecrets", "secretKeyRef",
        "clientKeyFile", "accountKeyRef",    "token_path", "credentialsFile",  NULL};
    static const char *const others[] = {"bypass",
                                         "pass-through",
                                         "auth",
                                         "name",
                                         "tokenizer",
                                         "serviceAccountName",
                                         "key",
                                         "storageKey",
                                         "jwtIssuer",
                                         "bearerFormat",
                                         "auths_enabled",
                                         "accountName",
                                         "secrets.vendor.io/role",
                                         "",
                                         NULL};
    for (size_t i = 0; secrets[i] != NULL; i++)
        assert_int_equal(class_of(secrets[i]), SECRET_YES);
    for (size_t i = 0; references[i] != NULL; i++)
        assert_int_equal(class_of(references[i]), SECRET_REFERENCE);
    for (size_t i = 0; others[i] != NULL; i++)
        assert_int_equal(class_of(others[i]), SECRET_NO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uris_lose_credentials_and_queries),
        cmocka_unit_test(at_signs_of_identities_stay),
        cmocka_unit_test(assigned_secrets_are_taken),
        cmocka_unit_test(places_stay_distinct),
        cmocka_unit_test(yaml_in_a_text),
        cmocka_unit_test(keys_of_clouds),
        cmocka_unit_test(messages_do_not_quote_values),
        cmocka_unit_test(names_of_models_stay),
        cmocka_unit_test(flags_that_name_a_secret),
        cmocka_unit_test(keys_users_and_short_names),
        cmocka_unit_test(names_of_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
