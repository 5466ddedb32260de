#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "collector/span.h"
#include "common/error.h"

// An EventList (audit.k8s.io/v1) as byte ranges of its items.

// Checks the whole list; *place is where its items begin. REJECT when it is none.
bool audit_event_list_read(const char *bytes, size_t length, size_t *place,
                           struct error *err) WARN_UNUSED;

// Gives the item at *place of a list that was read, and moves it behind; false at the end.
bool audit_event_list_next(const char *bytes, size_t length, size_t *place, struct span *item);
