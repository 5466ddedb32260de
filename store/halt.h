#pragma once

#include <stdbool.h>

#include "common/error.h"

// Why the store's loop takes no more messages. Its pieces share one and look at it before each
// message, since signals are heard also in the middle of a piece of work, while the database is
// waited for.

// Zeroed storage ({0}): go on.
struct halt {
    bool stopping;      // for good: a signal came, or `fatal` is set
    bool reload;        // SIGHUP came: only until the configuration was read again
    struct error fatal; // set together with stopping when a person must act
};

// Ends the loop because of an error that no further try would mend.
static inline void halt_for(struct halt *halt, const struct error *err)
{
    halt->fatal = *err;
    halt->stopping = true;
}
