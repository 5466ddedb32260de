#pragma once

#include <stdint.h>

#include "common/buffer.h"

// A PostgreSQL array as a text parameter, for unnest($1::text[], $2::bigint[] ...): one statement
// for a whole batch. Zeroed storage ({0}) is empty.
struct sql_array {
    struct buffer text;
};

// NULL is SQL NULL.
void sql_array_text(struct sql_array *array, const char *text);
void sql_array_int64(struct sql_array *array, int64_t value);

// The bytea as hex.
void sql_array_bytes(struct sql_array *array, const uint8_t *bytes, size_t length);

// The literal, borrowed until the array changes; "{}" when it is empty.
const char *sql_array_literal(struct sql_array *array);

void sql_array_reset(struct sql_array *array);
static inline void sql_array_scoped_cleanup(struct sql_array *array)
{
    sql_array_reset(array);
}
// SCOPED_SQL_ARRAY name = {0};
#define SCOPED_SQL_ARRAY __attribute__((cleanup(sql_array_scoped_cleanup))) struct sql_array
