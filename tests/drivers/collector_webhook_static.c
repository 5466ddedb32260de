// What the webhook's library does by itself: an HTTPS server that drops each body and answers 200
// with the same few bytes, beside which the collector's rate is measured:
// `driver_collector_webhook_static PORT CERT_FILE KEY_FILE`, until SIGTERM.

#include <arpa/inet.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/buffer.h"
#include "common/error.h"
#include "common/named_file.h"

#define FILE_MAX_BYTES ((size_t)1024 * 1024)
// As collector/webhook_tls.c has them.
#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

// A body comes in pieces, and then once more without one.
static enum MHD_Result answer(void *response, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *bytes,
                              size_t *length, void **context)
{
    static int begun;
    (void)url;
    (void)method;
    (void)version;
    (void)bytes;
    if (*context == NULL) {
        *context = &begun;
        return MHD_YES;
    }
    if (*length > 0) {
        *length = 0;
        return MHD_YES;
    }
    return MHD_queue_response(connection, MHD_HTTP_OK, response);
}

static struct MHD_Daemon *start(const char *port, const char *cert, const char *key,
                                struct MHD_Response *response)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TLS, 0, NULL, NULL, answer,
                            response, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_HTTPS_MEM_CERT,
                            cert, MHD_OPTION_HTTPS_MEM_KEY, key, MHD_OPTION_HTTPS_PRIORITIES,
                            PRIORITIES, MHD_OPTION_END);
}

int main(int argc, char **argv)
{
    static char body[] = "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\","
                         "\"response\":{\"uid\":\"00000000-0000-0000-0000-000000000000\","
                         "\"allowed\":true}}";
    SCOPED_BUFFER cert = {0};
    SCOPED_BUFFER key = {0};
    struct error err;
    sigset_t ends;
    int got;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL); // the thread inherits it
    if (argc != 4 || !named_file_read(argv[2], NAMED_FILE_REGULAR, FILE_MAX_BYTES, &cert, &err) ||
        !named_file_read(argv[3], NAMED_FILE_REGULAR, FILE_MAX_BYTES, &key, &err))
        return 2;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(sizeof(body) - 1, body, MHD_RESPMEM_PERSISTENT);
    struct MHD_Daemon *daemon = start(argv[1], cert.data, key.data, response);
    if (daemon == NULL)
        return 1;
    puts("serves");
    fflush(stdout);
    sigwait(&ends, &got);
    MHD_stop_daemon(daemon);
    MHD_destroy_response(response);
    return 0;
}
