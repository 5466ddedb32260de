#pragma once

#include <stdbool.h>

#include "collector/webhook_intake.h"

// The audit_webhook source: the audit backend of an API server (--audit-webhook-config-file) sends
// its events in lists (POST /audit), and sends a list again until it was recorded.
bool audit_webhook_source_open(struct webhook *webhook,
                               const struct webhook_intake_options *options, struct source **out,
                               struct error *err) WARN_UNUSED;
