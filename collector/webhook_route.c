// A route's queue between the server's thread and whoever reads it, and what it refused.

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "collector/webhook_parts.h"
#include "common/log.h"
#include "common/timestamp.h"

#define TOLD_EVERY_MS 60000
#define TROUBLE_MS (5 * 60 * 1000) // how long a refusal is worth telling

static const char *const refusal_names[REFUSALS] = {
    [REFUSAL_BAD] = "unreadable",        [REFUSAL_LARGE] = "too large",
    [REFUSAL_STRANGER] = "not allowed",  [REFUSAL_SLOW] = "too slow",
    [REFUSAL_BUSY] = "too many at once",
};

static void signal_ready(const struct webhook_route *route)
{
    uint64_t one = 1;
    ssize_t written = write(route->ready_fd, &one, sizeof(one));
    (void)written; // only full when it is readable anyway
}

bool webhook_queue(struct webhook_request *request)
{
    struct webhook_route *route = request->route;
    pthread_mutex_lock(&route->webhook->lock);
    bool takes = !route->refuses;
    if (takes) {
        // Woken by this thread alone, so it cannot be woken before it sleeps.
        MHD_suspend_connection(request->connection);
        request->state = REQUEST_WAITING;
        request->next = NULL;
        if (route->last != NULL)
            route->last->next = request;
        else
            route->first = request;
        route->last = request;
    }
    pthread_mutex_unlock(&route->webhook->lock);
    if (takes)
        signal_ready(route);
    return takes;
}

void webhook_count_refusal(struct webhook_route *route, enum refusal refusal)
{
    pthread_mutex_lock(&route->webhook->lock);
    route->refusals[refusal]++;
    route->refused_ms = monotonic_ms();
    pthread_mutex_unlock(&route->webhook->lock);
}

// Under the lock.
void webhook_note_loss(struct webhook_route *route)
{
    int64_t now = monotonic_ms();
    if (route->loss.count == 0)
        route->loss.first_ms = now;
    route->loss.last_ms = now;
    route->loss.count++;
    route->unrecorded++;
    route->refused_ms = now;
    signal_ready(route);
}

void webhook_count_loss(struct webhook_route *route)
{
    pthread_mutex_lock(&route->webhook->lock);
    webhook_note_loss(route);
    pthread_mutex_unlock(&route->webhook->lock);
}

void webhook_refuse(struct webhook_route *route, bool refuses)
{
    pthread_mutex_lock(&route->webhook->lock);
    route->refuses = refuses;
    pthread_mutex_unlock(&route->webhook->lock);
    if (refuses)
        webhook_wake(route->webhook); // those that wait are answered now
}

int webhook_route_descriptor(const struct webhook_route *route)
{
    return route->ready_fd;
}

// Under the lock. Appends "3 unreadable, 1 too slow" and gives the sum.
static int64_t print_counts(const struct webhook_route *route, struct buffer *out)
{
    int64_t sum = 0;
    for (size_t i = 0; i < REFUSALS; i++) {
        if (route->refusals[i] > 0)
            buffer_printf(out, "%s%" PRId64 " %s", sum > 0 ? ", " : "", route->refusals[i],
                          refusal_names[i]);
        sum += route->refusals[i];
    }
    if (route->unrecorded > 0)
        buffer_printf(out, "%s%" PRId64 " not recorded", sum > 0 ? ", " : "", route->unrecorded);
    return sum + route->unrecorded;
}

// The first at once, then at most once a minute: who floods us must not flood the log. At the end
// whatever was not told yet.
void webhook_route_log(struct webhook_route *route, int64_t now, bool ends)
{
    SCOPED_BUFFER counts = {0};
    if (!ends && route->told_ms != 0 && now - route->told_ms < TOLD_EVERY_MS)
        return;
    pthread_mutex_lock(&route->webhook->lock);
    int64_t sum = print_counts(route, &counts);
    pthread_mutex_unlock(&route->webhook->lock);
    if (sum == route->told)
        return;
    route->told = sum;
    route->told_ms = now;
    log_line(LOG_WARN, "webhook requests refused", "path", route->options.path, "since the start",
             counts.data, NULL);
}

void webhook_route_trouble(struct webhook_route *route, struct buffer *out)
{
    SCOPED_BUFFER counts = {0};
    pthread_mutex_lock(&route->webhook->lock);
    bool recent = route->refused_ms != 0 && monotonic_ms() - route->refused_ms < TROUBLE_MS;
    if (recent)
        print_counts(route, &counts);
    pthread_mutex_unlock(&route->webhook->lock);
    if (recent && counts.length > 0)
        buffer_printf(out, "%s: requests refused since the start: %s", route->options.path,
                      counts.data);
}

bool webhook_add_route(struct webhook *webhook, const struct webhook_route_options *options,
                       struct webhook_route **out, struct error *err)
{
    for (size_t i = 0; i < webhook->route_count; i++) {
        if (strcmp(webhook->routes[i].options.path, options->path) == 0)
            return fail(err, REACT_STOP, "two sources serve %s at %s", options->path,
                        webhook->options.listen);
    }
    assert(webhook->route_count < WEBHOOK_ROUTES && !webhook->started);
    struct webhook_route *route = &webhook->routes[webhook->route_count];
    *route = (struct webhook_route){.webhook = webhook, .options = *options};
    if (options->token_file != NULL && !webhook_read_token(route, err))
        return false;
    route->ready_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (route->ready_fd < 0)
        return fail(err, REACT_STOP, "cannot make an eventfd");
    webhook->route_count++;
    webhook_files_stamp(webhook);
    *out = route;
    return true;
}
