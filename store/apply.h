#pragma once

#include <stdbool.h>

#include "common/database.h"
#include "store/allow_list.h"

// Reads the central file (modeltrail-store(1)), prints what it changes, and logs it as one
// central.applied event; with dry_run it only prints. A file that changes nothing says so and
// writes nothing.
bool apply_file(struct database *db, const char *path, bool dry_run, struct error *err) WARN_UNUSED;

// Logs the allow-list when it differs from the one logged last.
bool allow_list_log(struct database *db, const struct allow_list *list,
                    struct error *err) WARN_UNUSED;
