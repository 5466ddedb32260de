// Notes, hints and errors on stderr.

#include "query/talk.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/memory.h"
#include "common/text.h"

static void say(const char *label, const char *text, size_t length)
{
    fflush(stdout); // on a screen, what is said about an answer stands behind it
    SCOPED_BUFFER line = {0};
    buffer_printf(&line, "%s: ", label);
    text_append_visible(&line, text, length);
    fprintf(stderr, "%s\n", line.data);
}

void talk_error(const struct error *err)
{
    static const char mark[] = "; hint: ";
    const char *hint = strstr(err->text, mark);
    if (hint == NULL) {
        say("error", err->text, strlen(err->text));
        return;
    }
    say("error", err->text, (size_t)(hint - err->text));
    hint += strlen(mark);
    say("hint", hint, strlen(hint));
}

static void say_formatted(const char *label, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void say_formatted(const char *label, const char *format, va_list args)
{
    char text[1024];
    vsnprintf(text, sizeof(text), format, args);
    say(label, text, strlen(text));
}

void talk_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_formatted("note", format, args);
    va_end(args);
}

void talk_hint(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_formatted("hint", format, args);
    va_end(args);
}
