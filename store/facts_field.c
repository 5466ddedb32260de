// Reading typed members out of an event's data, with one error for the first that is wrong.
// An event of which one member is wrong is refused as a whole: half a fact would be a wrong one.
// Which members there are is for the callers.

#include "store/facts_field.h"

#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/timestamp.h"

// Five digits of a year would break RFC 3339 wherever the instant is printed.
#define END_OF_TIME 253402300800000000 // 10000-01-01

void field_refuse(struct field_reader *reader, const char *key, const char *what)
{
    if (!reader->bad)
        fail(reader->err, REACT_REJECT, "data.%s %s", key, what);
    reader->bad = true;
}

// The member, or NULL when it is absent or null; the latter makes the reader bad unless optional.
static const cJSON *member(struct field_reader *reader, const char *key, bool optional)
{
    if (reader->bad)
        return NULL;
    const cJSON *found = json_get(reader->object, key);
    if (found != NULL && !cJSON_IsNull(found))
        return found;
    if (!optional)
        field_refuse(reader, key, "is missing");
    return NULL;
}

// Bytes are counted, not characters: it is the index that sets the limit. An empty text is one.
static const char *read_text(struct field_reader *reader, const char *key, size_t max_bytes,
                             bool optional)
{
    const cJSON *found = member(reader, key, optional);
    if (found == NULL)
        return NULL;
    if (!cJSON_IsString(found)) {
        field_refuse(reader, key, "is no string");
        return NULL;
    }
    if (strlen(found->valuestring) > max_bytes) {
        field_refuse(reader, key, "is too long");
        return NULL;
    }
    return found->valuestring;
}

// Never NULL, so that callers read on without a look at each member.
const char *field_text(struct field_reader *reader, const char *key, size_t max_bytes)
{
    const char *text = read_text(reader, key, max_bytes, false);
    return text ? text : "";
}

const char *field_optional_text(struct field_reader *reader, const char *key, size_t max_bytes)
{
    return read_text(reader, key, max_bytes, true);
}

// A string or a number (json_int64): the store takes more than our collectors send.
static bool read_int64(struct field_reader *reader, const char *key, bool optional, int64_t *value)
{
    if (member(reader, key, optional) == NULL)
        return false;
    if (json_int64(reader->object, key, value))
        return true;
    field_refuse(reader, key, "is no integer of 64 bits");
    return false;
}

int64_t field_int64(struct field_reader *reader, const char *key)
{
    int64_t value = 0;
    return read_int64(reader, key, false, &value) ? value : 0;
}

bool field_optional_int64(struct field_reader *reader, const char *key, int64_t *value)
{
    return read_int64(reader, key, true, value);
}

bool field_optional_bool(struct field_reader *reader, const char *key, bool otherwise)
{
    const cJSON *found = member(reader, key, true);
    if (found == NULL)
        return otherwise;
    if (!cJSON_IsBool(found))
        field_refuse(reader, key, "is no boolean");
    return cJSON_IsTrue(found);
}

bool time_is_sane(int64_t at)
{
    return at >= 0 && at < END_OF_TIME;
}

static int64_t read_time(struct field_reader *reader, const char *key, bool optional)
{
    const char *text = read_text(reader, key, 64, optional);
    int64_t at;
    if (text == NULL)
        return TIMESTAMP_NONE;
    if (timestamp_parse(text, &at) && time_is_sane(at))
        return at;
    field_refuse(reader, key, "is no instant between 1970 and 9999");
    return TIMESTAMP_NONE;
}

int64_t field_time(struct field_reader *reader, const char *key)
{
    return read_time(reader, key, false);
}

int64_t field_optional_time(struct field_reader *reader, const char *key)
{
    return read_time(reader, key, true);
}

static bool read_uuid(struct field_reader *reader, const char *key, bool optional,
                      uint8_t uuid[UUID_BYTES])
{
    const char *text = read_text(reader, key, TEXT_ANY, optional);
    if (text == NULL)
        return false;
    if (uuid_parse(text, uuid))
        return true;
    field_refuse(reader, key, "is no UUID");
    return false;
}

void field_uuid(struct field_reader *reader, const char *key, uint8_t uuid[UUID_BYTES])
{
    if (!read_uuid(reader, key, false, uuid))
        memset(uuid, 0, UUID_BYTES);
}

bool field_optional_uuid(struct field_reader *reader, const char *key, uint8_t uuid[UUID_BYTES])
{
    return read_uuid(reader, key, true, uuid);
}

const cJSON *field_array(struct field_reader *reader, const char *key, bool optional)
{
    const cJSON *found = member(reader, key, optional);
    if (found != NULL && !cJSON_IsArray(found))
        field_refuse(reader, key, "is no array");
    return reader->bad ? NULL : found;
}

const cJSON *field_object(struct field_reader *reader, const char *key, bool optional)
{
    const cJSON *found = member(reader, key, optional);
    if (found != NULL && !cJSON_IsObject(found))
        field_refuse(reader, key, "is no object");
    return reader->bad ? NULL : found;
}
