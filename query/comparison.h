#pragma once

#include "query/flags.h"
#include "query/session.h"

// What `show` adds to a change or a deployment: how its object differs from the reading before.

// Appends a JSON object {"before", "note", "left_out", "items"} about the change or deployment
// `id`: the event of the reading before, why there is no or only half an answer, places that differ
// and were left out, and the differences (query/object_diff.h); members without a value are
// missing. `with_raw` false asks for no raw object, so that readers may: then there are no items.
// EXIT_YES, else the code with the reason in err.
enum exit_code comparison_append(const struct session *session, const struct flags *flags,
                                 const char *id, bool with_raw, struct buffer *out,
                                 struct error *err) WARN_UNUSED;
