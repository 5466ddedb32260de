#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Instants are int64 microseconds since 1970-01-01T00:00:00Z, the resolution of timestamptz.

#define TIMESTAMP_NONE INT64_MIN // no instant known
#define TIMESTAMP_TEXT 32        // room for "2026-01-02T03:04:05.000006Z"

// The wall clock now. May jump; never use it for timeouts.
int64_t timestamp_now(void);

// The monotonic clock in milliseconds, for timeouts.
int64_t monotonic_ms(void);

// Writes RFC 3339 in UTC, with microseconds only when they are not zero. NONE gives "".
void timestamp_format(int64_t at, char text[TIMESTAMP_TEXT]);

// Reads RFC 3339 with any offset and any number of fraction digits (truncated to microseconds).
// False when the text is no such time; *at is untouched then.
bool timestamp_parse(const char *text, int64_t *at);

// True when the text has no fraction of a second: such a time is exact to a second only.
// Who reads such a time moves it to the end of its second (D3).
bool timestamp_is_whole_second(const char *text);
