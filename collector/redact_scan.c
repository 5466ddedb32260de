// Steps through a text: each gives where something ends, and nothing reads beyond `end`.

#include "collector/redact_scan.h"

#include <string.h>
#include <strings.h>

const char *scan_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}

const char *scan_line_end(const char *at, const char *end)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    return newline != NULL ? newline : end;
}

bool scan_is_number(const char *from, const char *to)
{
    while (from < to && isdigit((unsigned char)*from))
        from++;
    return from == to;
}

bool scan_is_word(const char *from, const char *to, const char *const words[])
{
    for (size_t i = 0; words[i] != NULL; i++) {
        if (strlen(words[i]) == (size_t)(to - from) &&
            strncasecmp(words[i], from, (size_t)(to - from)) == 0)
            return true;
    }
    return false;
}

const char *scan_open_quote(const char *at, const char *end, struct quote *quote)
{
    const char *mark = at;
    while (mark < end && *mark == '\\')
        mark++;
    *quote = (struct quote){'\0', (size_t)(mark - at)};
    if (mark == end || (*mark != '"' && *mark != '\''))
        return at;
    quote->mark = *mark;
    return mark + 1;
}

const char *scan_close_quote(const char *at, const char *end, struct quote quote)
{
    size_t backslashes = 0;
    for (const char *to = at; to < end; to++) {
        if (*to == quote.mark && backslashes <= quote.backslashes)
            return to - backslashes;
        backslashes = *to == '\\' ? backslashes + 1 : 0;
    }
    return end;
}

const char *scan_close_bracket(const char *at, const char *end)
{
    size_t depth = 0;
    while (at < end) {
        struct quote quote;
        const char *inside = scan_open_quote(at, end, &quote);
        if (quote.mark != '\0') {
            const char *close = scan_close_quote(inside, end, quote);
            while (close < end && *close == '\\')
                close++;
            at = close < end ? close + 1 : end;
            continue;
        }
        if (*at == '[' || *at == '{')
            depth++;
        else if ((*at == ']' || *at == '}') && --depth == 0)
            return at + 1;
        at++;
    }
    return end;
}
