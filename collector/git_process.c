// fork and exec, pipes, deadline and end of a program. What it is asked, and what it says, is the
// callers' business.

#define _GNU_SOURCE
#include "collector/git_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/text.h"
#include "common/timestamp.h"

#define CHUNK_BYTES ((size_t)64 * 1024)
#define WORDS_MAX_BYTES 2000 // kept of what it says on stderr
#define REAP_MS 5            // between its last word and its end

struct git_process {
    pid_t pid; // 0 when it was waited for
    int out;   // -1 when it said all
    int err;
    int64_t deadline_ms;
    int64_t reap_ms; // when to look again whether it has ended
    int status;
    struct buffer words; // the beginning of stderr
};

// Only what a child of a program with threads may do: no memory, no locks.
static _Noreturn void become(const struct git_command *command, char *const *arguments, int input,
                             const int out[2], const int err[2], pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); // the collector reads its signals from a descriptor
    setpgid(0, 0);                         // with what it starts itself it is ended
    prctl(PR_SET_PDEATHSIG, SIGKILL);      // a collector that is killed leaves none behind
    if (getppid() != parent || dup2(input, 0) < 0 || dup2(out[1], 1) < 0 || dup2(err[1], 2) < 0)
        _exit(127);
    // Whatever a library opened without O_CLOEXEC: the spool is among the descriptors.
    closefrom(3);
    execve(command->program, arguments, (char *const *)(uintptr_t)command->environment);
    _exit(127);
}

// A file in memory: the program reads it at its own speed, and nobody waits for it.
static int open_input(const struct git_command *command)
{
    if (command->input == NULL)
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    int fd = memfd_create("git-input", MFD_CLOEXEC);
    size_t written = 0;
    while (fd >= 0 && written < command->input_length) {
        ssize_t count = write(fd, command->input + written, command->input_length - written);
        if (count < 0) {
            close(fd);
            return -1;
        }
        written += (size_t)count;
    }
    if (fd >= 0 && lseek(fd, 0, SEEK_SET) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void close_pipe(const int ends[2])
{
    if (ends[0] >= 0)
        close(ends[0]);
    if (ends[1] >= 0)
        close(ends[1]);
}

static char **with_name(const char *const *arguments)
{
    size_t count = 0;
    while (arguments[count] != NULL)
        count++;
    char **all = xcalloc(count + 2, sizeof(*all));
    all[0] = (char *)(uintptr_t) "git";
    for (size_t i = 0; i < count; i++)
        all[i + 1] = (char *)(uintptr_t)arguments[i];
    return all;
}

// Takes the ends of both pipes that it keeps; -1 in their place.
static pid_t launch(const struct git_command *command, int out[2], int err[2])
{
    int input = open_input(command);
    if (input < 0)
        return -1;
    pid_t parent = getpid();
    char **arguments = with_name(command->arguments);
    pid_t pid = fork();
    if (pid == 0)
        become(command, arguments, input, out, err, parent);
    free(arguments);
    close(input);
    return pid;
}

bool git_process_start(const struct git_command *command, struct git_process **started,
                       struct error *err)
{
    int out[2] = {-1, -1};
    int words[2] = {-1, -1};
    pid_t pid = -1;
    if (pipe2(out, O_CLOEXEC) == 0 && pipe2(words, O_CLOEXEC) == 0 &&
        fcntl(out[0], F_SETFL, O_NONBLOCK) == 0 && fcntl(words[0], F_SETFL, O_NONBLOCK) == 0)
        pid = launch(command, out, words);
    if (pid < 0) {
        int cause = errno;
        close_pipe(out);
        close_pipe(words);
        return fail(err, REACT_RETRY, "cannot start git: %s", strerror(cause));
    }
    setpgid(pid, pid); // whoever comes first; killing the group must not miss it
    close(out[1]);
    close(words[1]);
    struct git_process *process = xcalloc(1, sizeof(*process));
    process->pid = pid;
    process->out = out[0];
    process->err = words[0];
    process->deadline_ms = monotonic_ms() + command->timeout_ms;
    process->status = -1;
    *started = process;
    return true;
}

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

// It cannot refuse SIGKILL, so that waiting for it is short.
static void end(struct git_process *process)
{
    if (process->pid == 0)
        return;
    kill(-process->pid, SIGKILL);
    while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    process->pid = 0;
}

void git_process_free(struct git_process *process)
{
    if (process == NULL)
        return;
    end(process);
    close_end(&process->out);
    close_end(&process->err);
    buffer_reset(&process->words);
    free(process);
}

size_t git_process_descriptors(const struct git_process *process, zmq_pollitem_t *items,
                               size_t capacity)
{
    size_t count = 0;
    if (process->out >= 0 && count < capacity)
        items[count++] = (zmq_pollitem_t){.fd = process->out, .events = ZMQ_POLLIN};
    if (process->err >= 0 && count < capacity)
        items[count++] = (zmq_pollitem_t){.fd = process->err, .events = ZMQ_POLLIN};
    return count;
}

// Behind both pipes nothing becomes readable any more: its end is looked for by the clock.
long git_process_timeout_ms(const struct git_process *process)
{
    int64_t left = process->deadline_ms - monotonic_ms();
    if (process->out < 0 && process->err < 0)
        left = process->reap_ms - monotonic_ms();
    return left > 0 ? (long)left : 0;
}

int git_process_status(const struct git_process *process)
{
    return process->status;
}

// Its words are read to the end, lest it waits for a reader, and the first of them kept.
static void read_words(struct git_process *process)
{
    char bytes[4096];
    for (;;) {
        ssize_t count = process->err >= 0 ? read(process->err, bytes, sizeof(bytes)) : -1;
        if (count == 0)
            close_end(&process->err);
        if (count <= 0)
            return;
        size_t room = WORDS_MAX_BYTES - process->words.length;
        buffer_append(&process->words, bytes, (size_t)count < room ? (size_t)count : room);
    }
}

static bool read_output(struct git_process *process, size_t budget, git_sink *sink, void *context,
                        struct error *err)
{
    char bytes[CHUNK_BYTES];
    size_t taken = 0;
    while (process->out >= 0 && taken < budget) {
        ssize_t count = read(process->out, bytes, sizeof(bytes));
        if (count < 0)
            return true; // nothing more for now
        if (count == 0)
            close_end(&process->out);
        else if (sink != NULL && !sink(context, bytes, (size_t)count, err))
            return false;
        taken += (size_t)count;
    }
    return true;
}

// The first line of what it said: the cause stands there, advice behind.
static bool fail_badly(struct git_process *process, struct error *err)
{
    SCOPED_BUFFER line = {0};
    const char *words = process->words.length > 0 ? process->words.data : "";
    size_t length = strcspn(words, "\n");
    text_append_visible(&line, words, length);
    return fail(err, REACT_RETRY, "git ended with %d%s%.300s", process->status,
                length > 0 ? ": " : "", length > 0 ? line.data : "");
}

// Waits for nothing: when its last word was read it has ended, or is about to.
static bool reap(struct git_process *process, bool *ended, struct error *err)
{
    int status;
    pid_t pid = waitpid(process->pid, &status, WNOHANG);
    process->reap_ms = monotonic_ms() + REAP_MS;
    if (pid == 0)
        return true;
    process->pid = 0;
    process->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    *ended = process->status == 0;
    return *ended || fail_badly(process, err);
}

bool git_process_read(struct git_process *process, size_t budget, git_sink *sink, void *context,
                      bool *ended, struct error *err)
{
    *ended = false;
    read_words(process);
    if (!read_output(process, budget, sink, context, err))
        return false;
    if (process->out < 0)
        read_words(process);
    if (process->out < 0 && process->err < 0 && !reap(process, ended, err))
        return false;
    if (*ended || monotonic_ms() < process->deadline_ms)
        return true;
    end(process);
    return fail(err, REACT_RETRY, "git took too long and was ended");
}
