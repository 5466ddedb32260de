// Host names with a deadline. The C library's resolver waits as long as its configuration says and
// cannot be interrupted, so it runs in a thread of its own, which is left behind when it is late.

#include "common/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "common/memory.h"

// Shared by the one who asks and the thread; who leaves last frees it.
struct lookup {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char *name;
    bool done;
    bool abandoned;
    int status; // of getaddrinfo
    struct resolved found;
};

static void lookup_free(struct lookup *lookup)
{
    pthread_mutex_destroy(&lookup->lock);
    pthread_cond_destroy(&lookup->changed);
    free(lookup->name);
    free(lookup);
}

static struct lookup *lookup_new(const char *name)
{
    struct lookup *lookup = xcalloc(1, sizeof(*lookup));
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&lookup->lock, NULL);
    pthread_cond_init(&lookup->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    lookup->name = xstrdup(name);
    return lookup;
}

// Numeric text, since that is what libpq takes.
static void take_addresses(const struct addrinfo *list, struct resolved *out)
{
    for (; list != NULL && out->count < RESOLVED_ADDRESSES; list = list->ai_next) {
        if (getnameinfo(list->ai_addr, list->ai_addrlen, out->addresses[out->count], RESOLVED_TEXT,
                        NULL, 0, NI_NUMERICHOST) == 0)
            out->count++;
    }
}

static void *run_lookup(void *context)
{
    struct lookup *lookup = context;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    struct resolved found = {0};
    int status = getaddrinfo(lookup->name, NULL, &hints, &list);
    if (status == 0) {
        take_addresses(list, &found);
        freeaddrinfo(list);
    }
    pthread_mutex_lock(&lookup->lock);
    lookup->status = status;
    lookup->found = found;
    lookup->done = true;
    bool last = lookup->abandoned;
    pthread_cond_signal(&lookup->changed);
    pthread_mutex_unlock(&lookup->lock);
    if (last)
        lookup_free(lookup);
    return NULL;
}

static bool start_lookup(struct lookup *lookup)
{
    pthread_t thread;
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    int failed = pthread_create(&thread, &detached, run_lookup, lookup);
    pthread_attr_destroy(&detached);
    return failed == 0;
}

static struct timespec deadline_after(int timeout_ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += timeout_ms / 1000;
    at.tv_nsec += (timeout_ms % 1000) * 1000000L;
    if (at.tv_nsec >= 1000000000L) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000L;
    }
    return at;
}

// False when the thread is late; then it frees what they share.
static bool wait_lookup(struct lookup *lookup, int timeout_ms)
{
    struct timespec deadline = deadline_after(timeout_ms);
    pthread_mutex_lock(&lookup->lock);
    while (!lookup->done && pthread_cond_timedwait(&lookup->changed, &lookup->lock, &deadline) == 0)
        ;
    bool done = lookup->done;
    lookup->abandoned = !done;
    pthread_mutex_unlock(&lookup->lock);
    return done;
}

bool resolve_host(const char *name, int timeout_ms, struct resolved *out, struct error *err)
{
    struct lookup *lookup = lookup_new(name);
    if (!start_lookup(lookup)) {
        lookup_free(lookup);
        return fail(err, REACT_RETRY, "cannot look up host \"%.100s\": no thread", name);
    }
    if (!wait_lookup(lookup, timeout_ms))
        return fail(err, REACT_RETRY, "cannot look up host \"%.100s\": no answer within %d ms",
                    name, timeout_ms);
    int status = lookup->status;
    *out = lookup->found;
    lookup_free(lookup);
    if (status != 0)
        return fail(err, REACT_RETRY, "cannot look up host \"%.100s\": %s", name,
                    gai_strerror(status));
    return out->count > 0 ||
           fail(err, REACT_RETRY, "cannot look up host \"%.100s\": no address", name);
}

bool resolve_is_numeric(const char *name)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *list = NULL;
    if (getaddrinfo(name, NULL, &hints, &list) != 0)
        return false;
    freeaddrinfo(list);
    return true;
}
