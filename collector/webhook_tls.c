// Daemons with the certificates of one moment. Files that change (cert-manager exchanges them) make
// a new daemon; the older one goes on until its callers are done. Files that cannot be used leave
// everything as it is.

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "collector/webhook_parts.h"
#include "common/log.h"
#include "common/named_file.h"
#include "common/text.h"
#include "common/timestamp.h"

#define FILE_MAX_BYTES ((size_t)1024 * 1024)
#define TOKEN_MAX_BYTES ((size_t)16 * 1024)
#define STAMP_EVERY_MS 5000
#define REPLACED_MAX_MS 60000 // then the callers of an older daemon are cut off
// Of each connection: what a request's line and headers may take, and the pieces of its body.
#define CONNECTION_BYTES ((size_t)64 * 1024)
#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

// What the library says when it refuses a certificate is all that is known of why.
static void keep_words(void *context, const char *format, va_list args)
{
    struct webhook *webhook = context;
    // Its formats are its own, and the compiler cannot see them.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    vsnprintf(webhook->daemon_words, sizeof(webhook->daemon_words), format, args);
#pragma GCC diagnostic pop
    text_one_line(webhook->daemon_words);
    log_line(LOG_DEBUG, "webhook", "says", webhook->daemon_words, NULL);
}

static struct MHD_Daemon *start_daemon(struct generation *generation, const char *cert,
                                       const char *key, const char *trust)
{
    struct webhook *webhook = generation->webhook;
    const struct MHD_OptionItem clients[] = {
        {MHD_OPTION_HTTPS_MEM_TRUST, 0, (char *)(uintptr_t)trust},
        {MHD_OPTION_END, 0, NULL},
    };
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_TLS | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET |
            MHD_USE_ERROR_LOG,
        0, NULL, NULL, webhook_request_feed, webhook, MHD_OPTION_EXTERNAL_LOGGER, keep_words,
        webhook, MHD_OPTION_HTTPS_MEM_CERT, cert, MHD_OPTION_HTTPS_MEM_KEY, key,
        MHD_OPTION_HTTPS_PRIORITIES, PRIORITIES, MHD_OPTION_URI_LOG_CALLBACK, webhook_request_begin,
        webhook, MHD_OPTION_NOTIFY_COMPLETED, webhook_request_end, webhook,
        MHD_OPTION_NOTIFY_CONNECTION, webhook_peer_notify, generation,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)100000, MHD_OPTION_ARRAY, trust != NULL ? clients : clients + 1, MHD_OPTION_END);
}

// The newest first; one more than there is room for ends the oldest, whoever still speaks to it.
static void push_generation(struct webhook *webhook, struct generation *generation)
{
    struct generation **list = webhook->generations;
    if (list[WEBHOOK_GENERATIONS - 1] != NULL)
        webhook_generation_close(webhook, WEBHOOK_GENERATIONS - 1);
    if (list[0] != NULL)
        list[0]->replaced_ms = monotonic_ms();
    memmove(list + 1, list, (WEBHOOK_GENERATIONS - 1) * sizeof(struct generation *));
    list[0] = generation;
}

static void wipe(struct buffer *buffer)
{
    if (buffer->data != NULL)
        sodium_memzero(buffer->data, buffer->capacity);
    buffer_reset(buffer);
}

static bool open_with(struct webhook *webhook, const char *cert, const char *key, const char *trust,
                      struct error *err)
{
    struct generation *generation = xcalloc(1, sizeof(*generation));
    generation->webhook = webhook;
    webhook->daemon_words[0] = '\0';
    generation->daemon = start_daemon(generation, cert, key, trust);
    if (generation->daemon == NULL) {
        free(generation);
        return fail(err, REACT_STOP, "cannot serve TLS with %.100s and %.100s: %s",
                    webhook->options.tls_cert, webhook->options.tls_key,
                    webhook->daemon_words[0] ? webhook->daemon_words : "they do not fit together");
    }
    generation->epoll_fd =
        MHD_get_daemon_info(generation->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    push_generation(webhook, generation);
    return true;
}

// The library takes a file without any certificate too, and then trusts nobody without a word.
static bool read_trust(const char *path, struct buffer *trust, struct error *err)
{
    gnutls_x509_crt_t *list = NULL;
    unsigned count = 0;
    if (!named_file_read(path, NAMED_FILE_REGULAR, FILE_MAX_BYTES, trust, err))
        return false;
    gnutls_datum_t text = {(unsigned char *)trust->data, (unsigned)trust->length};
    if (gnutls_x509_crt_list_import2(&list, &count, &text, GNUTLS_X509_FMT_PEM, 0) < 0)
        count = 0;
    for (unsigned i = 0; i < count; i++)
        gnutls_x509_crt_deinit(list[i]);
    gnutls_free(list);
    return count > 0 ||
           fail(err, REACT_STOP, "client_ca %.200s holds no certificate that can be read", path);
}

bool webhook_generation_open(struct webhook *webhook, struct error *err)
{
    const struct webhook_options *options = &webhook->options;
    SCOPED_BUFFER cert = {0};
    SCOPED_BUFFER trust = {0};
    struct buffer key = {0};
    bool opened =
        named_file_read(options->tls_cert, NAMED_FILE_REGULAR, FILE_MAX_BYTES, &cert, err) &&
        named_file_read(options->tls_key, NAMED_FILE_REGULAR, FILE_MAX_BYTES, &key, err) &&
        (options->client_ca == NULL || read_trust(options->client_ca, &trust, err)) &&
        open_with(webhook, cert.data, key.data, options->client_ca ? trust.data : NULL, err);
    wipe(&key);
    return opened;
}

void webhook_generation_close(struct webhook *webhook, size_t index)
{
    struct generation **list = webhook->generations;
    struct generation *generation = list[index];
    // The library aborts when a connection still sleeps as its daemon ends.
    for (struct peer *peer = webhook->peers; peer != NULL; peer = peer->next) {
        if (peer->generation == generation && peer->request != NULL)
            webhook_request_drop(peer->request);
    }
    webhook_send_answers(webhook);
    MHD_run(generation->daemon);
    MHD_stop_daemon(generation->daemon);
    free(generation);
    memmove(list + index, list + index + 1,
            (WEBHOOK_GENERATIONS - 1 - index) * sizeof(struct generation *));
    list[WEBHOOK_GENERATIONS - 1] = NULL;
}

// A server's certificate of the same authority does not do: its purpose must be a client's.
bool webhook_is_verified(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    unsigned status = 0;
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                     .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};
    return info != NULL &&
           gnutls_certificate_verify_peers(info->tls_session, &purpose, 1, &status) == 0 &&
           status == 0;
}

bool webhook_read_token(struct webhook_route *route, struct error *err)
{
    struct buffer token = {0};
    if (!named_file_read(route->options.token_file, NAMED_FILE_REGULAR, TOKEN_MAX_BYTES, &token,
                         err)) {
        wipe(&token);
        return false;
    }
    while (token.length > 0 && strchr(" \t\r\n", token.data[token.length - 1]) != NULL)
        token.data[--token.length] = '\0';
    if (token.length == 0) {
        wipe(&token);
        return fail(err, REACT_STOP, "token file %.200s is empty", route->options.token_file);
    }
    wipe(&route->token);
    route->token = token;
    return true;
}

static void stamp_file(struct file_stamps *stamps, size_t index, const char *path)
{
    struct stat stat_of;
    if (path == NULL || stat(path, &stat_of) != 0)
        return;
    stamps->files[index].changed_ns =
        (int64_t)stat_of.st_mtim.tv_sec * 1000000000 + stat_of.st_mtim.tv_nsec;
    stamps->files[index].size = stat_of.st_size;
    stamps->files[index].inode = (int64_t)stat_of.st_ino;
}

static void read_stamps(const struct webhook *webhook, struct file_stamps *stamps)
{
    memset(stamps, 0, sizeof(*stamps));
    stamp_file(stamps, 0, webhook->options.tls_cert);
    stamp_file(stamps, 1, webhook->options.tls_key);
    stamp_file(stamps, 2, webhook->options.client_ca);
    for (size_t i = 0; i < webhook->route_count; i++)
        stamp_file(stamps, 3 + i, webhook->routes[i].options.token_file);
}

void webhook_files_stamp(struct webhook *webhook)
{
    read_stamps(webhook, &webhook->stamps);
    webhook->stamped_ms = monotonic_ms();
}

static bool reread_files(struct webhook *webhook, struct error *err)
{
    for (size_t i = 0; i < webhook->route_count; i++) {
        struct webhook_route *route = &webhook->routes[i];
        if (route->options.token_file != NULL && !webhook_read_token(route, err))
            return false;
    }
    return webhook_generation_open(webhook, err);
}

// An older daemon ends when nobody speaks to it, or after its time.
static void close_replaced(struct webhook *webhook, int64_t now)
{
    for (size_t i = WEBHOOK_GENERATIONS - 1; i > 0; i--) {
        const struct generation *generation = webhook->generations[i];
        if (generation == NULL)
            continue;
        bool used = false;
        for (const struct peer *peer = webhook->peers; peer != NULL; peer = peer->next)
            used = used || peer->generation == generation;
        if (!used || now - generation->replaced_ms > REPLACED_MAX_MS)
            webhook_generation_close(webhook, i);
    }
}

// A pair is exchanged file by file, and may be seen half done: then it does not fit together, the
// old one stays, and the next look finds it whole.
void webhook_files_check(struct webhook *webhook, bool told, int64_t now)
{
    struct file_stamps stamps;
    struct error err;
    close_replaced(webhook, now);
    if (!told && now - webhook->stamped_ms < STAMP_EVERY_MS)
        return;
    webhook->stamped_ms = now;
    read_stamps(webhook, &stamps);
    bool changed = memcmp(&stamps, &webhook->stamps, sizeof(stamps)) != 0;
    bool was_bad = webhook->trouble[0] != '\0';
    if (!told && !changed && !was_bad)
        return;
    webhook->stamps = stamps;
    if (reread_files(webhook, &err)) {
        webhook->trouble[0] = '\0';
        log_line(LOG_INFO, "webhook certificates reread", "at", webhook->options.listen, NULL);
    } else if (told || strcmp(webhook->trouble, err.text) != 0) {
        snprintf(webhook->trouble, sizeof(webhook->trouble), "%.255s", err.text);
        log_line(LOG_ERROR, "webhook certificates not reread, the old ones stay", "reason",
                 err.text, NULL);
    }
}
