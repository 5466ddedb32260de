// What an API server says of a request that it refused quotes what was asked for.

#define _GNU_SOURCE // memmem

#include "collector/redact_message.h"

#include <string.h>

#include "collector/redact_scan.h"
#include "collector/redact_text.h"

// Where the value of an API server's complaint begins, behind one of its phrases; NULL when there
// is none from `at` on.
static const char *find_complaint(const char *at, const char *end)
{
    static const char *const phrases[] = {
        "Invalid value: ", "Unsupported value: ", "Duplicate value: ", "Not found: ", NULL};
    const char *first = NULL;
    for (size_t i = 0; phrases[i] != NULL; i++) {
        size_t length = strlen(phrases[i]);
        const char *found = memmem(at, (size_t)(end - at), phrases[i], length);
        if (found != NULL && (first == NULL || found + length < first))
            first = found + length;
    }
    return first;
}

// What is complained of: quoted as Go does it, or a printed structure whose end cannot be told.
static const char *complaint_end(const char *from, const char *end, const char **to)
{
    struct quote quote;
    const char *inside = scan_open_quote(from, end, &quote);
    if (quote.mark != '\0') {
        *to = scan_close_quote(inside, end, quote);
        return inside;
    }
    const char *word = from;
    while (word < end && (scan_is_name(*word) || *word == '+'))
        word++;
    bool is_number = word == end || *word == ':' || *word == ',';
    *to = is_number ? from : end;
    return from;
}

// The quoted values go first: what they hold need not look like a secret.
bool redact_message(const char *text, size_t length, struct buffer *out)
{
    SCOPED_BUFFER without_values = {0};
    const char *end = text + length;
    const char *copied = text;
    const char *at;
    while ((at = find_complaint(copied, end)) != NULL) {
        const char *to;
        const char *from = complaint_end(at, end, &to);
        buffer_append(&without_values, copied, (size_t)(from - copied));
        if (to > from)
            buffer_append_text(&without_values, REDACTED);
        copied = to;
    }
    bool changed = copied != text;
    buffer_append(&without_values, copied, (size_t)(end - copied));
    if (redact_text(without_values.data, without_values.length, out))
        return true;
    if (changed)
        buffer_append(out, without_values.data, without_values.length);
    return changed;
}
