// Binary arrays, as array_recv reads them: dimensions, has-null flag, element type, length and
// lower bound, then each element behind its length.

#include "store/batch_array.h"

#include <assert.h>
#include <string.h>

#define HEADER_BYTES 20
#define UUID_BYTES 16
// Fixed in PostgreSQL's catalog since ever; array_recv refuses an array whose element type is not
// the parameter's.
enum element_oid { OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25, OID_UUID = 2950 };

static void put_big_endian(unsigned char *out, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        out[i] = (unsigned char)(value >> (8 * (bytes - 1 - i)));
}

// Adds an element; NULL bytes are SQL NULL. What the header counts is filled in by
// sql_params_array.
static void add(struct sql_array *array, enum element_oid type, const void *bytes, size_t length)
{
    unsigned char header[HEADER_BYTES] = {0};
    if (array->count == 0) {
        put_big_endian(header, 1, 4);
        put_big_endian(header + 8, type, 4);
        put_big_endian(header + 16, 1, 4);
        buffer_append(&array->bytes, header, HEADER_BYTES);
    }
    put_big_endian(header, bytes == NULL ? UINT32_MAX : length, 4);
    buffer_append(&array->bytes, header, 4);
    if (bytes == NULL)
        array->has_null = true;
    else
        buffer_append(&array->bytes, bytes, length);
    array->count++;
}

void sql_array_text(struct sql_array *array, const char *text)
{
    add(array, OID_TEXT, text, text ? strlen(text) : 0);
}

void sql_array_uuid(struct sql_array *array, const uint8_t *uuid)
{
    add(array, OID_UUID, uuid, UUID_BYTES);
}

void sql_array_int64(struct sql_array *array, int64_t value)
{
    unsigned char bytes[8];
    put_big_endian(bytes, (uint64_t)value, 8);
    add(array, OID_INT8, value == INT64_MIN ? NULL : bytes, 8);
}

void sql_array_bytes(struct sql_array *array, const uint8_t *bytes, size_t length)
{
    add(array, OID_BYTEA, bytes, length);
}

void sql_array_reset(struct sql_array *array)
{
    buffer_reset(&array->bytes);
    *array = (struct sql_array){0};
}

static void push(struct sql_params *params, const char *value, size_t length, int format)
{
    assert(params->count < SQL_PARAMS_MAX);
    params->values[params->count] = value;
    params->lengths[params->count] = (int)length;
    params->formats[params->count++] = format;
}

void sql_params_array(struct sql_params *params, struct sql_array *array)
{
    assert(array->count > 0);
    // An empty array has another layout (no dimension at all), which callers avoid by asking
    // nothing.
    put_big_endian((unsigned char *)array->bytes.data + 4, array->has_null, 4);
    put_big_endian((unsigned char *)array->bytes.data + 12, array->count, 4);
    push(params, array->bytes.data, array->bytes.length, 1);
}

void sql_params_text(struct sql_params *params, const char *text)
{
    push(params, text, 0, 0);
}

bool sql_params_query(struct database *db, const char *sql, const struct sql_params *params,
                      PGresult **out, struct error *err)
{
    return database_query_formats(db, sql, params->count, params->values, params->lengths,
                                  params->formats, out, err);
}
