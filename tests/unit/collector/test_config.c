// The collector's configuration: what it reads, what overrides it, and what it refuses with which
// words.

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/config.h"
#include "common/text.h"

#define KEY "1111111111111111111111111111111111111111111111111111111111111111"
#define HEAD "collector: eu-1\ncluster: c1\nstore_key: " KEY "\nkey_file: /k\nspool: /s\n"
#define STORE "store: [tcp://a:7461, tcp://b:7461]\n"
#define SOURCES "sources:\n  - audit_log: {path: /a.log}\n"

static bool once = true;

static bool load(const char *text, const struct config_overrides *overrides, struct config **config,
                 struct error *err)
{
    char path[] = "/tmp/modeltrail-config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    struct config_overrides none = {0};
    bool loaded = config_load(path, overrides ? overrides : &none, once, config, err);
    unlink(path);
    return loaded;
}

static struct config *loads(const char *text, const struct config_overrides *overrides)
{
    struct config *config = NULL;
    struct error err;
    if (!load(text, overrides, &config, &err))
        fail_msg("%s", err.text);
    return config;
}

static void refuses(const char *text, const char *words)
{
    struct config *config = NULL;
    struct error err;
    assert_false(load(text, NULL, &config, &err));
    assert_int_equal(err.react, REACT_STOP);
    if (strstr(err.text, words) == NULL)
        fail_msg("'%s' is not in '%s'", words, err.text);
}

static void reads_everything(void **state)
{
    (void)state;
    struct config *config = loads(HEAD STORE "spool_max_bytes: 16777216\nsources:\n"
                                             "  - kubernetes: {kubeconfig: /kc, context: x, "
                                             "namespaces: [dev, prod], relist_minutes: 45, "
                                             "timing: {watch_s: 3, page_size: 5}}\n"
                                             "  - kubernetes:\n"
                                             "  - audit_log: {path: '/a/*.gz', complete: true}\n",
                                  NULL);
    assert_string_equal(config->collector, "eu-1");
    assert_int_equal(config->store_count, 2);
    assert_string_equal(config->stores[1], "tcp://b:7461");
    assert_int_equal(config->spool_max_bytes, 16777216);
    assert_int_equal(config->source_count, 3);
    const struct kubernetes_options *kubernetes = &config->sources[0].kubernetes;
    assert_int_equal(config->sources[0].type, SOURCE_KUBERNETES);
    assert_string_equal(kubernetes->kubeconfig, "/kc");
    assert_string_equal(kubernetes->context, "x");
    assert_string_equal(kubernetes->cluster, "c1");
    assert_int_equal(kubernetes->namespace_count, 2);
    assert_string_equal(kubernetes->namespaces[1], "prod");
    assert_int_equal(kubernetes->relist_min_ms, 45 * 60000);
    assert_int_equal(kubernetes->watch_min_s, 3);
    assert_int_equal(kubernetes->watch_max_s, 3);
    assert_int_equal(kubernetes->page_size, 5);
    assert_int_equal(config->sources[1].kubernetes.namespace_count, 0);
    const struct audit_options *audit = &config->sources[2].audit_log;
    assert_int_equal(config->sources[2].type, SOURCE_AUDIT_LOG);
    assert_string_equal(audit->path, "/a/*.gz");
    assert_true(audit->complete);
    assert_true(audit->once);
    config_free(config);
}

#define LISTEN "listen: '0.0.0.0:7463', tls_cert: /c, tls_key: /k"

static void reads_what_is_called(void **state)
{
    (void)state;
    once = false;
    struct config *config =
        loads(HEAD STORE "sources:\n  - admission: {" LISTEN ", namespaces: [dev]}\n"
                         "  - audit_webhook: {" LISTEN ", client_ca: /ca, token_file: /t}\n"
                         "  - audit_webhook: {" LISTEN "}\n",
              NULL);
    const struct source_config *admission = &config->sources[0];
    const struct source_config *audit = &config->sources[1];
    assert_int_equal(admission->type, SOURCE_ADMISSION);
    assert_string_equal(admission->webhook.listen, "0.0.0.0:7463");
    assert_string_equal(admission->webhook.tls_key, "/k");
    assert_null(admission->webhook.client_ca);
    assert_string_equal(admission->intake.listen, "0.0.0.0:7463");
    assert_string_equal(admission->intake.cluster, "c1");
    assert_int_equal(admission->intake.namespace_count, 1);
    assert_string_equal(admission->intake.namespaces[0], "dev");
    assert_int_equal(audit->type, SOURCE_AUDIT_WEBHOOK);
    assert_string_equal(audit->webhook.client_ca, "/ca");
    assert_string_equal(audit->intake.token_file, "/t");
    assert_true(audit->intake.wants_certificate);
    assert_false(config->sources[2].intake.wants_certificate);
    config_free(config);
    refuses(HEAD STORE "sources:\n  - admission: {tls_cert: /c, tls_key: /k}\n",
            "admission (line 8) lacks 'listen'");
    refuses(HEAD STORE "sources:\n  - audit_webhook: {listen: 'x:1', tls_cert: /c}\n",
            "audit_webhook (line 8) lacks 'tls_key'");
    refuses(HEAD STORE "sources:\n  - admission: {" LISTEN ", token_file: /t}\n",
            "unknown key 'token_file'");
    once = true;
    refuses(HEAD STORE "sources:\n  - admission: {" LISTEN "}\n", "has no end to read to");
}

static void flags_override_the_file(void **state)
{
    (void)state;
    struct config_overrides overrides = {
        .collector = "eu-2", .store = "tcp://c:1,tcp://d:2", .timeout_ms = "500"};
    struct config *config = loads(HEAD STORE SOURCES, &overrides);
    assert_string_equal(config->collector, "eu-2");
    assert_string_equal(config->cluster, "c1");
    assert_int_equal(config->store_count, 2);
    assert_string_equal(config->stores[0], "tcp://c:1");
    assert_int_equal(config->timeout_ms, 500);
    config_free(config);
}

static void refuses_what_is_wrong(void **state)
{
    (void)state;
    refuses(HEAD STORE, "lacks a list 'sources'");
    refuses(HEAD SOURCES, "lacks 'store'");
    refuses(HEAD "store: [http://a]\n" SOURCES, "store address 'http://a'");
    refuses(HEAD STORE SOURCES "colour: red\n", "unknown key 'colour'");
    refuses(HEAD STORE SOURCES "http: 127.0.0.1:1\n", "'http' is not served");
    refuses(HEAD STORE SOURCES "spool_max_bytes: much\n", "'spool_max_bytes' is 'much'");
    refuses(HEAD STORE SOURCES "timeout_ms: -5\n", "'timeout_ms' is '-5'");
    refuses(HEAD STORE "sources:\n  - svn: {url: /x}\n", "source 'svn' (line 8) is not known");
    refuses(HEAD STORE "sources:\n  - git: {branch: x}\n", "git (line 8) lacks 'url'");
    refuses(HEAD STORE "sources:\n  - git: {url: /x, since: 3}\n", "'since' is '3'");
    refuses(HEAD STORE "sources:\n  - git: {url: /x, again: yes}\n", "'again' is 'yes'");
    refuses(HEAD STORE "sources:\n  - git: {url: /x, again: -1}\n", "'again' is '-1'");
    refuses(HEAD STORE "sources:\n  - git: {url: /x, folders: []}\n", "must be a map");
    refuses(HEAD STORE "sources:\n  - audit_log: {}\n", "lacks 'path'");
    refuses(HEAD STORE "sources:\n  - audit_log: {path: /a, colour: x}\n", "unknown key 'colour'");
    refuses(HEAD STORE "sources:\n  - audit_log: {path: /a, complete: maybe}\n", "true or false");
    refuses(HEAD STORE "sources:\n  - audit_log: {path: /a, format: oke}\n", "'format' is 'oke'");
    refuses(HEAD STORE "sources:\n  - audit_log: {path: /a, format: eks, complete: true}\n",
            "promises nothing");
    refuses(HEAD STORE "sources:\n  - audit_log: {path: /a, vendor_cluster: eu}\n",
            "needs a vendor's 'format'");
    // An empty list of namespaces must not turn into the whole cluster.
    refuses(HEAD STORE "sources:\n  - kubernetes: {namespaces: []}\n", "'namespaces' (line 8)");
    refuses("collector: _store\n", "not usable");
    refuses("collector: 'a b'\n", "not usable");
}

#define FEW "collector: a\ncluster: c\nkey_file: /k\nspool: /s\n"
#define KEY_2 "2222222222222222222222222222222222222222222222222222222222222222"

// While stores exchange their key.
static void reads_several_store_keys(void **state)
{
    (void)state;
    struct config_overrides overrides = {.store_key = KEY_2 "," KEY};
    uint8_t second[CURVE_KEY_BYTES];
    memset(second, 0x22, sizeof(second));
    struct config *config = loads(FEW STORE "store_key: [" KEY ", " KEY_2 "]\n" SOURCES, NULL);
    assert_int_equal(config->store_key_count, 2);
    assert_memory_equal(config->store_keys[1], second, CURVE_KEY_BYTES);
    config_free(config);
    config = loads(FEW STORE "store_key: " KEY "\n" SOURCES, &overrides);
    assert_int_equal(config->store_key_count, 2);
    assert_memory_equal(config->store_keys[0], second, CURVE_KEY_BYTES);
    config_free(config);
    refuses(FEW STORE SOURCES, "lacks 'store_key'");
    refuses(FEW STORE "store_key: []\n" SOURCES, "lacks 'store_key'");
    refuses(FEW STORE "store_key: [" KEY ", 12]\n" SOURCES, "64 hex digits");
    refuses(FEW STORE "store_key: [" KEY ", {}]\n" SOURCES, "list of texts");
}

static void refuses_a_bad_key(void **state)
{
    (void)state;
    refuses("collector: a\ncluster: c\nstore: tcp://a:1\nstore_key: 12\n", "64 hex digits");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_everything),         cmocka_unit_test(reads_what_is_called),
        cmocka_unit_test(flags_override_the_file),  cmocka_unit_test(refuses_what_is_wrong),
        cmocka_unit_test(reads_several_store_keys), cmocka_unit_test(refuses_a_bad_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
