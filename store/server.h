#pragma once

#include "common/error.h"
#include "store/config.h"

// Runs the store until SIGTERM or SIGINT: receives frames, commits them, acknowledges. SIGHUP reads
// the allow-list of config_path again. `config` stays the caller's, but for its allow-list, which
// SIGHUP replaces. False when a person must act.
bool server_run(struct store_config *config, const char *config_path,
                struct error *err) WARN_UNUSED;
