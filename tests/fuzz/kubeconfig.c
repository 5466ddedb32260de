// A kubeconfig file, and the request that is made from it. The files that it names are not opened.

#include <string.h>

#include "collector/kubeconfig.h"
#include "tests/fuzz/file.h"

#define NOW_MS 1000

// A value from the file must not become a header of its own.
static void check_headers(const struct curl_slist *headers)
{
    for (; headers != NULL; headers = headers->next)
        MUST(strpbrk(headers->data, "\r\n") == NULL && strchr(headers->data, ':') != NULL);
}

static void request(struct kubeconfig *config)
{
    static CURL *easy;
    struct request_lists lists = {0};
    if (easy == NULL)
        easy = curl_easy_init();
    curl_easy_reset(easy);
    config->token_read_ms = NOW_MS; // as if its file had just been read
    kubeconfig_apply(config, easy, "/api", NOW_MS, &lists);
    check_headers(lists.headers);
    check_headers(lists.connect_to);
    curl_slist_free_all(lists.headers);
    curl_slist_free_all(lists.connect_to);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    SCOPED(kubeconfig_free) struct kubeconfig *config = NULL;
    struct error err = {0};
    bool insecure = length % 2 == 0;
    if (!kubeconfig_load(fuzz_file(bytes, length), NULL, insecure, &config, &err)) {
        MUST(config == NULL && err.react == REACT_STOP && err.text[0] != '\0');
        return 0;
    }
    MUST(strncmp(config->server, "http", 4) == 0 && (insecure || !config->insecure));
    request(config);
    return 0;
}
