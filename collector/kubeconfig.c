// kubeconfig files and service accounts, and what they mean to a curl handle. It makes no request.

#define _GNU_SOURCE // memrchr
#include "collector/kubeconfig.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "common/timestamp.h"
#include "common/yaml.h"

#define SERVICE_ACCOUNT_FOLDER "/var/run/secrets/kubernetes.io/serviceaccount"
#define PEM_MAX_BYTES ((size_t)1024 * 1024)

static void pem_reset(struct pem *pem)
{
    free(pem->file);
    if (pem->data.data != NULL)
        sodium_memzero(pem->data.data, pem->data.length); // may be a private key
    buffer_reset(&pem->data);
}

void kubeconfig_free(struct kubeconfig *config)
{
    if (config == NULL)
        return;
    pem_reset(&config->authority);
    pem_reset(&config->certificate);
    pem_reset(&config->key);
    free(config->server);
    free(config->tls_server_name);
    free(config->proxy_url);
    free(config->token);
    free(config->token_file);
    free(config);
}

// A file named in a kubeconfig is relative to the folder of the kubeconfig.
static char *resolve_path(const char *kubeconfig, const char *file)
{
    const char *slash = strrchr(kubeconfig, '/');
    if (file[0] == '/' || slash == NULL)
        return xstrdup(file);
    return xasprintf("%.*s/%s", (int)(slash - kubeconfig), kubeconfig, file);
}

// kubeconfig's *-data members: base64 of PEM text.
static bool decode_base64(const char *name, const char *text, struct buffer *out, struct error *err)
{
    size_t capacity = strlen(text) / 4 * 3 + 3;
    if (capacity > PEM_MAX_BYTES)
        return fail(err, REACT_STOP, "%s is longer than %zu bytes", name, PEM_MAX_BYTES);
    unsigned char *bytes = xmalloc(capacity);
    size_t length = 0;
    bool read = sodium_base642bin(bytes, capacity, text, strlen(text), " \r\n\t", &length, NULL,
                                  sodium_base64_VARIANT_ORIGINAL) == 0;
    if (read)
        buffer_append(out, bytes, length);
    sodium_memzero(bytes, capacity);
    free(bytes);
    return read || fail(err, REACT_STOP, "%s is not valid base64", name);
}

// Reads `name`-data or `name` of a map; the former wins, as it does for kubectl.
static bool read_pem(const struct yaml_node *map, const char *path, const char *name,
                     struct pem *pem, struct error *err)
{
    char data_name[64];
    snprintf(data_name, sizeof(data_name), "%s-data", name);
    const char *data = yaml_text(map, data_name);
    if (data != NULL && data[0] != '\0')
        return decode_base64(data_name, data, &pem->data, err);
    const char *file = yaml_text(map, name);
    if (file == NULL || file[0] == '\0')
        return true;
    pem->file = resolve_path(path, file);
    return named_file_check(pem->file, err) || fail_in(err, "%s", name);
}

static char *copy_text(const struct yaml_node *map, const char *key)
{
    const char *text = yaml_text(map, key);
    return text != NULL && text[0] != '\0' ? xstrdup(text) : NULL;
}

// Finds the entry of a named list ("clusters") and gives its inner map ("cluster").
static const struct yaml_node *find_entry(const struct yaml_node *root, const char *list_name,
                                          const char *inner, const char *name, struct error *err)
{
    const struct yaml_node *list = yaml_get(root, list_name);
    for (size_t i = 0; list != NULL && list->kind == YAML_LIST && i < list->count; i++) {
        if (!text_equal(yaml_text(&list->items[i], "name"), name))
            continue;
        const struct yaml_node *entry = yaml_get(&list->items[i], inner);
        if (entry != NULL && entry->kind == YAML_MAP)
            return entry;
    }
    fail(err, REACT_STOP, "no %s named '%.100s' under '%s'", inner, name, list_name);
    return NULL;
}

// True for a text that can stand in a URL or a header line: nothing but printable characters.
static bool is_clean(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c <= ' ' || (unsigned char)*c > '~')
            return false;
    }
    return text[0] != '\0';
}

// True when there is a host behind the scheme.
static bool is_url(const char *text)
{
    const char *host = text_starts_with(text, "http://")    ? text + strlen("http://")
                       : text_starts_with(text, "https://") ? text + strlen("https://")
                                                            : "";
    return strcspn(host, "/?#") > 0;
}

// They become URLs and header lines.
static bool read_addresses(struct kubeconfig *config, const struct yaml_node *cluster,
                           struct error *err)
{
    const char *server = yaml_text(cluster, "server");
    if (server == NULL || !is_url(server))
        return fail(err, REACT_STOP, "cluster without a http(s) 'server'");
    size_t length = strlen(server);
    while (server[length - 1] == '/')
        length--;
    config->server = xstrndup(server, length);
    config->tls_server_name = copy_text(cluster, "tls-server-name");
    config->proxy_url = copy_text(cluster, "proxy-url");
    const char *const texts[] = {config->server, config->tls_server_name, config->proxy_url};
    static const char *const names[] = {"server", "tls-server-name", "proxy-url"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        if (texts[i] != NULL && !is_clean(texts[i]))
            return fail(err, REACT_STOP, "'%s' has characters that no address has", names[i]);
    }
    return true;
}

static bool read_cluster(struct kubeconfig *config, const struct yaml_node *cluster,
                         const char *path, bool allow_insecure, struct error *err)
{
    if (!read_addresses(config, cluster, err))
        return false;
    config->insecure = text_equal(yaml_text(cluster, "insecure-skip-tls-verify"), "true");
    if (config->insecure && !allow_insecure)
        return fail(err, REACT_STOP,
                    "insecure-skip-tls-verify is set for %.200s; hint: give its "
                    "certificate-authority, or allow it in the source's configuration",
                    config->server);
    return read_pem(cluster, path, "certificate-authority", &config->authority, err);
}

// What is not understood is refused at the start: with it left out, the API server would take us
// for somebody else, or for nobody.
static bool refuse_unsupported(const struct yaml_node *user, struct error *err)
{
    static const char *const unsupported[] = {"exec", "auth-provider", "username", "password", "as",
                                              NULL};
    for (size_t i = 0; unsupported[i] != NULL; i++) {
        if (yaml_get(user, unsupported[i]) != NULL)
            return fail(err, REACT_STOP,
                        "'%s' credentials are not supported; hint: use a user with 'token', "
                        "'tokenFile' or a client certificate",
                        unsupported[i]);
    }
    return true;
}

static bool read_user(struct kubeconfig *config, const struct yaml_node *user, const char *path,
                      struct error *err)
{
    if (!refuse_unsupported(user, err))
        return false;
    config->token = copy_text(user, "token");
    if (config->token != NULL && !is_clean(config->token))
        return fail(err, REACT_STOP, "'token' has characters that no token has");
    const char *file = yaml_text(user, "tokenFile");
    if (file != NULL && file[0] != '\0')
        config->token_file = resolve_path(path, file);
    return read_pem(user, path, "client-certificate", &config->certificate, err) &&
           read_pem(user, path, "client-key", &config->key, err);
}

// Follows the context to its cluster and user.
static bool read_context(struct kubeconfig *config, const struct yaml_node *root, const char *path,
                         const char *name, bool allow_insecure, struct error *err)
{
    if (name == NULL)
        name = yaml_text(root, "current-context");
    if (name == NULL || name[0] == '\0')
        return fail(err, REACT_STOP, "no current-context; hint: name one with 'context'");
    const struct yaml_node *context = find_entry(root, "contexts", "context", name, err);
    if (context == NULL)
        return false;
    const char *cluster_name = yaml_text(context, "cluster");
    const char *user_name = yaml_text(context, "user");
    if (cluster_name == NULL)
        return fail(err, REACT_STOP, "context '%.100s' has no 'cluster'", name);
    const struct yaml_node *cluster = find_entry(root, "clusters", "cluster", cluster_name, err);
    if (cluster == NULL || !read_cluster(config, cluster, path, allow_insecure, err))
        return false;
    if (user_name == NULL || user_name[0] == '\0')
        return true; // anonymous, as through a local proxy
    const struct yaml_node *user = find_entry(root, "users", "user", user_name, err);
    return user != NULL && read_user(config, user, path, err);
}

bool kubeconfig_load(const char *path, const char *context, bool allow_insecure,
                     struct kubeconfig **out, struct error *err)
{
    SCOPED(yaml_tree_free) struct yaml_node *root = NULL;
    if (!yaml_load_file(path, NAMED_FILE_REGULAR, &root, err))
        return fail_in(err, "kubeconfig");
    struct kubeconfig *config = xcalloc(1, sizeof(*config));
    if (!read_context(config, root, path, context, allow_insecure, err)) {
        kubeconfig_free(config);
        err->react = REACT_STOP;
        return fail_in(err, "kubeconfig %.150s", path);
    }
    *out = config;
    return true;
}

bool kubeconfig_load_in_cluster(const char *folder, struct kubeconfig **out, struct error *err)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST");
    const char *port = getenv("KUBERNETES_SERVICE_PORT");
    if (host == NULL || host[0] == '\0' || port == NULL || port[0] == '\0')
        return fail(err, REACT_STOP,
                    "not inside a cluster (KUBERNETES_SERVICE_HOST is not set); hint: give "
                    "'kubeconfig'");
    if (folder == NULL)
        folder = SERVICE_ACCOUNT_FOLDER;
    struct kubeconfig *config = xcalloc(1, sizeof(*config));
    bool six = strchr(host, ':') != NULL; // an IPv6 address needs brackets in a URL
    config->server = xasprintf("https://%s%s%s:%s", six ? "[" : "", host, six ? "]" : "", port);
    config->token_file = xasprintf("%s/token", folder);
    config->authority.file = xasprintf("%s/ca.crt", folder);
    *out = config;
    return true;
}

// Replaces the token by the file's; leaves it as it is when the file cannot be used just now.
static void reread_token(struct kubeconfig *config)
{
    SCOPED_BUFFER text = {0};
    struct error ignored;
    if (!named_file_read(config->token_file, NAMED_FILE_REGULAR, KUBECONFIG_TOKEN_MAX_BYTES, &text,
                         &ignored) ||
        text.data == NULL)
        return;
    while (text.length > 0 && (unsigned char)text.data[text.length - 1] <= ' ')
        text.data[--text.length] = '\0';
    if (strlen(text.data) != text.length || !is_clean(text.data))
        return;
    free(config->token);
    config->token = xstrndup(text.data, text.length);
}

const char *kubeconfig_token(struct kubeconfig *config, int64_t now_ms)
{
    bool old =
        config->token_read_ms == 0 || now_ms - config->token_read_ms >= KUBECONFIG_TOKEN_AGE_MS;
    if (config->token_file != NULL && old) {
        config->token_read_ms = now_ms;
        reread_token(config);
    }
    return config->token;
}

void kubeconfig_token_refused(struct kubeconfig *config)
{
    config->token_read_ms = 0;
}

// Files are given to curl by name, so that each new connection reads what is there by then.
static void apply_pem(CURL *easy, const struct pem *pem, CURLoption file, CURLoption blob)
{
    if (pem->data.length > 0) {
        struct curl_blob bytes = {
            .data = pem->data.data, .len = pem->data.length, .flags = CURL_BLOB_NOCOPY};
        curl_easy_setopt(easy, blob, &bytes);
    } else if (pem->file != NULL) {
        curl_easy_setopt(easy, file, pem->file);
    }
}

static void apply_tls(const struct kubeconfig *config, CURL *easy)
{
    apply_pem(easy, &config->authority, CURLOPT_CAINFO, CURLOPT_CAINFO_BLOB);
    apply_pem(easy, &config->certificate, CURLOPT_SSLCERT, CURLOPT_SSLCERT_BLOB);
    apply_pem(easy, &config->key, CURLOPT_SSLKEY, CURLOPT_SSLKEY_BLOB);
    // A renewed bundle counts within a minute.
    curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 60L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, config->insecure ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, config->insecure ? 0L : 2L);
}

// The length of "host:port" at the beginning of text.
static size_t authority_length(const char *text)
{
    return strcspn(text, "/?#");
}

// As other clients of the API do.
static bool is_loopback(const char *authority)
{
    return text_starts_with(authority, "127.") || text_starts_with(authority, "localhost") ||
           text_starts_with(authority, "[::1]");
}

// With tls-server-name the URL carries that name, so that certificate and SNI are checked against
// it, while the connection and the Host header go to the server itself.
static void apply_address(const struct kubeconfig *config, CURL *easy, const char *path,
                          struct request_lists *lists)
{
    const char *authority = strstr(config->server, "://") + 3;
    size_t length = authority_length(authority);
    const char *colon = memrchr(authority, ':', length);
    if (colon != NULL && memchr(colon, ']', length - (size_t)(colon - authority)) != NULL)
        colon = NULL; // within an IPv6 address
    size_t host_length = colon != NULL ? (size_t)(colon - authority) : length;
    SCOPED(xfree_char) char *url = NULL;
    if (config->tls_server_name != NULL) {
        url = xasprintf("%.*s%s%s%s", (int)(authority - config->server), config->server,
                        config->tls_server_name, authority + host_length, path);
        SCOPED(xfree_char) char *target = xasprintf("::%.*s:", (int)host_length, authority);
        SCOPED(xfree_char) char *host = xasprintf("Host: %.*s", (int)length, authority);
        lists->connect_to = curl_slist_append(NULL, target);
        curl_easy_setopt(easy, CURLOPT_CONNECT_TO, lists->connect_to);
        lists->headers = curl_slist_append(lists->headers, host);
    } else {
        url = xasprintf("%s%s", config->server, path);
    }
    curl_easy_setopt(easy, CURLOPT_URL, url);
    if (config->proxy_url != NULL)
        curl_easy_setopt(easy, CURLOPT_PROXY, config->proxy_url);
    else if (is_loopback(authority))
        curl_easy_setopt(easy, CURLOPT_PROXY, ""); // a proxy of the environment is not for loopback
}

void kubeconfig_apply(struct kubeconfig *config, CURL *easy, const char *path, int64_t now_ms,
                      struct request_lists *lists)
{
    apply_address(config, easy, path, lists);
    apply_tls(config, easy);
    lists->headers = curl_slist_append(lists->headers, "Accept: application/json");
    const char *token = kubeconfig_token(config, now_ms);
    if (token != NULL) {
        SCOPED(xfree_char) char *header = xasprintf("Authorization: Bearer %s", token);
        lists->headers = curl_slist_append(lists->headers, header);
        sodium_memzero(header, strlen(header));
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, lists->headers);
}
