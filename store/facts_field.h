#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "store/copy.h"

// Typed members of an event's data. The first member that is not what docs/events.md says makes the
// reader bad and fills its error; later calls then return nothing of use. So a caller reads all its
// members and asks once.

#define TEXT_INDEXED 253 // names that stand in index keys; Kubernetes names are no longer
// Bounded by the line itself (EVENT_MAX_BYTES).
#define TEXT_ANY SIZE_MAX

// Borrows the object; what it returns is borrowed from there too.
struct field_reader {
    const cJSON *object;
    struct error *err;
    bool bad;
};

// Null and absent are the same; `optional` members then give NULL, false or TIMESTAMP_NONE.
const char *field_text(struct field_reader *reader, const char *key, size_t max_bytes);
const char *field_optional_text(struct field_reader *reader, const char *key, size_t max_bytes);

// A required 64-bit integer, told as a decimal string.
int64_t field_int64(struct field_reader *reader, const char *key);

// False when the member is null; *value is untouched then.
bool field_optional_int64(struct field_reader *reader, const char *key, int64_t *value);

// A boolean, or `otherwise` when it is absent or null.
bool field_optional_bool(struct field_reader *reader, const char *key, bool otherwise);

// Instants from 1970 to 9999, which every part of the program can print.
int64_t field_time(struct field_reader *reader, const char *key);
int64_t field_optional_time(struct field_reader *reader, const char *key);

// A required uuid in text form, as 16 bytes.
void field_uuid(struct field_reader *reader, const char *key, uint8_t uuid[UUID_BYTES]);

// The same; false when it is absent or null.
bool field_optional_uuid(struct field_reader *reader, const char *key, uint8_t uuid[UUID_BYTES]);

// The member when it is an array (NULL when null and optional), an object respectively.
const cJSON *field_array(struct field_reader *reader, const char *key, bool optional);
const cJSON *field_object(struct field_reader *reader, const char *key, bool optional);

// Makes the reader bad: "KEY WHAT".
void field_refuse(struct field_reader *reader, const char *key, const char *what);

// True when an instant lies in the years that we take.
bool time_is_sane(int64_t at);
