#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

#include "collector/config.h"
#include "collector/outbox.h"
#include "collector/spool.h"
#include "common/buffer.h"
#include "common/error.h"
#include "common/memory.h"

// All sources of a collector (source.h), for its loop.

struct sources;

// Opens what the configuration names, and borrows it. The caller closes with sources_close.
bool sources_open(const struct config *config, struct sources **out, struct error *err) WARN_UNUSED;
void sources_close(struct sources *sources);
DEFINE_CLEANUP(struct sources, sources_close)

// Fills at most `capacity` poll items, *count in all; returns in how many ms a source wants a step
// without them, -1 = never. A source that was refused a moment ago has none.
long sources_prepare(struct sources *sources, zmq_pollitem_t *items, size_t capacity,
                     size_t *count);

// Steps the sources that are due by these same items, each in a savepoint of the open transaction:
// a step that fails with RETRY is taken back, and its source waits. False when the transaction
// cannot go on.
bool sources_step(struct sources *sources, const zmq_pollitem_t *items, struct spool *spool,
                  struct outbox *outbox, struct error *err) WARN_UNUSED;

// Tells the stepped sources whether what they did is durable; `cause` is why not.
void sources_settle(struct sources *sources, bool committed, const struct error *cause);

// Makes all of them wait.
void sources_refuse(struct sources *sources, const struct error *err);

// Reads anew what sources keep in memory of files that may be exchanged: certificates and tokens.
void sources_reread(struct sources *sources);

// As in struct source_class, for each.
bool sources_clock_set(struct sources *sources, int64_t by_us, struct outbox *outbox,
                       struct error *err) WARN_UNUSED;

// The looks of all as a JSON array. The caller frees it.
char *sources_print_looks(const struct sources *sources);

// Appends what keeps them from looking, the worst first: a spool that takes nothing stops all.
// Nothing while all is well.
void sources_trouble(const struct sources *sources, struct buffer *out);

// True when each has read all there is (--once).
bool sources_are_finished(const struct sources *sources);
