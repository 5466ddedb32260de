#pragma once

#include "query/exit_code.h"
#include "query/flags.h"
#include "query/question.h"

// One command of the program; commands.c has the table.
struct call;
struct command {
    const char *name;
    const char *words;   // usage of its words: "MODEL[@VERSION] | URI"; "" when it takes none
    const char *summary; // one line
    const char *detail;  // what else `help NAME` says; NULL when nothing
    int words_min;
    int words_max;
    unsigned flags; // options it takes; `list` adds those of its noun
    enum exit_code (*run)(const struct call *call, struct error *err);
};

#define WORDS_MAX 16

struct call {
    const struct command *command;
    struct flags flags;
    const char *words[WORDS_MAX]; // behind the command's name; borrowed from argv
    int word_count;
};

// The command of that name or NULL; commands are listed from `index` 0 until NULL.
const struct command *command_find(const char *name);
const struct command *command_at(size_t index);

// The usual course of a command: connect, ask, print, and say what the answer rests on. `after`
// (may be NULL) looks at the answer once more, prints what people see behind the table, and may
// turn EXIT_YES into another code.
typedef enum exit_code command_after(const struct answer *answer, bool for_people);
enum exit_code command_answer(const struct flags *flags, const struct question *question,
                              command_after *after, struct error *err);

enum exit_code where_run(const struct call *call, struct error *err);
enum exit_code who_run(const struct call *call, struct error *err);
enum exit_code history_run(const struct call *call, struct error *err);
enum exit_code matrix_run(const struct call *call, struct error *err);
enum exit_code list_run(const struct call *call, struct error *err);
enum exit_code show_run(const struct call *call, struct error *err);
enum exit_code doctor_run(const struct call *call, struct error *err);
enum exit_code version_run(const struct call *call, struct error *err);
enum exit_code help_run(const struct call *call, struct error *err);

// Prints the page of one command, or of `list NOUN` when noun is not NULL.
void help_print_command(const struct command *command, const struct resource *noun);
