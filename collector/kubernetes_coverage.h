#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "collector/kubernetes_stream.h"
#include "collector/outbox.h"
#include "common/error.h"

// What is said of a stream's scope: how long it was observed without a break, and where it was not.
// All of it goes by the staged mark and changes that. False with the outbox's error. Namespaces are
// no workloads: nothing is said of theirs.

// Says how far the scope is covered, when that is further than was said before.
bool coverage_say(struct outbox *outbox, struct stream *stream, struct error *err) WARN_UNUSED;

// Begins an unbroken observation with what was listed at `at`: closes the interval and the gap
// before it.
bool coverage_begin(struct outbox *outbox, struct stream *stream, int64_t at,
                    struct error *err) WARN_UNUSED;

// Notes a gap and says it at once, because its end is not in sight.
bool coverage_gap(struct outbox *outbox, struct stream *stream, int64_t at, const char *reason,
                  struct error *err) WARN_UNUSED;

// Says that the scope holds something from `from` on which nobody could use. With such an object
// its inventory is not right, though all else in it goes on being observed.
bool coverage_unusable(struct outbox *outbox, struct stream *stream, int64_t from,
                       struct error *err) WARN_UNUSED;

// Says that this has ended, if it was said.
bool coverage_usable(struct outbox *outbox, struct stream *stream, int64_t at,
                     struct error *err) WARN_UNUSED;
