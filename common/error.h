#pragma once

#include <stdbool.h>

// What the caller should do about a failure.
enum reaction {
    REACT_NONE,   // no failure yet
    REACT_RETRY,  // the same call may succeed later: reconnect, back off, try again
    REACT_REJECT, // this one input is bad: quarantine or refuse it and go on
    REACT_STOP,   // a person must act: end with the message
};

struct error {
    enum reaction react;
    char sqlstate[6]; // set by common/database.c, else empty
    char text[512];   // lower case, names the thing and the value, ends with "; hint: ..." where
                      // there is one
};

#define WARN_UNUSED __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, args_at) __attribute__((format(printf, format_at, args_at)))

// Fills err with a new message and returns false, so that a function can `return fail(...)`.
// err is never NULL, and a text that is too long is cut.
bool fail(struct error *err, enum reaction react, const char *format, ...) PRINTF_LIKE(3, 4);

// Prefixes the message in err with context and returns false: the message grows outward.
bool fail_in(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

// The reaction's name for logs: "retry", "reject", "stop".
const char *reaction_name(enum reaction react);
