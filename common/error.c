// The one error type: a reaction for the caller and a message that grows outward.

#include "common/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool fail(struct error *err, enum reaction react, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err->react = react;
    err->sqlstate[0] = '\0';
    vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    return false;
}

// The reaction and SQLSTATE stay those of the innermost failure: context does not change what is to
// be done.
bool fail_in(struct error *err, const char *format, ...)
{
    char context[sizeof(err->text)];
    char inner[sizeof(err->text)];
    va_list args;
    va_start(args, format);
    vsnprintf(context, sizeof(context), format, args);
    va_end(args);
    memcpy(inner, err->text, sizeof(inner));
    // A message too long for its room loses its end, never its context.
    snprintf(err->text, sizeof(err->text), "%.200s: %.308s", context, inner);
    return false;
}

const char *reaction_name(enum reaction react)
{
    switch (react) {
    case REACT_RETRY:
        return "retry";
    case REACT_REJECT:
        return "reject";
    case REACT_STOP:
        return "stop";
    case REACT_NONE:
        break;
    }
    return "none";
}
