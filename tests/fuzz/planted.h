#pragma once

// A secret put into somebody's JSON: into one of its objects, whichever the input chooses, in one
// of the places where secrets lie. Wherever that is, no event may hold it.

#include <string.h>

#include "common/buffer.h"
#include "common/json_scan.h"
#include "tests/fuzz/fuzz.h"

#define PLANTED "kQ7vPlantedZx93w"

static inline bool holds_planted(const char *bytes, size_t length)
{
    return length > 0 && memmem(bytes, length, PLANTED, strlen(PLANTED)) != NULL;
}

// Ends the program when the secret is in the events; `bytes` are what it was planted in, NULL:
// none.
static inline void check_clean(const char *bytes, size_t length, const struct buffer *events)
{
    if (bytes == NULL || !holds_planted(events->data, events->length))
        return;
    fprintf(stderr, "planted: %.*s\nevents: %s\n", (int)length, bytes, events->data);
    abort();
}

// Where the n-th object's members begin, counted anew from the first when there are fewer.
static inline bool find_object(const char *bytes, size_t length, size_t n, size_t *at)
{
    for (size_t count = 0;;) {
        struct json_scan scan;
        struct json_token token;
        struct error err;
        json_scan_init(&scan, bytes, length, JSON_MAX_DEPTH);
        for (size_t i = 0; json_scan_next(&scan, &token, &err) && token.kind != JSON_DONE;) {
            if (token.kind != JSON_OBJECT_BEGIN)
                continue;
            *at = token.to;
            if (i++ == n)
                return true;
            count = i;
        }
        if (count == 0)
            return false;
        n %= count;
    }
}

// Appends the text with the secret in it; false when the text has no object.
static inline bool plant(const char *bytes, size_t length, uint32_t number, struct buffer *out)
{
    static const char *const places[] = {
        "\"password\":\"" PLANTED "\"",
        "\"password\":{\"a\":[\"" PLANTED "\",{\"b\":\"" PLANTED "\"}]}",
        "\"env\":[{\"name\":\"A\",\"value\":\"" PLANTED "\"}]",
        "\"env\":{\"A\":\"" PLANTED "\"}",
        "\"args\":[\"--token\",\"" PLANTED "\",\"--api-key=" PLANTED "\"]",
        "\"storageUri\":\"s3://u:" PLANTED "@bucket/x?sig=" PLANTED "\"",
        "\"command\":[\"sh\",\"-c\",\"PASSWORD=" PLANTED " run\"]",
        "\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":\"" PLANTED "\"}",
    };
    size_t at;
    if (!find_object(bytes, length, number / 8 % 64, &at))
        return false;
    buffer_append(out, bytes, at);
    buffer_append_text(out, places[number % 8]);
    while (at < length && strchr(" \t\r\n", bytes[at]) != NULL)
        at++;
    if (at < length && bytes[at] != '}')
        buffer_append_char(out, ',');
    buffer_append(out, bytes + at, length - at);
    return true;
}

// Gives the input to `take`, every other one with a secret in it: what is planted may hide what the
// line itself does. `number` depends on the input, for the target's own choices.
static inline void take_planted(const uint8_t *bytes, size_t length,
                                void (*take)(const char *line, size_t length, uint32_t number,
                                             bool planted))
{
    const char *text = (const char *)bytes;
    uint32_t number = fuzz_number(bytes, length);
    SCOPED_BUFFER with_secret = {0};
    if (number & 0x800 && !holds_planted(text, length) &&
        plant(text, length, number >> 12, &with_secret))
        take(with_secret.data, with_secret.length, number, true);
    else
        take(text, length, number, false);
}
