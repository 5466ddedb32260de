#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/batch_event.h"
#include "store/facts_touched.h"

// Events of one batch that name a uid of another namespace than their own. A uid's namespace never
// changes, and what a collector may speak for is a matter of namespaces: so the first observation
// settles whose the uid is, and who names another one errs or lies.

// By place in the batch, since events have no other name before they are read.
struct conflicts {
    int64_t first_index; // of the batch in which they were found
    bool *refused;       // for each of its events
    size_t count;        // of its events
};

// Finds the events of a batch, whose heads are loaded and whose facts are not sent yet, that claim
// a uid for the wrong namespace. True when there are any; the batch must then be tried again.
bool conflicts_find(struct conflicts *conflicts, const struct touched *touched, int64_t first_index,
                    size_t count);

// Quarantines the event when it was found; log indexes must be those of the batch first tried.
void conflicts_apply(const struct conflicts *conflicts, struct batch_event *event);

// Frees the list and leaves it empty.
void conflicts_reset(struct conflicts *conflicts);
