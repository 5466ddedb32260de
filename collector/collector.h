#pragma once

#include <stdbool.h>

#include "collector/config.h"
#include "common/error.h"

// Runs the collector: opens spool, sources and publisher, and turns until a signal comes at
// signal_fd (a signalfd) or, with `once`, until every source is read to its end and all is
// acknowledged. False when a person must act.
bool collector_run(const struct config *config, bool once, int signal_fd,
                   struct error *err) WARN_UNUSED;
