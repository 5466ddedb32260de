#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "common/error.h"
#include "store/person_rule.h"

// Reads and checks the central file: unknown keys, what is named twice, scopes, patterns, kinds of
// people, each error with its line. *out is the data of a central.applied event, less applied_by;
// the caller deletes it. Adds the rules of people to *rules, also when it fails; the caller resets
// them.
// Reads the file alone, no database: what is in force is for apply.c to compare, and whether the
// rules are regular expressions for person_rules_check.
bool central_file_read(const char *path, cJSON **out, struct person_rules *rules,
                       struct error *err) WARN_UNUSED;
