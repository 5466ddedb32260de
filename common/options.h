#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"
#include "common/error.h"

// One table a program or command: it parses the command line, reads MODELTRAIL_* variables, and
// prints --help, so that none of the three can say something else.

enum option_kind { OPTION_FLAG, OPTION_VALUE };

// Values point into argv or the environment, and so live as long as the program.
struct option_spec {
    const char *name; // long name without dashes; its variable is MODELTRAIL_NAME
    char letter;      // short form, or 0
    enum option_kind kind;
    const char *argument; // placeholder in help for values, such as "FILE"
    const char *help;     // one sentence
    const char **value;   // OPTION_VALUE: receives a borrowed string; untouched when not given
    bool *flag;           // OPTION_FLAG: set to true when given
};

// Parses argv[1..]: options anywhere, "--name=value" and "--name value", "--" ends them. Words that
// are no options are moved to the front of argv in order; *words is their count (from argv[1]).
// Variables fill options that the command line leaves out. The table ends with a NULL name.
bool options_parse(const struct option_spec *table, int argc, char **argv, int *words,
                   struct error *err) WARN_UNUSED;

// Appends the aligned option list for --help.
void options_help(const struct option_spec *table, struct buffer *out);
