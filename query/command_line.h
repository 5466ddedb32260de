#pragma once

#include "query/command.h"

// Reads the command line into a call: the command, its options, its words. EXIT_USAGE with the
// reason in err otherwise. `COMMAND --help` becomes `help COMMAND`.
enum exit_code command_line_read(int argc, char **argv, struct call *call,
                                 struct error *err) WARN_UNUSED;
