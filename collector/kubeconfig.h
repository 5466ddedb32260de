#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/error.h"
#include "common/memory.h"

// Where an API server is and how to prove who we are: from a kubeconfig file or, inside a cluster,
// from the service account's files. Files of tokens, certificates and keys are read again when they
// are rotated.

#define KUBECONFIG_TOKEN_MAX_BYTES ((size_t)64 * 1024)
#define KUBECONFIG_TOKEN_AGE_MS 60000

// PEM text: a file to read at each connection, or the bytes themselves.
struct pem {
    char *file;
    struct buffer data;
};

struct kubeconfig {
    char *server;          // URL without a trailing slash
    char *tls_server_name; // NULL: the server's own name
    char *proxy_url;       // NULL: as the environment says
    struct pem authority;
    struct pem certificate;
    struct pem key;
    char *token;
    char *token_file; // wins over token
    int64_t token_read_ms;
    bool insecure; // certificates are not checked
};

// Reads a kubeconfig file; context NULL takes its current-context. STOP with what is wrong or not
// supported (exec credentials); insecure-skip-tls-verify is refused unless allow_insecure. The
// caller frees with kubeconfig_free.
bool kubeconfig_load(const char *path, const char *context, bool allow_insecure,
                     struct kubeconfig **out, struct error *err) WARN_UNUSED;

// Reads the service account in `folder` (NULL: where Kubernetes mounts it) and the address in
// KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT.
bool kubeconfig_load_in_cluster(const char *folder, struct kubeconfig **out,
                                struct error *err) WARN_UNUSED;

void kubeconfig_free(struct kubeconfig *config);
DEFINE_CLEANUP(struct kubeconfig, kubeconfig_free)

// The bearer token or NULL, borrowed until the next call. A token file is read again when its last
// reading is older than KUBECONFIG_TOKEN_AGE_MS; the old token stays when that fails.
const char *kubeconfig_token(struct kubeconfig *config, int64_t now_ms);

// Makes the next kubeconfig_token read its file: the API server refused the token (401).
void kubeconfig_token_refused(struct kubeconfig *config);

// What a curl handle borrows for the length of a request; freed with curl_slist_free_all.
struct request_lists {
    struct curl_slist *headers;
    struct curl_slist *connect_to;
};

// Sets address, TLS, proxy and headers of one request; path begins with a slash. Headers may have
// been put into lists before.
void kubeconfig_apply(struct kubeconfig *config, CURL *easy, const char *path, int64_t now_ms,
                      struct request_lists *lists);
