#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "common/error.h"

// Reads and checks the central file: unknown keys, what is named twice, scopes, patterns, kinds of
// people, each error with its line. *out is the data of a central.applied event, less applied_by;
// the caller deletes it.
// Reads the file alone, no database: what is in force is for apply.c to compare.
bool central_file_read(const char *path, cJSON **out, struct error *err) WARN_UNUSED;
