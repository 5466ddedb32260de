// The encoder of binary COPY rows. Knows types, not tables.

#include "store/copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "common/timestamp.h"

// What timestamptz counts from on the wire.
#define POSTGRES_EPOCH 946684800000000 // 2000-01-01 in Unix microseconds
#define OID_TEXT 25
#define OID_UUID 2950

// Every number on PostgreSQL's wire is big-endian, two's complement.
static void append_big_endian(struct copy *copy, uint64_t value, size_t bytes)
{
    unsigned char out[8];
    for (size_t i = 0; i < bytes; i++)
        out[i] = (unsigned char)(value >> (8 * (bytes - 1 - i)));
    buffer_append(&copy->rows, out, bytes);
}

// A wrong number of fields, or a type of another length, fails the whole COPY; a type of the same
// length does not, and is stored as something else.
void copy_row(struct copy *copy, int16_t fields)
{
    append_big_endian(copy, (uint16_t)fields, 2);
    copy->count++;
}

void copy_null(struct copy *copy)
{
    append_big_endian(copy, UINT32_MAX, 4);
}

void copy_bool(struct copy *copy, bool value)
{
    append_big_endian(copy, 1, 4);
    buffer_append_char(&copy->rows, value ? 1 : 0);
}

void copy_int32(struct copy *copy, int32_t value)
{
    append_big_endian(copy, 4, 4);
    append_big_endian(copy, (uint32_t)value, 4);
}

void copy_int64(struct copy *copy, int64_t value)
{
    append_big_endian(copy, 8, 4);
    append_big_endian(copy, (uint64_t)value, 8);
}

void copy_optional_int64(struct copy *copy, int64_t value)
{
    if (value == INT64_MIN)
        copy_null(copy);
    else
        copy_int64(copy, value);
}

void copy_bytes(struct copy *copy, const void *bytes, size_t length)
{
    append_big_endian(copy, length, 4);
    buffer_append(&copy->rows, bytes, length);
}

void copy_text(struct copy *copy, const char *text)
{
    if (text == NULL)
        copy_null(copy);
    else
        copy_bytes(copy, text, strlen(text));
}

void copy_time(struct copy *copy, int64_t at)
{
    if (at == TIMESTAMP_NONE)
        copy_null(copy);
    else
        copy_int64(copy, at - POSTGRES_EPOCH);
}

// The least integer is what PostgreSQL reads as -infinity.
void copy_time_beginning(struct copy *copy)
{
    copy_int64(copy, INT64_MIN);
}

void copy_uuid(struct copy *copy, const uint8_t *uuid)
{
    if (uuid == NULL)
        copy_null(copy);
    else
        copy_bytes(copy, uuid, UUID_BYTES);
}

// One dimension from subscript 1, no NULLs; an empty array has no dimension.
static void array_header(struct copy *copy, size_t body_bytes, size_t count, uint32_t element)
{
    append_big_endian(copy, (count ? 20 : 12) + body_bytes, 4);
    append_big_endian(copy, count ? 1 : 0, 4);
    append_big_endian(copy, 0, 4);
    append_big_endian(copy, element, 4);
    if (count == 0)
        return;
    append_big_endian(copy, count, 4);
    append_big_endian(copy, 1, 4);
}

void copy_uuids(struct copy *copy, const uint8_t *uuids, size_t count)
{
    array_header(copy, count * (4 + UUID_BYTES), count, OID_UUID);
    for (size_t i = 0; i < count; i++)
        copy_uuid(copy, uuids + i * UUID_BYTES);
}

void copy_texts(struct copy *copy, const char *const texts[], size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += 4 + strlen(texts[i]);
    array_header(copy, bytes, count, OID_TEXT);
    for (size_t i = 0; i < count; i++)
        copy_text(copy, texts[i]);
}

// numeric is digits of base 10000 around the decimal point: their number, the weight of the first,
// the sign, how many decimals to show, and the digits. Zero digits in front lower the weight, those
// at the end are left out.
// So 12.5 is the digits 12 and 5000, weight 0, one decimal; 0.05 is the digit 500, weight -1, two
// decimals; and 0 has no digit at all.
static void append_numeric(struct copy *copy, bool negative, uint64_t whole, unsigned fraction,
                           uint16_t scale)
{
    uint16_t groups[8];
    size_t count = 0;
    uint64_t unit = 1;
    while (whole / unit >= 10000)
        unit *= 10000;
    int16_t weight = -1;
    for (uint64_t u = unit; u > 0; u /= 10000, weight++)
        groups[count++] = (uint16_t)(whole / u % 10000);
    groups[count++] = (uint16_t)(fraction / 100);       // first four of six decimals
    groups[count++] = (uint16_t)(fraction % 100 * 100); // the last two
    size_t first = 0;
    while (first < count && groups[first] == 0) {
        first++;
        weight--;
    }
    while (count > first && groups[count - 1] == 0)
        count--;
    size_t used = count - first;
    append_big_endian(copy, 8 + 2 * used, 4);
    append_big_endian(copy, used, 2);
    append_big_endian(copy, used ? (uint16_t)weight : 0, 2);
    append_big_endian(copy, negative && used ? 0x4000 : 0, 2);
    append_big_endian(copy, scale, 2);
    for (size_t i = first; i < count; i++)
        append_big_endian(copy, groups[i], 2);
}

// Exact: a double or a text would have to be rounded or parsed on the other side, and equal shares
// must be equal numbers.
void copy_millionths(struct copy *copy, int64_t value)
{
    if (value == INT64_MIN) {
        copy_null(copy);
        return;
    }
    uint64_t size = value < 0 ? (uint64_t)-value : (uint64_t)value;
    unsigned fraction = (unsigned)(size % 1000000);
    uint16_t scale = 6;
    for (unsigned rest = fraction; scale > 0 && rest % 10 == 0; rest /= 10)
        scale--;
    append_numeric(copy, value < 0, size / 1000000, fraction, scale);
}

bool copy_open(struct database *db, const char *target, struct error *err)
{
    // Signature, flags, length of the header's extension.
    static const char header[19] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";
    SCOPED(xfree_char) char *sql = xasprintf("COPY %s FROM STDIN (FORMAT binary)", target);
    return database_copy_begin(db, sql, err) && database_copy_send(db, header, sizeof(header), err);
}

// The memory stays for the next rows, which will be about as many.
bool copy_flush(struct database *db, struct copy *copy, struct error *err)
{
    bool sent = database_copy_send(db, copy->rows.data, copy->rows.length, err);
    buffer_clear(&copy->rows);
    copy->count = 0;
    return sent;
}

bool copy_close(struct database *db, struct error *err)
{
    static const char trailer[2] = {'\377', '\377'};
    return database_copy_send(db, trailer, sizeof(trailer), err) &&
           database_copy_end(db, NULL, err);
}

bool copy_send(struct database *db, const char *target, struct copy *copy, struct error *err)
{
    if (copy->count == 0)
        return true;
    return (copy_open(db, target, err) && copy_flush(db, copy, err) && copy_close(db, err)) ||
           fail_in(err, "COPY %s", target);
}

void copy_move(struct copy *to, struct copy *from)
{
    if (from->count > 0)
        buffer_append(&to->rows, from->rows.data, from->rows.length);
    to->count += from->count;
    copy_reset(from);
}

void copy_reset(struct copy *copy)
{
    buffer_reset(&copy->rows);
    copy->count = 0;
}

// Narrower than PostgreSQL, which takes braces and other spellings too: one object must not have
// two uids here.
bool uuid_parse(const char *text, uint8_t uuid[UUID_BYTES])
{
    char hex[2 * UUID_BYTES + 1];
    size_t at = 0;
    if (strnlen(text, 37) != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash != (text[i] == '-'))
            return false;
        if (!dash)
            hex[at++] = text[i];
    }
    hex[at] = '\0';
    return hex_decode(hex, uuid, UUID_BYTES);
}

void uuid_format(const uint8_t uuid[UUID_BYTES], char text[37])
{
    char hex[2 * UUID_BYTES + 1];
    hex_encode(uuid, UUID_BYTES, hex);
    snprintf(text, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}
