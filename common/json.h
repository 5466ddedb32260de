#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/memory.h"

// cJSON with the traps of docs/rules.md 29 closed: checked before parsing, case-sensitive lookups,
// 64-bit integers as strings.

DEFINE_CLEANUP(cJSON, cJSON_Delete)

// Checks (json_scan.h) and parses; the caller deletes the tree. NULL with REJECT otherwise.
// max_depth bounds cJSON's recursion, and should be what the text may need.
cJSON *json_parse(const char *bytes, size_t length, unsigned max_depth, struct error *err);

// Borrowed member by path of keys ending with NULL: json_at(object, "spec", "predictor", NULL).
// NULL when a step is missing or object is NULL.
const cJSON *json_at(const cJSON *object, ...) __attribute__((sentinel));

// Borrowed member of one key, case-sensitive; NULL-safe.
const cJSON *json_get(const cJSON *object, const char *key);

// The member's string, borrowed; NULL when it is missing or no string.
const char *json_text(const cJSON *object, const char *key);

// The member as int64: a decimal string, or a number without fraction below 2^53.
bool json_int64(const cJSON *object, const char *key, int64_t *value);

// The member's boolean, or `otherwise` when it is missing or no boolean.
bool json_bool(const cJSON *object, const char *key, bool otherwise);

// Adds a string, or null when text is NULL.
void json_add_text(cJSON *object, const char *key, const char *text);

// Adds an int64 as a decimal string.
void json_add_int64(cJSON *object, const char *key, int64_t value);

// Prints without white space; the caller frees with free().
char *json_print(const cJSON *value);
