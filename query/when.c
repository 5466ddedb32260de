// Reads --as-of, --since and --until. Resolving them is the database's part (session.c).

#include "query/when.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/timestamp.h"

#define AGE_MAX_SECONDS (INT64_C(1000) * 366 * 86400)

static int64_t seconds_of_unit(char unit)
{
    switch (unit) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    case 'w':
        return 7 * 86400;
    default:
        return 0;
    }
}

// A sum of counts with units; the cap keeps every product within 64 bits.
static bool parse_age(const char *text, int64_t *seconds)
{
    int64_t sum = 0;
    if (*text == '\0')
        return false;
    while (*text != '\0') {
        int64_t count = 0;
        const char *digits = text;
        for (; *text >= '0' && *text <= '9'; text++) {
            count = count * 10 + (*text - '0');
            if (count > AGE_MAX_SECONDS)
                return false;
        }
        int64_t unit = seconds_of_unit(*text);
        if (text == digits || unit == 0)
            return false;
        sum += count * unit;
        if (sum > AGE_MAX_SECONDS)
            return false;
        text++;
    }
    *seconds = sum;
    return true;
}

// A date is checked by reading it as its first instant.
static bool is_date(const char *text)
{
    char midnight[40];
    int64_t at;
    if (strlen(text) != 10)
        return false;
    snprintf(midnight, sizeof(midnight), "%sT00:00:00Z", text);
    return timestamp_parse(midnight, &at);
}

bool when_parse(const char *option, const char *text, struct when *when, struct error *err)
{
    int64_t value;
    *when = (struct when){.kind = WHEN_NONE};
    if (text == NULL)
        return true;
    if (timestamp_parse(text, &value)) {
        when->kind = WHEN_INSTANT;
        timestamp_format(value, when->text);
    } else if (is_date(text)) {
        when->kind = WHEN_DAY;
        snprintf(when->text, sizeof(when->text), "%s", text);
    } else if (parse_age(text, &value)) {
        when->kind = WHEN_AGE;
        snprintf(when->text, sizeof(when->text), "%lld seconds", (long long)value);
    } else {
        return fail(err, REACT_STOP,
                    "--%s '%.80s' is no time; hint: 2026-03-01T09:00:00Z, 2026-03-01, or an age "
                    "such as 3d or 1h30m",
                    option, text);
    }
    return true;
}

const char *when_kind_name(enum when_kind kind)
{
    switch (kind) {
    case WHEN_NONE:
        return NULL;
    case WHEN_INSTANT:
        return "instant";
    case WHEN_DAY:
        return "day";
    case WHEN_AGE:
        return "age";
    }
    return NULL;
}
