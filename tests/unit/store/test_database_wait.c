// Waits for a socket: what ends them, and what is heard and done meanwhile.

#include "tests/unit/unit.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/database_wait.h"
#include "common/timestamp.h"

#define SHORT_MS 60
#define LONG_MS 5000

// A connection, of which the far end is ours too, and a watch.
struct ends {
    int near;
    int far;
    int watched;
    int bell;
    int says_ms; // what the watch says
    int heard;
};

static int hear(void *context)
{
    struct ends *ends = context;
    char byte;
    assert_int_equal(read(ends->watched, &byte, 1), 1);
    ends->heard++;
    return ends->says_ms;
}

static struct database_wait wait_of(struct ends *ends)
{
    return (struct database_wait){.watch = {.fd = ends->watched, .ready = hear, .context = ends}};
}

static int open_ends(void **state)
{
    static struct ends ends;
    int connection[2];
    int bell[2];
    ends = (struct ends){.says_ms = -1};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, connection) != 0 || pipe(bell) != 0)
        return 1;
    ends.near = connection[0];
    ends.far = connection[1];
    ends.watched = bell[0];
    ends.bell = bell[1];
    *state = &ends;
    return 0;
}

static int close_ends(void **state)
{
    const struct ends *ends = *state;
    close(ends->near);
    close(ends->far);
    close(ends->watched);
    close(ends->bell);
    return 0;
}

static void write_byte(int fd)
{
    assert_int_equal(write(fd, "x", 1), 1);
}

// Waits to read; how long it took in *took_ms.
static bool wait_ms(struct database_wait *wait, const struct ends *ends, int deadline_ms,
                    int64_t *took_ms)
{
    int64_t began = monotonic_ms();
    bool ready = database_wait_for(wait, ends->near, POLLIN, database_wait_deadline(deadline_ms));
    *took_ms = monotonic_ms() - began;
    return ready;
}

static void the_earlier_end_counts(void **state)
{
    (void)state;
    struct database_wait wait = {.watch = {.fd = -1}};
    assert_int_equal(database_wait_deadline(0), 0);
    assert_int_equal(database_wait_deadline(-1), 0);
    assert_int_equal(database_wait_end(&wait, 0), 0);
    assert_int_equal(database_wait_end(&wait, 7), 7);
    wait.limit_ms = 5;
    assert_int_equal(database_wait_end(&wait, 0), 5);
    assert_int_equal(database_wait_end(&wait, 7), 5);
    assert_int_equal(database_wait_end(&wait, 3), 3);
    database_wait_limit(&wait, -1);
    assert_int_equal(database_wait_end(&wait, 7), 7);
    int64_t now = monotonic_ms();
    database_wait_limit(&wait, 0);
    assert_true(database_wait_end(&wait, 0) >= now);
}

static void the_socket_ends_the_wait(void **state)
{
    struct ends *ends = *state;
    struct database_wait wait = wait_of(ends);
    int64_t took;
    assert_true(database_wait_for(&wait, ends->near, POLLIN | POLLOUT, 0));
    write_byte(ends->far);
    assert_true(wait_ms(&wait, ends, LONG_MS, &took));
    // Also when the deadline was met before: what has come is not passed over.
    assert_true(database_wait_for(&wait, ends->near, POLLIN, monotonic_ms() - 1));
    assert_int_equal(ends->heard, 0);
}

static void a_broken_socket_ends_the_wait(void **state)
{
    struct ends *ends = *state;
    struct database_wait wait = wait_of(ends);
    int64_t took;
    shutdown(ends->far, SHUT_RDWR);
    assert_true(wait_ms(&wait, ends, LONG_MS, &took));
    assert_true(took < LONG_MS / 2);
}

static void the_deadline_ends_the_wait(void **state)
{
    struct ends *ends = *state;
    struct database_wait wait = wait_of(ends);
    int64_t took;
    assert_false(wait_ms(&wait, ends, SHORT_MS, &took));
    assert_in_range(took, SHORT_MS, LONG_MS / 2);
    // No socket yet, or none any more.
    assert_false(database_wait_for(&wait, -1, POLLIN, database_wait_deadline(SHORT_MS)));
}

static void the_watch_limits_this_wait_and_the_next(void **state)
{
    struct ends *ends = *state;
    struct database_wait wait = wait_of(ends);
    int64_t took;
    ends->says_ms = SHORT_MS;
    write_byte(ends->bell);
    assert_false(wait_ms(&wait, ends, 0, &took));
    assert_in_range(took, SHORT_MS, LONG_MS / 2);
    assert_false(wait_ms(&wait, ends, LONG_MS, &took));
    assert_true(took < LONG_MS / 2);
    assert_int_equal(ends->heard, 1);
}

static void a_watch_with_nothing_new_leaves_the_limit(void **state)
{
    struct ends *ends = *state;
    struct database_wait wait = wait_of(ends);
    int64_t took;
    database_wait_limit(&wait, SHORT_MS);
    write_byte(ends->bell);
    assert_false(wait_ms(&wait, ends, LONG_MS, &took));
    assert_true(took < LONG_MS / 2);
    assert_int_equal(ends->heard, 1);
}

struct work {
    const struct ends *ends;
    int done;
    int pieces;    // until there are none for now
    int brings_at; // the piece that makes the socket ready; 0: none
};

static bool work_piece(void *context)
{
    struct work *work = context;
    if (++work->done == work->brings_at)
        write_byte(work->ends->far);
    return work->done < work->pieces;
}

static void idle_work_fills_the_wait(void **state)
{
    struct ends *ends = *state;
    struct database_wait wait = wait_of(ends);
    struct work work = {.ends = ends, .pieces = 100, .brings_at = 3};
    int64_t took;
    wait.idle = (struct database_idle){work_piece, &work};
    assert_true(wait_ms(&wait, ends, LONG_MS, &took));
    assert_int_equal(work.done, 3);
    // The socket is looked at first.
    assert_true(wait_ms(&wait, ends, LONG_MS, &took));
    assert_int_equal(work.done, 3);
}

// There is none at first, and the wait asks again.
static void idle_work_is_asked_for_again(void **state)
{
    struct ends *ends = *state;
    struct database_wait wait = wait_of(ends);
    struct work work = {.ends = ends, .pieces = 1, .brings_at = 3};
    int64_t took;
    wait.idle = (struct database_idle){work_piece, &work};
    assert_true(wait_ms(&wait, ends, 0, &took));
    assert_int_equal(work.done, 3);
    assert_in_range(took, 50, LONG_MS / 2);
}

static void endless_idle_work_does_not_prolong_the_wait(void **state)
{
    struct ends *ends = *state;
    struct database_wait wait = wait_of(ends);
    struct work work = {.ends = ends, .pieces = INT32_MAX};
    int64_t took;
    wait.idle = (struct database_idle){work_piece, &work};
    assert_false(wait_ms(&wait, ends, SHORT_MS, &took));
    assert_in_range(took, SHORT_MS, LONG_MS / 2);
    assert_true(work.done > 1);
}

#define with_ends(test) cmocka_unit_test_setup_teardown(test, open_ends, close_ends)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_earlier_end_counts),
        with_ends(the_socket_ends_the_wait),
        with_ends(a_broken_socket_ends_the_wait),
        with_ends(the_deadline_ends_the_wait),
        with_ends(the_watch_limits_this_wait_and_the_next),
        with_ends(a_watch_with_nothing_new_leaves_the_limit),
        with_ends(idle_work_fills_the_wait),
        with_ends(idle_work_is_asked_for_again),
        with_ends(endless_idle_work_does_not_prolong_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
