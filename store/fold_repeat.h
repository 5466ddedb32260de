#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "store/fold_input.h"

// Facts that say again what older ones said (docs/fold.md 8): a collector that lost its store's
// events, or a second one, reads the same sources. Folded or left out, they decide nothing, so long
// histories need not be read again for them.

// True when `older`, readings of the same position with lower log indices, together say all that
// the reading says.
bool fold_reading_repeats(const struct reading *reading, const struct reading *older, size_t count);

// True when the fold cannot tell the requests apart but by their log indices. The younger one then
// decides nothing: of what was read twice the older one is credited.
bool fold_request_repeats(const struct fold_request *request, const struct fold_request *older);
