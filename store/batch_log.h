#pragma once

#include <stdbool.h>

#include "common/database.h"
#include "store/batch_event.h"
#include "store/copy.h"

// The log's own rows: event and event_body (docs/architecture.md).

// The two tables lie apart since retention and erasure touch bodies only. Bodies are sent piece by
// piece as they are made; rows of event are small and wait, since a connection has one COPY at a
// time.
struct batch_log {
    struct database *db;
    struct copy event;
    struct copy body;
    struct buffer scratch;
};

// Reads where the log ends, and the instant that a batch written now is recorded at: the database's
// clock, but never before the last batch's.
bool batch_log_head(struct database *db, int64_t *newest, int64_t *recorded_at,
                    struct error *err) WARN_UNUSED;

// Begins to write the rows with the log indexes first..last, and sees to partitions ahead of them.
// Bodies are sent while the events are read, so that PostgreSQL and we work at the same time: until
// batch_log_close no other statement may run.
bool batch_log_open(struct batch_log *log, struct database *db, int64_t first, int64_t last,
                    struct error *err) WARN_UNUSED;

// Adds the event; event->quarantined is final by now.
bool batch_log_add(struct batch_log *log, const struct batch_event *event,
                   struct error *err) WARN_UNUSED;

// Sends the rest of the bodies.
bool batch_log_close(struct batch_log *log, struct error *err) WARN_UNUSED;

// Sends the rows of event, after batch_log_close.
bool batch_log_send_events(struct batch_log *log, struct error *err) WARN_UNUSED;

// Frees the rows, sent or not.
void batch_log_reset(struct batch_log *log);
