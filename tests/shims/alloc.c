// Lets one allocation of a program fail, or all from one on, to see what becomes of its work.
//
//   MODELTRAIL_ALLOC_FAIL=K   the K-th allocation gives NULL; 0 or unset: none
//   MODELTRAIL_ALLOC_FROM=1   so does each later one
//   MODELTRAIL_ALLOC_AFTER=N  the first N are passed over
//   MODELTRAIL_ALLOC_REPORT=F file F gets a line for the first failure, with the object that asked
//   for
//                             the memory, and `count N` when the program ends by itself
//
// Counting begins when the libraries have started, just before main.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_bool counting;
static atomic_long count;
static long fails;
static bool from;
static int report = -1;
static const void *own_base; // of this library

static long number(const char *name)
{
    const char *text = getenv(name);
    return text != NULL ? atol(text) : 0;
}

static void say(const char *what, long value, const char *where)
{
    char line[512];
    int length = snprintf(line, sizeof(line), "%s %ld %s\n", what, value, where);
    ssize_t written = write(report, line, (size_t)length);
    (void)written;
}

// Before the destructors of all libraries: what they (and gcov's) do is not the program's work.
static void end(void)
{
    atomic_store(&counting, false);
    if (report >= 0)
        say("count", atomic_load(&count), "");
}

// A preloaded library is started behind those that the program names, and before the program.
__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("MODELTRAIL_ALLOC_REPORT");
    if (path != NULL)
        report = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    void *frame;
    Dl_info own;
    backtrace(&frame, 1); // loads what it needs
    own_base = dladdr(&count, &own) != 0 ? own.dli_fbase : NULL;
    fails = number("MODELTRAIL_ALLOC_FAIL");
    from = number("MODELTRAIL_ALLOC_FROM") != 0;
    atomic_store(&count, -number("MODELTRAIL_ALLOC_AFTER"));
    atexit(end);
    atomic_store(&counting, true);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

// The objects that the stack goes through, the innermost first, each with the function by which it
// was entered where that has a name: libc.so.6:glob<program.
static void name_callers(char *names, size_t size)
{
    void *frames[64];
    Dl_info entered = {0};
    size_t length = 0;
    int depth = backtrace(frames, 64);
    for (int i = 0; i <= depth; i++) {
        Dl_info info = {0};
        if (i < depth && (dladdr(frames[i], &info) == 0 || info.dli_fbase == own_base))
            continue;
        if (entered.dli_fbase != NULL && entered.dli_fbase != info.dli_fbase) {
            int more = snprintf(names + length, size - length, "%s%s%s%s", length > 0 ? "<" : "",
                                base_name(entered.dli_fname), entered.dli_sname ? ":" : "",
                                entered.dli_sname ? entered.dli_sname : "");
            if (more < 0 || (size_t)more >= size - length)
                return;
            length += (size_t)more;
        }
        entered = info;
    }
}

// Who tells of a failure may allocate itself. The model spares a call that a sanitizer which is
// starting cannot take.
static _Thread_local bool telling __attribute__((tls_model("initial-exec")));

static bool is_refused(void)
{
    if (telling || !atomic_load(&counting))
        return false;
    long mine = atomic_fetch_add(&count, 1) + 1;
    if (fails <= 0 || mine < fails || (mine > fails && !from))
        return false;
    char names[480] = "?";
    telling = true;
    name_callers(names, sizeof(names));
    if (report >= 0)
        say("failed", mine, names);
    telling = false;
    errno = ENOMEM;
    return true;
}

// The C library's names behind the public ones, and those of a sanitizer's allocator, where there
// is one: dlsym would allocate, and no sanitizer is ready for it when it starts.
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t many, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern __typeof__(malloc) __interceptor_malloc __attribute__((weak));
extern __typeof__(calloc) __interceptor_calloc __attribute__((weak));
extern __typeof__(realloc) __interceptor_realloc __attribute__((weak));
extern __typeof__(aligned_alloc) __interceptor_memalign __attribute__((weak));

#define NEXT(name) (__interceptor_##name != NULL ? __interceptor_##name : __libc_##name)

void *malloc(size_t size)
{
    return is_refused() ? NULL : NEXT(malloc)(size);
}

void *calloc(size_t many, size_t size)
{
    return is_refused() ? NULL : NEXT(calloc)(many, size);
}

void *realloc(void *old, size_t size)
{
    return is_refused() ? NULL : NEXT(realloc)(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return is_refused() ? NULL : NEXT(memalign)(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    void *memory = is_refused() ? NULL : NEXT(memalign)(alignment, size);
    if (memory == NULL)
        return ENOMEM;
    *out = memory;
    return 0;
}
