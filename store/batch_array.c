// Array literals. Every text element is quoted, so that no content is read as syntax.

#include "store/batch_array.h"

#include <inttypes.h>
#include <string.h>

static void separate(struct sql_array *array)
{
    buffer_append_char(&array->text, array->text.length == 0 ? '{' : ',');
}

void sql_array_text(struct sql_array *array, const char *text)
{
    separate(array);
    if (text == NULL) {
        buffer_append_text(&array->text, "NULL");
        return;
    }
    buffer_append_char(&array->text, '"');
    for (;;) {
        size_t plain = strcspn(text, "\"\\");
        buffer_append(&array->text, text, plain);
        text += plain;
        if (*text == '\0')
            break;
        buffer_append_char(&array->text, '\\');
        buffer_append_char(&array->text, *text++);
    }
    buffer_append_char(&array->text, '"');
}

// Built by hand: printf is most of the cost of a batch's arrays.
void sql_array_int64(struct sql_array *array, int64_t value)
{
    char digits[24];
    size_t at = sizeof(digits);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        digits[--at] = '-';
    separate(array);
    buffer_append(&array->text, digits + at, sizeof(digits) - at);
}

void sql_array_bytes(struct sql_array *array, const uint8_t *bytes, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    separate(array);
    buffer_append_text(&array->text, "\"\\\\x");
    for (size_t i = 0; i < length; i++) {
        const char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};
        buffer_append(&array->text, pair, sizeof(pair));
    }
    buffer_append_char(&array->text, '"');
}

const char *sql_array_literal(struct sql_array *array)
{
    if (array->text.length == 0)
        return "{}";
    // An element ends with a digit, a quote or NULL's L.
    if (array->text.data[array->text.length - 1] != '}')
        buffer_append_char(&array->text, '}');
    return array->text.data;
}

void sql_array_reset(struct sql_array *array)
{
    buffer_reset(&array->text);
}
