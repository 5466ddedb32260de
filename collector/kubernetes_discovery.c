// Discovery of one API group: its versions, then the resources of each version that one of our
// kinds may use. Not installed is an answer; trouble on the way is not, and is tried again.

#include "collector/kubernetes_discovery.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "collector/kubernetes_stream.h"
#include "common/json.h"
#include "common/log.h"
#include "common/text.h"
#include "common/timestamp.h"

#define VERSIONS_MAX 8
#define KINDS_MAX 16
#define DEPTH 16

// A version that the group serves, and which of our kinds it has (a bit each, as in kinds[]).
struct served {
    const char *version;
    unsigned kinds;
};

struct discovery {
    struct kubernetes *kubernetes;
    const char *group;
    const struct kind *kinds[KINDS_MAX];
    size_t kind_count;
    struct served served[VERSIONS_MAX];
    size_t served_count;
    size_t asking; // the next version to ask for; served_count = all known
    struct http_transfer *transfer;
    struct backoff backoff;
    int64_t due_ms;
    bool any_absent;
    bool answered;
    char trouble[200];
};

struct discovery *discovery_new(struct kubernetes *kubernetes, const char *group)
{
    struct discovery *discovery = xcalloc(1, sizeof(*discovery));
    discovery->kubernetes = kubernetes;
    discovery->group = group;
    size_t count;
    const struct kind *kinds = kinds_watched(&count);
    for (size_t i = 0; i < count && discovery->kind_count < KINDS_MAX; i++) {
        if (strcmp(kinds[i].group, group) == 0)
            discovery->kinds[discovery->kind_count++] = &kinds[i];
    }
    return discovery;
}

const char *discovery_trouble(const struct discovery *discovery)
{
    return discovery->trouble[0] != '\0' ? discovery->trouble : NULL;
}

void discovery_free(struct discovery *discovery)
{
    if (discovery == NULL)
        return;
    if (discovery->transfer != NULL)
        http_cancel(discovery->transfer);
    free(discovery);
}

// Tells the kind's streams. Those that run already keep their version: another one shows the same
// objects, and a change would only cost a list.
static void resolve_kind(struct discovery *discovery, const struct kind *kind, const char *version)
{
    struct kubernetes *kubernetes = discovery->kubernetes;
    discovery->any_absent |= version == NULL;
    for (size_t i = 0; i < kubernetes->stream_count; i++) {
        struct stream *stream = kubernetes->streams[i];
        if (stream->kind == kind &&
            (stream->version == NULL || stream->look_again || version == NULL))
            stream_resolve(stream, version);
    }
}

// The first version in the kind's order that has it; NULL when none has.
static const char *choose_version(const struct discovery *discovery, size_t kind)
{
    const struct kind *wanted = discovery->kinds[kind];
    for (size_t v = 0; v < 4 && wanted->versions[v] != NULL; v++) {
        for (size_t i = 0; i < discovery->served_count; i++) {
            if (strcmp(discovery->served[i].version, wanted->versions[v]) == 0 &&
                (discovery->served[i].kinds >> kind & 1))
                return wanted->versions[v];
        }
    }
    return NULL;
}

// All is known. With `guess` nothing is, because discovery is not allowed: each kind's own list
// will then say 404 or 403.
static void conclude(struct discovery *discovery, bool guess)
{
    discovery->any_absent = false;
    discovery->answered = true;
    discovery->trouble[0] = '\0';
    backoff_reset(&discovery->backoff);
    for (size_t i = 0; i < discovery->kind_count; i++) {
        const char *version =
            guess ? discovery->kinds[i]->versions[0] : choose_version(discovery, i);
        resolve_kind(discovery, discovery->kinds[i], version);
    }
    discovery->due_ms = monotonic_ms() + discovery->kubernetes->options.look_again_ms;
}

static bool is_served(const cJSON *group, const char *version)
{
    const cJSON *entry;
    cJSON_ArrayForEach(entry, json_get(group, "versions"))
    {
        if (text_equal(json_text(entry, "version"), version))
            return true;
    }
    return false;
}

static bool is_listed(const struct discovery *discovery, const char *version)
{
    for (size_t i = 0; i < discovery->served_count; i++) {
        if (strcmp(discovery->served[i].version, version) == 0)
            return true;
    }
    return false;
}

// Notes which versions of the group our kinds may use.
static void read_group(struct discovery *discovery, const cJSON *group)
{
    for (size_t i = 0; i < discovery->kind_count; i++) {
        const struct kind *kind = discovery->kinds[i];
        for (size_t v = 0; v < 4 && kind->versions[v] != NULL; v++) {
            if (discovery->served_count < VERSIONS_MAX && is_served(group, kind->versions[v]) &&
                !is_listed(discovery, kind->versions[v]))
                discovery->served[discovery->served_count++].version = kind->versions[v];
        }
    }
}

// Notes which of our kinds a version has.
static void read_version(struct discovery *discovery, const cJSON *list)
{
    struct served *served = &discovery->served[discovery->asking++];
    const cJSON *resource;
    cJSON_ArrayForEach(resource, json_get(list, "resources"))
    {
        const char *name = json_text(resource, "name");
        for (size_t i = 0; i < discovery->kind_count; i++) {
            if (text_equal(name, discovery->kinds[i]->resource))
                served->kinds |= 1u << i;
        }
    }
}

// No answer is not "not installed": all stays as it is until there is one.
static void trouble(struct discovery *discovery, const struct http_result *result)
{
    int64_t wait_ms = backoff_next_ms(&discovery->backoff);
    if (result->retry_after_s > 0)
        wait_ms = backoff_asked_ms(result->retry_after_s);
    if (result->status == 401)
        kubeconfig_token_refused(discovery->kubernetes->config);
    discovery->due_ms = monotonic_ms() + wait_ms;
    char text[sizeof(discovery->trouble)];
    snprintf(text, sizeof(text), "HTTP %ld %s", result->status, result->problem);
    if (strcmp(text, discovery->trouble) == 0)
        return;
    memcpy(discovery->trouble, text, sizeof(text));
    log_line(LOG_WARN, "kubernetes discovery in trouble", "group", discovery->group, "reason", text,
             NULL);
}

// Asks for the group (NULL) or one of its versions.
static void ask(struct discovery *discovery, const char *version);

// Takes the group's or a version's answer, NULL when there is none, and asks on or concludes.
static void read_answer(struct discovery *discovery, bool first, const cJSON *answer)
{
    if (first)
        read_group(discovery, answer);
    else
        read_version(discovery, answer);
    if (discovery->asking < discovery->served_count)
        ask(discovery, discovery->served[discovery->asking].version);
    else
        conclude(discovery, false);
}

static void on_done(void *context, const struct http_result *result)
{
    struct discovery *discovery = context;
    bool first = discovery->asking == SIZE_MAX;
    discovery->transfer = NULL;
    if (first)
        discovery->asking = 0;
    if (result->status == 404) { // the group, or a version that was removed just now
        read_answer(discovery, first, NULL);
        return;
    }
    if (result->status == 403) { // no discovery for us: the lists themselves will tell
        conclude(discovery, true);
        return;
    }
    struct error err;
    SCOPED(cJSON_Delete) cJSON *answer = NULL;
    if (result->status == 200 && result->complete)
        answer = json_parse(result->body, result->body_length, DEPTH, &err);
    if (answer == NULL)
        trouble(discovery, result);
    else
        read_answer(discovery, first, answer);
}

static void ask(struct discovery *discovery, const char *version)
{
    static const struct http_handler handler = {.done = on_done};
    SCOPED(xfree_char)
    char *path = xasprintf("/apis/%s%s%s", discovery->group, version != NULL ? "/" : "",
                           version != NULL ? version : "");
    struct http_request request = {
        .path = path, .gzip = true, .handler = &handler, .context = discovery};
    discovery->transfer = http_get(discovery->kubernetes->http, &request);
}

// True when some stream cannot go on with what was answered before.
static bool is_wanted(const struct discovery *discovery)
{
    const struct kubernetes *kubernetes = discovery->kubernetes;
    if (!discovery->answered || discovery->any_absent)
        return true;
    for (size_t i = 0; i < kubernetes->stream_count; i++) {
        const struct stream *stream = kubernetes->streams[i];
        if (stream->kind != NULL && strcmp(stream->kind->group, discovery->group) == 0 &&
            stream->look_again)
            return true;
    }
    return false;
}

int64_t discovery_run(struct discovery *discovery, int64_t now_ms)
{
    if (discovery->transfer != NULL || !is_wanted(discovery))
        return -1;
    if (now_ms < discovery->due_ms)
        return discovery->due_ms - now_ms;
    discovery->served_count = 0;
    memset(discovery->served, 0, sizeof(discovery->served));
    discovery->asking = SIZE_MAX; // the group itself
    ask(discovery, NULL);
    return -1;
}
