// A wall clock that a test sets while the program runs. CLOCK_SHIM names a file of two int64 in the
// machine's byte order, which the test rewrites in place:
//     offset   microseconds added to the wall clock
//     rate     microseconds added with each second of the monotonic clock; -2000000 makes the wall
//     clock go back a
//              second with each second
// Only the wall clock is moved. CLOCK_MONOTONIC and CLOCK_BOOTTIME stay what they are: no one can
// set those.

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct setting {
    volatile int64_t offset;
    volatile int64_t rate;
};

static const struct setting *setting;

static int64_t real_micros(clockid_t clock)
{
    struct timespec now;
    syscall(SYS_clock_gettime, clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

// Forked children share the mapping, so that all of PostgreSQL's processes have one clock.
__attribute__((constructor)) static void map_setting(void)
{
    const char *path = getenv("CLOCK_SHIM");
    int file = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
    if (map != MAP_FAILED)
        setting = map;
    close(file);
}

// The rate counts from the machine's boot, so that all processes agree; the test corrects the
// offset for it.
static int64_t moved_micros(void)
{
    int64_t now = real_micros(CLOCK_REALTIME);
    if (setting == NULL)
        return now;
    int64_t rate = setting->rate;
    int64_t drift = rate != 0 ? real_micros(CLOCK_MONOTONIC) / 1000 * rate / 1000 : 0;
    return now + setting->offset + drift;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)
        return (int)syscall(SYS_clock_gettime, clock, now);
    int64_t micros = moved_micros();
    now->tv_sec = micros / 1000000;
    now->tv_nsec = micros % 1000000 * 1000;
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    (void)zone;
    int64_t micros = moved_micros();
    now->tv_sec = micros / 1000000;
    now->tv_usec = micros % 1000000;
    return 0;
}

time_t time(time_t *out)
{
    time_t now = moved_micros() / 1000000;
    if (out != NULL)
        *out = now;
    return now;
}
