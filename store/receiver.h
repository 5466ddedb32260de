#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "store/ahead.h"
#include "store/config.h"
#include "store/halt.h"
#include "store/inbox.h"
#include "store/listeners.h"
#include "store/refusal.h"
#include "store/refusal_log.h"
#include "store/session.h"
#include "store/storage.h"

// The store's side of the wire (docs/events.md): hears the frames of collectors, checks them
// against their sessions, commits what they bring, and answers each. When it does so is the loop's
// decision (server.c).

// The owner sets the first group, all borrowed; else zeroed storage is a receiver that has heard
// nothing. One thread uses it.
struct receiver {
    const struct store_config *config;
    struct listeners *listeners;
    struct storage *storage;
    const struct halt *halt;

    struct session_table sessions;
    struct inbox inbox;             // data taken and not yet committed
    struct ahead ahead;             // messages taken while the inbox was being committed
    struct ahead_message message;   // being handled
    struct refusal_log refusal_log; // refusals for the store's operator
    struct refusals refusals;       // the same for whoever asks the database
};

// Takes what has arrived, bounded, and answers what can be answered at once; data waits in the
// inbox. While a batch waits for the database, messages are only put aside.
void receiver_take(struct receiver *receiver);

// Commits the inbox as one transaction and answers each of its frames. Nothing happens when it is
// empty or the database is away; after a failure it is kept for another try.
void receiver_commit(struct receiver *receiver);

// True when data waits for its commit.
bool receiver_has_batch(const struct receiver *receiver);

// False when there is no room for another message: it is left to ZeroMQ, and then to the senders.
bool receiver_has_room(const struct receiver *receiver);

// True when messages that were put aside can be taken without waiting for a socket.
bool receiver_has_ahead(const struct receiver *receiver);

// Gives up what waits in the inbox, before the allow-list goes that it borrows from. The sessions
// concerned end, and their collectors send it again.
void receiver_drop_batch(struct receiver *receiver);

// Shares out the memory that the configuration allows; to be called whenever that changes.
void receiver_share_memory(struct receiver *receiver);

// Frees what it owns. What was not committed is not acknowledged either, and comes again.
void receiver_reset(struct receiver *receiver);
