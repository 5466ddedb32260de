#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/flight.h"
#include "collector/link.h"
#include "collector/publisher.h"
#include "collector/spool.h"
#include "common/buffer.h"
#include "common/error.h"
#include "common/event.h"
#include "common/log.h"

// Inside the publisher: what its parts share, and what one does for another. Trouble with the
// connection is no error here: whoever meets it ends the connection, which `link` and `stage` show,
// and goes on. Errors are the spool's.

#define TROUBLE_BYTES 512
#define WORDS_BYTES 256 // as in a frame

enum stage {
    STAGE_APART,     // no connection; next try at due_ms
    STAGE_GREETING,  // hello is sent; welcome must come before due_ms
    STAGE_STREAMING, // welcome came; while frames fly, an ack must come before due_ms
};

// What is told beside events: how far the sources have looked, and what is wrong.
struct beat {
    char *looks;                  // to be sent when seq is acknowledged; NULL = none wait
    int64_t seq;                  // newest event when they were offered
    int64_t asked_ms;             // when looks were last asked for
    int64_t sent_ms;              // when the last beat was sent
    char *looks_sent;             // with it
    char words[WORDS_BYTES];      // what is wrong, to be sent with the looks
    char words_sent[WORDS_BYTES]; // with the last ones
};

struct publisher {
    void *context;
    struct spool *spool;
    struct publisher_options options;
    struct link *link; // NULL while apart
    enum stage stage;
    int64_t due_ms;                 // by the monotonic clock; of what, `stage` says
    size_t address;                 // in options.stores
    unsigned failures;              // in a row, without progress between
    char (*trouble)[TROUBLE_BYTES]; // by address: what was logged last; empty while all is well
    char fork[512];                 // why the store refuses this spool; empty when it does not
    char refusal[512];      // why a store refused this collector; empty once one welcomes it
    size_t turns_refused;   // addresses that had their turn since, that store's with them
    bool doubted;           // on this connection: the store was asked to judge our chain
    bool relist;            // a new epoch began; until publisher_take_relist
    struct flights flights; // of this connection
    struct buffer body;     // of the data frame that is being sent
    struct beat beat;
};

// publisher.c: the whole.

// An ack is due from now on.
void publisher_expect_ack(struct publisher *publisher);

// publisher_connection.c: one connection at a time, to one store after the other.

// The address in turn, borrowed.
const char *publisher_address(const struct publisher *publisher);

// Connects to it and says hello.
bool publisher_connect(struct publisher *publisher, struct error *err) WARN_UNUSED;

// Sends hello with the number of the event that comes next, and the chain before it.
bool publisher_greet(struct publisher *publisher, int64_t next_seq, struct error *err) WARN_UNUSED;

// Sends a frame; false when the connection ended over it.
bool publisher_send(struct publisher *publisher, const struct frame *frame);

// Ends the connection without a word, and with it all that was of it alone.
void publisher_disconnect(struct publisher *publisher);

// Ends the connection and says why, unless it was said already; then backs off to the next address.
void publisher_fall_apart(struct publisher *publisher, enum log_level level, const char *reason);

// Ends the connection to a store that will not take this spool whatever we send, and says so each
// time: nothing is sent until a person has acted.
void publisher_stand_still(struct publisher *publisher, const char *message, const char *reason);

// publisher_answer.c: what the store says.

// Takes all frames that have come.
bool publisher_receive(struct publisher *publisher, struct error *err) WARN_UNUSED;

// publisher_beat.c: looks and trouble.

// A connection has begun: looks are due at once.
void publisher_begin_beats(struct publisher *publisher);

// It has ended: the next store is told anew.
void publisher_end_beats(struct publisher *publisher);

// When looks are to be asked for again, by the monotonic clock.
int64_t publisher_looks_due_ms(const struct publisher *publisher);

// Sends the looks that wait, if all events before them are acknowledged.
void publisher_send_beat(struct publisher *publisher);
