// RFC 3339 and back, without the locale, the time zone or the leap of strptime.
// Ours alone: what Kubernetes and PostgreSQL write is RFC 3339, and nothing more is taken.

#include "common/timestamp.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t timestamp_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Six decimals or none, so that one instant has one spelling: it is hashed (store/envelope.c).
void timestamp_format(int64_t at, char text[TIMESTAMP_TEXT])
{
    if (at == TIMESTAMP_NONE) {
        text[0] = '\0';
        return;
    }
    // C rounds towards zero; before 1970 that would give a negative fraction.
    int64_t micros = at % 1000000;
    if (micros < 0)
        micros += 1000000;
    time_t seconds = (time_t)((at - micros) / 1000000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t length = strftime(text, TIMESTAMP_TEXT, "%Y-%m-%dT%H:%M:%S", &utc);
    if (micros != 0)
        snprintf(text + length, TIMESTAMP_TEXT - length, ".%06dZ", (int)micros);
    else
        snprintf(text + length, TIMESTAMP_TEXT - length, "Z");
}

// Reads exactly `count` digits; NULL when there are none.
static const char *read_digits(const char *text, int count, int *value)
{
    *value = 0;
    for (int i = 0; i < count; i++, text++) {
        if (*text < '0' || *text > '9')
            return NULL;
        *value = *value * 10 + (*text - '0');
    }
    return text;
}

// Further digits are cut, not rounded: a time must not move into the next second.
static const char *read_fraction(const char *text, int64_t *micros)
{
    *micros = 0;
    if (*text != '.')
        return text;
    text++;
    int64_t unit = 100000;
    const char *start = text;
    for (; *text >= '0' && *text <= '9'; text++, unit /= 10)
        *micros += unit * (*text - '0');
    return text == start ? NULL : text;
}

// Required: a time without a zone is nobody's time.
static const char *read_offset(const char *text, int *offset_minutes)
{
    *offset_minutes = 0;
    if (*text == 'Z' || *text == 'z')
        return text + 1;
    if (*text != '+' && *text != '-')
        return NULL;
    int sign = *text == '-' ? -1 : 1;
    int hours;
    int minutes;
    text = read_digits(text + 1, 2, &hours);
    if (text == NULL || *text != ':')
        return NULL;
    text = read_digits(text + 1, 2, &minutes);
    if (text == NULL || hours > 23 || minutes > 59)
        return NULL;
    *offset_minutes = sign * (hours * 60 + minutes);
    return text;
}

// timegm would take the 31st of February for the 3rd of March.
static bool is_calendar_date(const struct tm *utc)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (utc->tm_mon < 0 || utc->tm_mon > 11 || utc->tm_mday < 1)
        return false;
    int year = utc->tm_year + 1900;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (utc->tm_mon == 1 && utc->tm_mday == 29 && !leap)
        return false;
    return utc->tm_mday <= days[utc->tm_mon];
}

// Not strptime: that follows the locale and takes less than the whole text. A space for the T is
// how PostgreSQL writes it.
bool timestamp_parse(const char *text, int64_t *at)
{
    int part[6];
    static const int digits[6] = {4, 2, 2, 2, 2, 2};
    static const char separators[6] = {'-', '-', 'T', ':', ':', '\0'};
    for (int i = 0; i < 6; i++) {
        text = read_digits(text, digits[i], &part[i]);
        if (text == NULL)
            return false;
        if (separators[i] == 'T' ? (*text != 'T' && *text != 't' && *text != ' ')
                                 : (separators[i] != '\0' && *text != separators[i]))
            return false;
        if (separators[i] != '\0')
            text++;
    }
    struct tm utc = {.tm_year = part[0] - 1900, .tm_mon = part[1] - 1, .tm_mday = part[2]};
    // A leap second (60) is taken as the first second of the next minute, as timegm reads it.
    if (!is_calendar_date(&utc) || part[3] > 23 || part[4] > 59 || part[5] > 60)
        return false;
    utc.tm_hour = part[3];
    utc.tm_min = part[4];
    utc.tm_sec = part[5];
    int64_t micros;
    int offset_minutes;
    text = read_fraction(text, &micros);
    if (text != NULL)
        text = read_offset(text, &offset_minutes);
    if (text == NULL || *text != '\0')
        return false;
    *at = ((int64_t)timegm(&utc) - offset_minutes * 60) * 1000000 + micros;
    return true;
}

bool timestamp_is_whole_second(const char *text)
{
    return strchr(text, '.') == NULL;
}
