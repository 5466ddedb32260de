#pragma once

#include <stdbool.h>

#include "common/error.h"
#include "store/allow_list.h"

// The ZAP handler (ZeroMQ RFC 27): decides which CURVE keys may connect. It runs in a thread of its
// own, so that a store that waits for PostgreSQL still authenticates (docs/rules.md 27).

#define ZAP_DOMAIN "modeltrail"

struct zap;

// Starts the handler in this ZeroMQ context; bind nothing before it runs. The list stays the
// caller's and must live until it is replaced or the handler stopped.
bool zap_start(void *zmq_context, const struct allow_list *list, struct zap **out,
               struct error *err) WARN_UNUSED;

// Puts another list in force.
void zap_replace_list(struct zap *zap, const struct allow_list *list);

// From now on nobody new is let in, because the store is about to end: status 500, so that a
// collector goes to another store at once and does not take its key for refused.
void zap_refuse_all(struct zap *zap);

// False when the thread has ended by itself: the program must not go on without it.
bool zap_is_alive(struct zap *zap);

// Ends the thread and frees the handler; NULL is none.
void zap_stop(struct zap *zap);
