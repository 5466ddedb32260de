// Strings from outside: validity, safe display, numbers.

#include "common/text.h"

#include <string.h>

// Decodes one code point; returns its length in bytes, 0 when the bytes are not valid UTF-8.
// As strict as PostgreSQL is: what passes here is never refused by the server for its encoding.
// Leads 0xc0 and 0xc1 could only begin overlong forms.
static size_t decode_utf8(const unsigned char *bytes, size_t length, uint32_t *point)
{
    unsigned char lead = bytes[0];
    size_t need = lead < 0x80   ? 1
                  : lead < 0xc2 ? 0
                  : lead < 0xe0 ? 2
                  : lead < 0xf0 ? 3
                  : lead < 0xf5 ? 4
                                : 0;
    if (need == 0 || need > length)
        return 0;
    static const unsigned char lead_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t value = lead & lead_mask[need];
    for (size_t i = 1; i < need; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        value = (value << 6) | (bytes[i] & 0x3f);
    }
    bool overlong = (need == 3 && value < 0x800) || (need == 4 && value < 0x10000);
    if (overlong || (value >= 0xd800 && value <= 0xdfff) || value > 0x10ffff)
        return 0;
    *point = value;
    return need;
}

bool text_is_utf8(const char *bytes, size_t length)
{
    const unsigned char *at = (const unsigned char *)bytes;
    while (length > 0) {
        // ASCII runs are the usual case: eight bytes at a time.
        uint64_t word;
        if (length >= sizeof(word)) {
            memcpy(&word, at, sizeof(word));
            if ((word & 0x8080808080808080u) == 0) {
                at += sizeof(word);
                length -= sizeof(word);
                continue;
            }
        }
        uint32_t point;
        size_t used = decode_utf8(at, length, &point);
        if (used == 0)
            return false;
        at += used;
        length -= used;
    }
    return true;
}

// Characters that change how others are shown, or show nothing themselves.
// Bidirectional overrides could make a terminal show one model's name as another's, C1 controls are
// escape sequences to some, and tag characters (U+E0000 on) hide whole texts.
static bool is_invisible(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0xad || point == 0x61c ||
           (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2060 && point <= 0x206f) || point == 0xfeff ||
           (point >= 0xfff9 && point <= 0xfffb) || (point >= 0xe0000 && point <= 0xe007f);
}

// Shown and not dropped: two names that differ in a hidden character must look different. A
// backslash stays as it is, so the form cannot be read back; it is for eyes only.
void text_append_visible(struct buffer *out, const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text;
    while (length > 0) {
        uint32_t point = 0;
        size_t used = decode_utf8(at, length, &point);
        if (used == 0) {
            buffer_printf(out, "\\x%02x", *at);
            used = 1;
        } else if (!is_invisible(point)) {
            buffer_append(out, at, used);
        } else if (point < 0x100) {
            buffer_printf(out, "\\x%02x", point);
        } else {
            buffer_printf(out, "\\u%04x", point);
        }
        at += used;
        length -= used;
    }
}

// strtoll takes white space, signs and a prefix, and reports overflow through errno: all of it is
// refused here, since these are identities and not input of people.
bool text_to_int64(const char *text, int64_t *value)
{
    bool negative = *text == '-';
    if (negative)
        text++;
    if (*text == '\0')
        return false;
    int64_t sum = 0; // kept negative: its range is the larger one
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_sub_overflow(sum, *text - '0', &sum))
            return false;
    }
    if (!negative && sum == INT64_MIN)
        return false;
    *value = negative ? sum : -sum;
    return true;
}

bool text_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

void text_one_line(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == '\n')
        text[--length] = '\0';
    for (char *c = text; *c; c++) {
        if (*c == '\n')
            *c = ' ';
    }
}

bool text_equal(const char *left, const char *right)
{
    if (left == NULL || right == NULL)
        return left == right;
    return strcmp(left, right) == 0;
}
