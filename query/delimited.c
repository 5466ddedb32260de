// Fields of CSV and TSV.

#include "query/delimited.h"

#include <string.h>

void delimited_append_csv(struct buffer *out, const char *text, bool guard)
{
    if (text == NULL)
        return;
    bool guarded = guard && *text != '\0' && strchr("=+-@\t\r", *text) != NULL;
    if (!guarded && strpbrk(text, ",\"\r\n") == NULL) {
        buffer_append_text(out, text);
        return;
    }
    buffer_append_text(out, guarded ? "\"'" : "\"");
    for (; *text; text++) {
        if (*text == '"')
            buffer_append_char(out, '"');
        buffer_append_char(out, *text);
    }
    buffer_append_char(out, '"');
}

void delimited_append_tsv(struct buffer *out, const char *text)
{
    for (; text != NULL && *text != '\0'; text++) {
        if (*text == '\\')
            buffer_append_text(out, "\\\\");
        else if (*text == '\t')
            buffer_append_text(out, "\\t");
        else if (*text == '\n')
            buffer_append_text(out, "\\n");
        else if (*text == '\r')
            buffer_append_text(out, "\\r");
        else
            buffer_append_char(out, *text);
    }
}
