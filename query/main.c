// modeltrail: which version of which model runs where, since when, and who put it there. Reads the
// command line, finds the command, runs it.

#include <stdio.h>

#include "query/command_line.h"
#include "query/talk.h"

// Output that could not be written is no answer, whatever was found.
static enum exit_code finish(enum exit_code code)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return code;
    struct error err;
    fail(&err, REACT_STOP, "cannot write the answer to stdout");
    talk_error(&err);
    return EXIT_INTERNAL;
}

int main(int argc, char **argv)
{
    struct call call = {0};
    struct error err = {0};
    enum exit_code code = command_line_read(argc, argv, &call, &err);
    if (code == EXIT_YES)
        code = call.command->run(&call, &err);
    if (err.text[0] != '\0')
        talk_error(&err);
    return (int)finish(code);
}
