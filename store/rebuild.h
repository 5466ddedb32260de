#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/database.h"

// Drops all beliefs and computes them anew from the facts, `batch_events` workloads at a time (0:
// as many as is good), in one transaction under the writer lock: readers see the old rows until it
// commits. Facts are insert-only and not touched; the same facts give the same rows, bit for bit.
bool rebuild_run(struct database *db, int64_t batch_events, struct error *err) WARN_UNUSED;
