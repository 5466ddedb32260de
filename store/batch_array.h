#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/database.h"

// Arrays as binary parameters, for unnest($1::text[], $2::bigint[] ...): one statement for a whole
// batch, and nothing to escape or to parse. All elements of one array are added by one function,
// which fixes its type. Zeroed storage ({0}) is empty.
struct sql_array {
    struct buffer bytes;
    uint32_t count;
    bool has_null;
};

// text[], uuid[]; NULL is SQL NULL.
void sql_array_text(struct sql_array *array, const char *text);
void sql_array_uuid(struct sql_array *array, const uint8_t *uuid);

// bigint[]; INT64_MIN is SQL NULL.
void sql_array_int64(struct sql_array *array, int64_t value);

// bytea[].
void sql_array_bytes(struct sql_array *array, const uint8_t *bytes, size_t length);

// Frees the array and leaves it empty.
void sql_array_reset(struct sql_array *array);
static inline void sql_array_scoped_cleanup(struct sql_array *array)
{
    sql_array_reset(array);
}
// SCOPED_SQL_ARRAY name = {0};
#define SCOPED_SQL_ARRAY __attribute__((cleanup(sql_array_scoped_cleanup))) struct sql_array

// The parameters of one statement, borrowed.
// One more than the widest statement needs (a key of four arrays with three more).
#define SQL_PARAMS_MAX 8
struct sql_params {
    const char *values[SQL_PARAMS_MAX];
    int lengths[SQL_PARAMS_MAX];
    int formats[SQL_PARAMS_MAX];
    int count;
};

// Adds an array, which must not be empty and not change until the statement ran, and a bigint as
// text.
void sql_params_array(struct sql_params *params, struct sql_array *array);
void sql_params_text(struct sql_params *params, const char *text);

// Runs the statement (common/database.h says what happens to *out).
bool sql_params_query(struct database *db, const char *sql, const struct sql_params *params,
                      PGresult **out, struct error *err) WARN_UNUSED;
