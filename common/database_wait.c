// poll(2) on a socket of libpq with deadlines. What the socket is waited for, and what a missed
// deadline means, is the caller's.

#include "common/database_wait.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>

#include "common/timestamp.h"

// Work may come while there is none: what arrives from others does not wake this wait.
#define IDLE_AGAIN_MS 50

int64_t database_wait_deadline(int timeout_ms)
{
    return timeout_ms > 0 ? monotonic_ms() + timeout_ms : 0;
}

int64_t database_wait_end(const struct database_wait *wait, int64_t deadline)
{
    bool is_limited = wait->limit_ms != 0 && (deadline == 0 || wait->limit_ms < deadline);
    return is_limited ? wait->limit_ms : deadline;
}

void database_wait_limit(struct database_wait *wait, int ms)
{
    wait->limit_ms = ms < 0 ? 0 : monotonic_ms() + ms;
}

// In the form of poll(2): -1 waits for ever.
static int remaining_ms(const struct database_wait *wait, int64_t deadline)
{
    int64_t end = database_wait_end(wait, deadline);
    if (end == 0)
        return -1;
    int64_t left = end - monotonic_ms();
    return left > 0 ? (int)left : 0;
}

static int sleep_ms(const struct database_wait *wait, int64_t deadline, bool has_work)
{
    int left = remaining_ms(wait, deadline);
    if (has_work)
        return 0;
    if (wait->idle.work != NULL && (left < 0 || left > IDLE_AGAIN_MS))
        return IDLE_AGAIN_MS;
    return left;
}

// A watch that says nothing new leaves an earlier limit.
static void hear_watch(struct database_wait *wait)
{
    int ms = wait->watch.ready(wait->watch.context);
    if (ms >= 0)
        database_wait_limit(wait, ms);
}

// Looks at the socket between pieces of idle work, and sleeps at it while there are none.
bool database_wait_for(struct database_wait *wait, int fd, short events, int64_t deadline)
{
    bool has_work = wait->idle.work != NULL;
    for (;;) {
        // poll(2) passes over a negative descriptor.
        struct pollfd items[] = {{.fd = fd, .events = events},
                                 {.fd = wait->watch.fd, .events = POLLIN}};
        int ready = poll(items, 2, sleep_ms(wait, deadline, has_work));
        if (ready > 0 && (items[1].revents & POLLIN))
            hear_watch(wait);
        if (ready > 0 && items[0].revents != 0)
            return true;
        // A signal without a descriptor is for the loop that owns it; the wait goes on.
        if (ready > 0 || (ready < 0 && errno == EINTR))
            continue;
        // Idle work does not prolong the wait: with a busy hook the deadline is met here.
        if (ready < 0 || remaining_ms(wait, deadline) == 0)
            return false;
        has_work = wait->idle.work != NULL && wait->idle.work(wait->idle.context);
    }
}
