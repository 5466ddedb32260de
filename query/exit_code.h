#pragma once

#include <stddef.h>

#include "common/error.h"

// What the program's exit code says (modeltrail(1)). EXIT_NO needs a scope that was covered (R22).
enum exit_code {
    EXIT_YES = 0,
    EXIT_NO = 1,
    EXIT_USAGE = 2,
    EXIT_UNREACHABLE = 3,
    EXIT_PERMISSION = 4,
    EXIT_SCHEMA = 5,
    EXIT_UNKNOWN = 6,
    EXIT_INTERNAL = 70,
};

// The code for a failed database call, by its SQLSTATE; without one the store was not reached.
enum exit_code exit_code_of(const struct error *err);

// One line per code for help and man page; NULL behind the last. *code receives the number.
const char *exit_code_meaning(size_t index, enum exit_code *code);
