#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

#include "collector/spool.h"
#include "common/curve_key.h"
#include "common/error.h"
#include "common/memory.h"

// Sends the spool to the store and takes its acknowledgements (docs/events.md). Never
// blocks; connection trouble is its own business: it logs each change once, backs off, fails over.

struct publisher;

// Where a store may be, and by which key it is known. While stores exchange their key, each address
// stands there with the old and with the new one.
struct store_address {
    const char *address;
    uint8_t key[CURVE_KEY_BYTES];
};

struct publisher_options {
    const struct store_address *stores; // tried in turn; at least one; must outlive the publisher
    size_t store_count;
    struct curve_key key; // copied; the caller wipes its own
    int timeout_ms;       // for an answer to hello; an ack may take three times as long
};

// Begins to connect. The context and the spool must outlive it; the caller closes with
// publisher_close.
struct publisher *publisher_open(void *zmq_context, struct spool *spool,
                                 const struct publisher_options *options);
void publisher_close(struct publisher *publisher);
DEFINE_CLEANUP(struct publisher, publisher_close)

// Connects anew with another key of this collector. What was not acknowledged is sent again.
void publisher_replace_key(struct publisher *publisher, const struct curve_key *key);

#define PUBLISHER_DESCRIPTORS 2

// Fills at most PUBLISHER_DESCRIPTORS poll items and gives their number.
size_t publisher_descriptors(struct publisher *publisher, zmq_pollitem_t *items);

// Milliseconds until a step is due without any descriptor being ready.
long publisher_timeout_ms(const struct publisher *publisher);

// Receives, sends, connects: whatever can be done now. Must be called after every commit too. Fails
// only when the spool does.
bool publisher_step(struct publisher *publisher, struct error *err) WARN_UNUSED;

// True once, after a new epoch began: every source must be opened anew and read everything again.
bool publisher_take_relist(struct publisher *publisher);

// True when the store has acknowledged everything, as far as is known here.
bool publisher_is_drained(const struct publisher *publisher);

// True when a connected store says so: what the spool remembers of an earlier run is not asked.
bool publisher_is_confirmed(const struct publisher *publisher);

// True while the store refuses this spool as a fork: a person must act. *reason is borrowed.
bool publisher_is_forked(const struct publisher *publisher, const char **reason);

// True when a store has refused this collector itself, or what it sends, and since then every
// address had its turn and none has welcomed it: a person must act. *reason is borrowed.
bool publisher_is_refused(const struct publisher *publisher, const char **reason);

// True when it is time for publisher_offer_looks, at most once a second while connected.
bool publisher_wants_looks(struct publisher *publisher);

// Gives the looks of all sources (a JSON array, docs/events.md) as of the last commit, and what is
// wrong ("" while all is well). They are sent when everything spooled until now is acknowledged,
// since a look claims what the store must have.
void publisher_offer_looks(struct publisher *publisher, const char *looks, const char *trouble);

// The last beat of a collector that ends in order, if a store hears it: nobody need wonder what
// became of it. Nothing may be sent behind it.
void publisher_say_goodbye(struct publisher *publisher, const char *looks);
