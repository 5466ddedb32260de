#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <zmq.h>

#include "common/buffer.h"
#include "common/error.h"
#include "common/memory.h"

// One run of the git program: started without a shell, read through pipes that never block, ended
// by its deadline, and gone with this process.

struct git_process;

// All borrowed until git_process_start returns.
struct git_command {
    const char *program;            // absolute path of git
    const char *const *arguments;   // behind the program's name; ends with NULL
    const char *const *environment; // ends with NULL: nothing of our own is inherited
    const char *input;              // what it reads on its standard input; NULL: nothing
    size_t input_length;
    int64_t timeout_ms;
};

// Takes a piece of the program's output as it comes; false ends the run with the error.
typedef bool git_sink(void *context, const char *bytes, size_t length, struct error *err);

// Starts it. RETRY when the system has no process or descriptor left.
bool git_process_start(const struct git_command *command, struct git_process **out,
                       struct error *err) WARN_UNUSED;

// Kills it when it still runs, with what it started, and waits for its end.
void git_process_free(struct git_process *process);
DEFINE_CLEANUP(struct git_process, git_process_free)

// Fills at most `capacity` poll items and returns their count.
size_t git_process_descriptors(const struct git_process *process, zmq_pollitem_t *items,
                               size_t capacity);

// Milliseconds until git_process_read has something to do without them.
long git_process_timeout_ms(const struct git_process *process);

// Reads what is there, at most `budget` bytes, and never blocks. *ended tells that it has ended
// well. False when it ended otherwise, ran out of its time, or the sink refused: RETRY with the
// first line that it said.
bool git_process_read(struct git_process *process, size_t budget, git_sink *sink, void *context,
                      bool *ended, struct error *err) WARN_UNUSED;

// Its exit status when it ended of its own will and badly, else -1.
int git_process_status(const struct git_process *process);
