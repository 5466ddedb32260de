#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/database.h"
#include "common/event.h"

// Which collectors are turned away, for people to see (modeltrail doctor): one row each, updated in
// place. A collector asks again every minute, a hostile one without pause: each is written at most
// once in ten seconds, and the others are counted.

struct refusals {
    struct refusal *items;
    size_t count;
    size_t capacity;
};

// Notes one refusal of an allowed collector. `epoch` 0: it said none. Reasons that a new connection
// mends are not noted.
bool refusal_note(struct refusals *refusals, struct database *db, const char *collector,
                  enum nack_reason reason, int64_t epoch, const char *message,
                  struct error *err) WARN_UNUSED;

// Frees what is remembered.
void refusals_reset(struct refusals *refusals);
