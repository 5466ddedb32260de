#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/database.h"

// Rows for COPY ... FROM STDIN (FORMAT binary), whose layout PostgreSQL documents under COPY.
// Binary rows need no escaping, so no content can break out of its column.

#define UUID_BYTES 16

// Freed with copy_reset; zeroed storage ({0}) is no rows.
struct copy {
    struct buffer rows;
    size_t count;
};

// Begins a row of `fields` columns; that many column calls must follow, each with the column's
// type.
void copy_row(struct copy *copy, int16_t fields);

// One column each: SQL NULL, boolean, integer, bigint.
void copy_null(struct copy *copy);
void copy_bool(struct copy *copy, bool value);
void copy_int32(struct copy *copy, int32_t value);
void copy_int64(struct copy *copy, int64_t value);

// bigint; INT64_MIN is SQL NULL.
void copy_optional_int64(struct copy *copy, int64_t value);

// bytea, text and json take their bytes as they are; text must be valid UTF-8 without NUL.
void copy_bytes(struct copy *copy, const void *bytes, size_t length);

// NUL-terminated text; NULL is SQL NULL.
void copy_text(struct copy *copy, const char *text);

// timestamptz of Unix microseconds; TIMESTAMP_NONE is SQL NULL.
void copy_time(struct copy *copy, int64_t at);

// timestamptz '-infinity'.
void copy_time_beginning(struct copy *copy);

// uuid; NULL is SQL NULL.
void copy_uuid(struct copy *copy, const uint8_t *uuid);

// uuid[] of `count` ids that lie behind one another.
void copy_uuids(struct copy *copy, const uint8_t *uuids, size_t count);

// text[].
void copy_texts(struct copy *copy, const char *const texts[], size_t count);

// numeric from whole millionths, without trailing zeros: 12500000 is 12.5. INT64_MIN is SQL NULL.
void copy_millionths(struct copy *copy, int64_t value);

// The COPY of copy_send in three steps, so that PostgreSQL works on the first rows while the last
// are being made: between them no other statement may run. copy_flush forgets the rows that it
// sent.
bool copy_open(struct database *db, const char *target, struct error *err) WARN_UNUSED;
bool copy_flush(struct database *db, struct copy *copy, struct error *err) WARN_UNUSED;
bool copy_close(struct database *db, struct error *err) WARN_UNUSED;

// Sends the rows with `COPY target FROM STDIN (FORMAT binary)` and forgets them; target is a table
// with its column list. Does nothing when there are no rows.
bool copy_send(struct database *db, const char *target, struct copy *copy,
               struct error *err) WARN_UNUSED;

// Appends all rows of `from`, which may be none, to those of `to`; `from` has none afterwards. For
// rows that count only when all of them could be made.
void copy_move(struct copy *to, struct copy *from);

// Frees the rows and leaves none.
void copy_reset(struct copy *copy);

// Reads the canonical text form of a uuid in either case; false for anything else.
bool uuid_parse(const char *text, uint8_t uuid[UUID_BYTES]);

// Writes the lower-case text form.
void uuid_format(const uint8_t uuid[UUID_BYTES], char text[37]);
