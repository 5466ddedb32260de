#pragma once

#include <stdbool.h>

#include "common/error.h"

// An instant as a person writes it. What needs a clock or a time zone is left to PostgreSQL, so
// that ages count from the database's clock and zones are its zones.

enum when_kind {
    WHEN_NONE,    // not asked for
    WHEN_INSTANT, // RFC 3339; text is it, in UTC
    WHEN_DAY,     // a date; text is YYYY-MM-DD, its border is the caller's choice
    WHEN_AGE,     // "3d", "1h30m": text is an SQL interval in seconds
};

struct when {
    enum when_kind kind;
    char text[40];
};

// Reads RFC 3339, a date, or an age (s, m, h, d, w, joined as in 1d12h). NULL gives WHEN_NONE.
bool when_parse(const char *option, const char *text, struct when *when,
                struct error *err) WARN_UNUSED;

// The kind's name as the SQL of query/session.c spells it; NULL for WHEN_NONE.
const char *when_kind_name(enum when_kind kind);
