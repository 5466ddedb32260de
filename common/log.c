// logfmt lines on stderr. One write(2) a line, so that lines of threads do not mix.

#include "common/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/text.h"
#include "common/timestamp.h"

static const char *program_name = "modeltrail";
static enum log_level least_level = LOG_INFO;

void log_init(const char *program, enum log_level least)
{
    program_name = program;
    least_level = least;
}

static const char *level_name(enum log_level level)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    return names[level];
}

// Quoted when in doubt: a line must stay one line, and a value with ` level=error` in it must not
// look like a member of its own.
static void append_value(struct buffer *line, const char *value)
{
    if (value == NULL)
        value = "";
    bool plain = *value != '\0';
    for (const char *c = value; *c; c++)
        plain = plain && *c > ' ' && *c != '"' && *c != '=' && *c != '\\' && *c < 0x7f;
    if (plain) {
        buffer_append_text(line, value);
        return;
    }
    buffer_append_char(line, '"');
    while (*value != '\0') {
        size_t run = strcspn(value, "\"\\\n");
        text_append_visible(line, value, run);
        value += run;
        if (*value == '\0')
            break;
        buffer_append_char(line, '\\');
        buffer_append_char(line, *value == '\n' ? 'n' : *value);
        value++;
    }
    buffer_append_char(line, '"');
}

// The line is whole before it is written; stdio would hold it back, or mix it with that of another
// thread. Keys are ours and are not escaped.
void log_line(enum log_level level, const char *message, ...)
{
    if (level < least_level)
        return;
    SCOPED_BUFFER line = {0};
    char now[TIMESTAMP_TEXT];
    timestamp_format(timestamp_now(), now);
    buffer_printf(&line, "ts=%s level=%s program=%s msg=", now, level_name(level), program_name);
    append_value(&line, message);
    va_list args;
    va_start(args, message);
    for (const char *key = va_arg(args, const char *); key; key = va_arg(args, const char *)) {
        const char *value = va_arg(args, const char *);
        buffer_printf(&line, " %s=", key);
        append_value(&line, value);
    }
    va_end(args);
    buffer_append_char(&line, '\n');
    ssize_t written = write(STDERR_FILENO, line.data, line.length);
    (void)written; // nowhere is left to complain
}
