#pragma once

#include <stdbool.h>

#include "common/error.h"
#include "common/memory.h"

// Standard input as a file: copied, piece by piece, to one without a name, so that what came from a
// pipe can be read again after a refused transaction.

struct stdin_copy;

// Makes the file in `folder`. STOP when it cannot. The caller closes.
bool stdin_copy_open(const char *folder, struct stdin_copy **out, struct error *err) WARN_UNUSED;
void stdin_copy_close(struct stdin_copy *copy);
DEFINE_CLEANUP(struct stdin_copy, stdin_copy_close)

// Copies what is there now, a bounded piece, and never blocks. STOP when reading or writing fails.
bool stdin_copy_step(struct stdin_copy *copy, struct error *err) WARN_UNUSED;

// True when all of it is there, and the path under which it can be read while the copy is open.
bool stdin_copy_is_complete(const struct stdin_copy *copy);
const char *stdin_copy_path(const struct stdin_copy *copy);
