#pragma once

#include <stdbool.h>

#include "collector/webhook_intake.h"

// The admission source: an API server tells of each write before it does it (POST /admission).
// Every write is let pass, whether it could be recorded or not.
bool admission_source_open(struct webhook *webhook, const struct webhook_intake_options *options,
                           struct source **out, struct error *err) WARN_UNUSED;
