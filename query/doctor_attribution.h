#pragma once

// What doctor asks about who did it (docs/attribution.md).

#define DOCTOR_ATTRIBUTION_CHECKS 3

// Statements of one row each, with the columns check_name, status, detail, next_step.
extern const char *const doctor_attribution_checks[DOCTOR_ATTRIBUTION_CHECKS];
