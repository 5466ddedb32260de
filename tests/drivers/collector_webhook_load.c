// Callers of a webhook, as many at once as an API server has, without a pause and on connections
// that are kept:
// `driver_collector_webhook_load URL CA_FILE REQUESTS CONNECTIONS RATE RETRY_SECONDS`.
//
// REQUESTS is a file of `ID PATH LENGTH\n` with a body of LENGTH bytes and "\n" behind each. They
// go out in their order, RATE a second, each at its time whatever became of those before it, as
// long as one of CONNECTIONS transfers is free. What PATH /audit got no answer for, or 503, is sent
// again until RETRY_SECONDS after it was due, as an API server does; reviews are asked once.
// Prints a line `ID CODE DUE SENT DONE` for each try, instants in microseconds since the start and
// CODE 0 where no answer came, and at the end `connections N`.

#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/buffer.h"
#include "common/error.h"
#include "common/memory.h"
#include "common/named_file.h"

#define FILE_MAX_BYTES ((size_t)1024 * 1024 * 1024)
#define RETRY_US 100000
#define NEVER INT64_MAX

struct call {
    const char *id;
    size_t id_length;
    char *url;
    const char *body;
    size_t length;
    bool repeats;
    int64_t due_us;
    int64_t next_us; // when it is tried again; NEVER: it is under way, or done
};

// One transfer at a time, and curl's connection that is kept between.
struct caller {
    CURL *easy;
    struct call *call; // NULL: free
    int64_t sent_us;
};

struct load {
    CURLM *multi;
    struct curl_slist *headers;
    struct call *calls;
    size_t count;
    size_t capacity;
    size_t begun; // calls that went out at least once
    size_t done;
    struct caller *callers;
    size_t caller_count;
    struct call **waiting; // for another try
    size_t waiting_count;
    int64_t start_us;
    int64_t retry_us;
    long connections;
};

static int64_t clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

// ---- what to send -------------------------------------------------------------------------------

static bool parse_calls(struct load *load, const char *base, const struct buffer *file, double rate)
{
    const char *at = file->data;
    const char *end = at + file->length;
    while (at < end) {
        char path[64];
        size_t length;
        int head;
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (line_end == NULL || sscanf(at, "%*s %63s %zu%n", path, &length, &head) != 2 ||
            at + head != line_end || length + 1 > (size_t)(end - line_end - 1))
            return false;
        load->calls = xgrow(load->calls, &load->capacity, load->count + 1, sizeof(*load->calls));
        load->calls[load->count] =
            (struct call){.id = at,
                          .id_length = strcspn(at, " "),
                          .url = xasprintf("%s%s", base, path),
                          .body = line_end + 1,
                          .length = length,
                          .repeats = strcmp(path, "/audit") == 0,
                          .due_us = (int64_t)((double)load->count * 1e6 / rate),
                          .next_us = NEVER};
        load->count++;
        at = line_end + 1 + length + 1;
    }
    return true;
}

// ---- callers ------------------------------------------------------------------------------------

static size_t drop_answer(char *bytes, size_t size, size_t count, void *context)
{
    (void)bytes;
    (void)context;
    return size * count;
}

static bool open_callers(struct load *load, const char *ca_file)
{
    load->multi = curl_multi_init();
    // Without "Expect" a body follows its head at once, as Go's client sends it.
    load->headers = curl_slist_append(NULL, "Content-Type: application/json");
    load->headers = curl_slist_append(load->headers, "Expect:");
    if (load->multi == NULL || load->headers == NULL)
        return false;
    curl_multi_setopt(load->multi, CURLMOPT_MAXCONNECTS, (long)load->caller_count);
    for (size_t i = 0; i < load->caller_count; i++) {
        CURL *easy = curl_easy_init();
        if (easy == NULL)
            return false;
        load->callers[i].easy = easy;
        curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, load->headers);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_TIMEOUT, 30L);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop_answer);
        curl_easy_setopt(easy, CURLOPT_PRIVATE, &load->callers[i]);
    }
    return true;
}

static void send_call(struct load *load, struct caller *caller, struct call *call)
{
    call->next_us = NEVER;
    caller->call = call;
    curl_easy_setopt(caller->easy, CURLOPT_URL, call->url);
    curl_easy_setopt(caller->easy, CURLOPT_POSTFIELDS, call->body);
    curl_easy_setopt(caller->easy, CURLOPT_POSTFIELDSIZE, (long)call->length);
    caller->sent_us = clock_us();
    curl_multi_add_handle(load->multi, caller->easy);
}

// The next that is due, one to be tried again before a new one; NULL: none is yet.
static struct call *next_call(struct load *load, int64_t now)
{
    for (size_t i = 0; i < load->waiting_count; i++) {
        struct call *call = load->waiting[i];
        if (call->next_us <= now) {
            load->waiting[i] = load->waiting[--load->waiting_count];
            return call;
        }
    }
    if (load->begun < load->count && load->start_us + load->calls[load->begun].due_us <= now)
        return &load->calls[load->begun++];
    return NULL;
}

static void send_due(struct load *load)
{
    int64_t now = clock_us();
    for (size_t i = 0; i < load->caller_count; i++) {
        struct caller *caller = &load->callers[i];
        struct call *call = caller->call == NULL ? next_call(load, now) : NULL;
        if (call != NULL)
            send_call(load, caller, call);
        else if (caller->call == NULL)
            return; // nothing is due for the others either
    }
}

static void finish_call(struct load *load, struct caller *caller, CURLcode result)
{
    struct call *call = caller->call;
    long code = 0;
    long connects = 0;
    int64_t now = clock_us();
    if (result == CURLE_OK)
        curl_easy_getinfo(caller->easy, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_getinfo(caller->easy, CURLINFO_NUM_CONNECTS, &connects);
    load->connections += connects;
    printf("%.*s %ld %" PRId64 " %" PRId64 " %" PRId64 "\n", (int)call->id_length, call->id, code,
           call->due_us, caller->sent_us - load->start_us, now - load->start_us);
    curl_multi_remove_handle(load->multi, caller->easy);
    caller->call = NULL;
    bool again = call->repeats && (code == 0 || code == 503) &&
                 now < load->start_us + call->due_us + load->retry_us;
    if (again) {
        call->next_us = now + RETRY_US;
        load->waiting[load->waiting_count++] = call;
    } else {
        load->done++;
    }
}

static void finish_calls(struct load *load)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(load->multi, &left)) != NULL) {
        struct caller *caller;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode result = message->data.result; // gone with the handle
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&caller);
        finish_call(load, caller, result);
    }
}

static int wait_ms(const struct load *load)
{
    int64_t next = NEVER;
    if (load->begun < load->count)
        next = load->start_us + load->calls[load->begun].due_us;
    for (size_t i = 0; i < load->waiting_count; i++) {
        if (load->waiting[i]->next_us < next)
            next = load->waiting[i]->next_us;
    }
    int64_t left_ms = next == NEVER ? 100 : (next - clock_us()) / 1000;
    return left_ms < 0 ? 0 : left_ms > 100 ? 100 : (int)left_ms;
}

static void run(struct load *load)
{
    int running;
    load->start_us = clock_us();
    while (load->done < load->count) {
        send_due(load);
        curl_multi_perform(load->multi, &running);
        finish_calls(load);
        // What is due within the next millisecond goes with the next turn.
        curl_multi_poll(load->multi, NULL, 0, wait_ms(load), NULL);
    }
    printf("connections %ld\n", load->connections);
}

static void close_all(struct load *load)
{
    for (size_t i = 0; i < load->caller_count; i++)
        curl_easy_cleanup(load->callers[i].easy);
    curl_multi_cleanup(load->multi);
    curl_slist_free_all(load->headers);
    for (size_t i = 0; i < load->count; i++)
        free(load->calls[i].url);
    free(load->calls);
    free(load->callers);
    free((void *)load->waiting);
}

int main(int argc, char **argv)
{
    SCOPED_BUFFER file = {0};
    struct error err = {0};
    struct load load = {0};
    if (argc != 7 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return 2;
    load.caller_count = (size_t)strtoul(argv[4], NULL, 10);
    load.callers = xcalloc(load.caller_count, sizeof(*load.callers));
    load.retry_us = (int64_t)(strtod(argv[6], NULL) * 1e6);
    if (!named_file_read(argv[3], NAMED_FILE_REGULAR, FILE_MAX_BYTES, &file, &err) ||
        !parse_calls(&load, argv[1], &file, strtod(argv[5], NULL)) ||
        !open_callers(&load, argv[2])) {
        fprintf(stderr, "cannot use %s: %s\n", argv[3], err.text[0] ? err.text : "bad format");
        return 2;
    }
    load.waiting = xcalloc(load.count, sizeof(*load.waiting));
    run(&load);
    close_all(&load);
    curl_global_cleanup();
    return 0;
}
