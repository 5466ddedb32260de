#pragma once

#include "store/allow_list.h"
#include "store/inbox.h"
#include "store/listeners.h"
#include "store/session.h"

// Telling collectors that nothing more is heard from them here, without waiting for their next
// message.

// The store is about to end: nack `draining`, so that they go to another store at once. Collectors
// with frames in `waiting` (NULL: none) are left out: they shall hear first what became of those,
// and so need not send them again. The table stays as it is, since whoever waits for the database
// may hold a session of it.
void dismiss_all(struct session_table *sessions, struct listeners *listeners,
                 const struct inbox *waiting);

// Ends the sessions whose key is no longer allowed, with `not_allowed`, and those whose listener is
// leaving, with `draining`. All others notice nothing.
void dismiss_unwelcome(struct session_table *sessions, struct listeners *listeners,
                       const struct allow_list *allowed);
