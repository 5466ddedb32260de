// What is read from kubeconfig files and service accounts, and what is refused.

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/kubeconfig.h"

static char folder[] = "/tmp/kubeconfig-test-XXXXXX";

static char *path_of(const char *name)
{
    return xasprintf("%s/%s", folder, name);
}

static void write_file(const char *name, const char *text)
{
    SCOPED(xfree_char) char *path = path_of(name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

// A file with one cluster and user, whose bodies are given.
static bool load(const char *cluster, const char *user, bool insecure, struct kubeconfig **out,
                 struct error *err)
{
    SCOPED(xfree_char)
    char *text =
        xasprintf("apiVersion: v1\nkind: Config\ncurrent-context: one\n"
                  "contexts:\n- name: one\n  context: {cluster: c, user: u, namespace: n}\n"
                  "- name: none\n  context: {cluster: missing, user: u}\n"
                  "- name: anonymous\n  context: {cluster: c}\n"
                  "clusters:\n- name: other\n  cluster: {server: https://other}\n"
                  "- name: c\n  cluster:\n%s\nusers:\n- name: u\n  user:\n%s\n",
                  cluster, user);
    SCOPED(xfree_char) char *path = path_of("config");
    write_file("config", text);
    return kubeconfig_load(path, NULL, insecure, out, err);
}

static const char plain_cluster[] = "    server: https://127.0.0.1:6443/\n";
static const char plain_user[] = "    token: secret-token\n";

static void reads_every_field(void **state)
{
    (void)state;
    struct error err;
    SCOPED(kubeconfig_free) struct kubeconfig *config = NULL;
    assert_true(load("    server: https://127.0.0.1:6443//\n"
                     "    certificate-authority-data: Q0EK\n"
                     "    tls-server-name: api.example\n"
                     "    proxy-url: http://proxy:3128\n",
                     "    client-certificate: pki/me.crt\n"
                     "    client-key: /etc/me.key\n"
                     "    token: t0\n",
                     false, &config, &err));
    assert_string_equal(config->server, "https://127.0.0.1:6443");
    assert_int_equal(config->authority.data.length, 3);
    assert_memory_equal(config->authority.data.data, "CA\n", 3);
    assert_string_equal(config->tls_server_name, "api.example");
    assert_string_equal(config->proxy_url, "http://proxy:3128");
    SCOPED(xfree_char) char *certificate = path_of("pki/me.crt"); // relative to the file
    assert_string_equal(config->certificate.file, certificate);
    assert_string_equal(config->key.file, "/etc/me.key");
    assert_string_equal(kubeconfig_token(config, 1), "t0");
    assert_false(config->insecure);
}

static void refuses(const char *cluster, const char *user, const char *because)
{
    struct error err = {0};
    struct kubeconfig *config = NULL;
    if (load(cluster, user, false, &config, &err))
        fail_msg("taken, in spite of: %s", because);
    assert_int_equal(err.react, REACT_STOP);
    if (strstr(err.text, because) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, because);
    assert_null(strstr(err.text, "secret"));
}

static void refuses_what_it_cannot_do(void **state)
{
    (void)state;
    refuses("    server: https://x\n    insecure-skip-tls-verify: true\n", plain_user,
            "insecure-skip-tls-verify");
    refuses(plain_cluster, "    exec: {command: aws}\n", "'exec' credentials are not supported");
    refuses(plain_cluster, "    auth-provider: {name: gcp}\n", "'auth-provider'");
    refuses(plain_cluster, "    username: u\n    password: secret\n", "'username'");
    refuses(plain_cluster, "    token: \"secret\\r\\nHost: evil\"\n", "'token'");
    refuses("    server: ftp://x\n", plain_user, "'server'");
    refuses("    nothing: x\n", plain_user, "'server'");
    refuses("    server: https://\n", plain_user, "'server'");
    refuses("    server: http:///api\n", plain_user, "'server'");
    refuses("    server: \"https://x\\r\\nHost: evil\"\n", plain_user, "'server'");
    refuses("    server: https://x\n    tls-server-name: \"y\\nHost: evil\"\n", plain_user,
            "'tls-server-name'");
    refuses("    server: https://x\n    proxy-url: \"http://a b\"\n", plain_user, "'proxy-url'");
    refuses("    server: https://x\n    certificate-authority-data: \"%%%\"\n", plain_user,
            "certificate-authority-data");
}

static void insecure_only_when_asked_for(void **state)
{
    (void)state;
    struct error err;
    SCOPED(kubeconfig_free) struct kubeconfig *config = NULL;
    assert_true(load("    server: https://x\n    insecure-skip-tls-verify: true\n", plain_user,
                     true, &config, &err));
    assert_true(config->insecure);
}

static void contexts_by_name(void **state)
{
    (void)state;
    struct error err;
    struct kubeconfig *first = NULL;
    assert_true(load(plain_cluster, plain_user, false, &first, &err));
    kubeconfig_free(first);
    SCOPED(xfree_char) char *path = path_of("config");
    SCOPED(kubeconfig_free) struct kubeconfig *config = NULL;
    assert_false(kubeconfig_load(path, "nowhere", false, &config, &err));
    assert_non_null(strstr(err.text, "'nowhere'"));
    assert_false(kubeconfig_load(path, "none", false, &config, &err));
    assert_non_null(strstr(err.text, "'missing'"));
    assert_true(kubeconfig_load(path, "anonymous", false, &config, &err));
    assert_null(kubeconfig_token(config, 1));
}

static void token_files_are_read_again(void **state)
{
    (void)state;
    struct error err;
    SCOPED(kubeconfig_free) struct kubeconfig *config = NULL;
    assert_true(
        load(plain_cluster, "    token: stale\n    tokenFile: token\n", false, &config, &err));
    write_file("token", "first\n");
    assert_string_equal(kubeconfig_token(config, 1000), "first");
    write_file("token", "second");
    assert_string_equal(kubeconfig_token(config, 1000 + KUBECONFIG_TOKEN_AGE_MS - 1), "first");
    assert_string_equal(kubeconfig_token(config, 1000 + KUBECONFIG_TOKEN_AGE_MS), "second");
    write_file("token", "third");
    kubeconfig_token_refused(config);
    assert_string_equal(kubeconfig_token(config, 1001 + KUBECONFIG_TOKEN_AGE_MS), "third");
}

static void the_old_token_stays_when_the_file_is_bad(void **state)
{
    (void)state;
    struct error err;
    SCOPED(kubeconfig_free) struct kubeconfig *config = NULL;
    assert_true(load(plain_cluster, "    tokenFile: token\n", false, &config, &err));
    write_file("token", "good");
    assert_string_equal(kubeconfig_token(config, 1), "good");
    static const char *const bad[] = {"", "\n", "two words", "a\r\nEvil: header"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        write_file("token", bad[i]);
        kubeconfig_token_refused(config);
        assert_string_equal(kubeconfig_token(config, 2), "good");
    }
    SCOPED(xfree_char) char *path = path_of("token");
    unlink(path);
    kubeconfig_token_refused(config);
    assert_string_equal(kubeconfig_token(config, 3), "good");
}

static void tokens_of_16_kilobytes(void **state)
{
    (void)state;
    struct error err;
    SCOPED(kubeconfig_free) struct kubeconfig *config = NULL;
    assert_true(load(plain_cluster, "    tokenFile: token\n", false, &config, &err));
    SCOPED(xfree_char) char *token = xmalloc(16 * 1024 + 1);
    memset(token, 'x', 16 * 1024);
    token[16 * 1024] = '\0';
    write_file("token", token);
    assert_string_equal(kubeconfig_token(config, 1), token);
}

// Each would be waited for in the loop, where nobody hears a signal.
static void pipes_are_refused(void **state)
{
    (void)state;
    struct error err;
    struct kubeconfig *config = NULL;
    SCOPED(xfree_char) char *pipe = path_of("pipe");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_false(kubeconfig_load(pipe, NULL, false, &config, &err));
    assert_non_null(strstr(err.text, "is a pipe"));
    static const char with_authority[] = "    server: https://127.0.0.1:6443/\n"
                                         "    certificate-authority: pipe\n";
    assert_false(load(with_authority, plain_user, false, &config, &err));
    assert_non_null(strstr(err.text, "certificate-authority: "));
    assert_false(load(plain_cluster, "    client-certificate: me.crt\n    client-key: pipe\n",
                      false, &config, &err));
    assert_non_null(strstr(err.text, "client-key: "));
    assert_true(load(plain_cluster, "    tokenFile: pipe\n", false, &config, &err));
    assert_null(kubeconfig_token(config, 1));
    kubeconfig_free(config);
    unlink(pipe);
}

static void inside_a_cluster(void **state)
{
    (void)state;
    struct error err;
    struct kubeconfig *config = NULL;
    unsetenv("KUBERNETES_SERVICE_HOST");
    assert_false(kubeconfig_load_in_cluster(folder, &config, &err));
    assert_non_null(strstr(err.text, "KUBERNETES_SERVICE_HOST"));
    setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    write_file("token", "mounted");
    assert_true(kubeconfig_load_in_cluster(folder, &config, &err));
    assert_string_equal(config->server, "https://[fd00::1]:443");
    assert_string_equal(kubeconfig_token(config, 1), "mounted");
    kubeconfig_free(config);
}

// What curl would be told, as far as it tells it again.
static void headers_and_address(void **state)
{
    (void)state;
    struct error err;
    SCOPED(kubeconfig_free) struct kubeconfig *config = NULL;
    assert_true(load("    server: https://[::1]:6443/prefix\n    tls-server-name: api.example\n",
                     plain_user, false, &config, &err));
    CURL *easy = curl_easy_init();
    struct request_lists lists = {0};
    kubeconfig_apply(config, easy, "/apis", 1, &lists);
    char *url = NULL;
    curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
    assert_string_equal(url, "https://api.example:6443/prefix/apis");
    assert_string_equal(lists.connect_to->data, "::[::1]:");
    assert_string_equal(lists.headers->data, "Host: [::1]:6443");
    assert_string_equal(lists.headers->next->next->data, "Authorization: Bearer secret-token");
    curl_easy_cleanup(easy);
    curl_slist_free_all(lists.headers);
    curl_slist_free_all(lists.connect_to);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"config", "token"};
    for (size_t i = 0; i < 2; i++) {
        SCOPED(xfree_char) char *path = path_of(names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_field),
        cmocka_unit_test(refuses_what_it_cannot_do),
        cmocka_unit_test(insecure_only_when_asked_for),
        cmocka_unit_test(contexts_by_name),
        cmocka_unit_test(token_files_are_read_again),
        cmocka_unit_test(the_old_token_stays_when_the_file_is_bad),
        cmocka_unit_test(tokens_of_16_kilobytes),
        cmocka_unit_test(pipes_are_refused),
        cmocka_unit_test(inside_a_cluster),
        cmocka_unit_test(headers_and_address),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
