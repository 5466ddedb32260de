// From argv to a call. Options may stand anywhere, so the words are found first with the options of
// all commands, and then the options are read again with those that the command takes.

#include "query/command_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "query/nearest.h"

// Named by the design, not part of this version.
static const char *const later[] = {"diff",       "promotions", "drift",      "watch",
                                    "completion", "report",     "findings",   "inventory",
                                    "verify",     "export",     "permissions"};

static bool is_later(const char *name)
{
    for (size_t i = 0; i < sizeof(later) / sizeof(*later); i++) {
        if (strcmp(later[i], name) == 0)
            return true;
    }
    return false;
}

// A name that the design promises is no typing error, and gets no wrong hint.
static enum exit_code unknown_command(const char *name, struct error *err)
{
    const char *names[16];
    size_t count = 0;
    for (; count < 16 && command_at(count) != NULL; count++)
        names[count] = command_at(count)->name;
    const char *near = nearest_word(name, names, count);
    if (is_later(name))
        fail(err, REACT_STOP, "'%s' is not there yet in this version", name);
    else if (near != NULL)
        fail(err, REACT_STOP, "no command '%.60s'; hint: did you mean '%s'?", name, near);
    else
        fail(err, REACT_STOP, "no command '%.60s'; hint: modeltrail help", name);
    return EXIT_USAGE;
}

// Too many words are refused: silently ignored, they would make the answer one to another question.
static enum exit_code check_words(const struct call *call, struct error *err)
{
    const struct command *command = call->command;
    for (int i = 0; i < call->word_count && i < WORDS_MAX; i++) {
        if (call->words[i][0] == '\0') {
            fail(err, REACT_STOP, "the word for '%s' is empty; hint: modeltrail %s %s",
                 command->name, command->name, command->words);
            return EXIT_USAGE;
        }
    }
    if (call->word_count >= command->words_min && call->word_count <= command->words_max)
        return EXIT_YES;
    fail(err, REACT_STOP, "'%s' takes %s; hint: modeltrail %s %s", command->name,
         command->words_max == 0 ? "no word" : command->words, command->name, command->words);
    return EXIT_USAGE;
}

// Parses a copy of argv, because parsing moves its words; the first of them go to `words`.
static bool parse(unsigned mask, int argc, char **argv, struct flags *flags,
                  const char *words[WORDS_MAX + 1], int *count, struct error *err)
{
    char **copy = xcalloc((size_t)argc + 1, sizeof(*copy));
    memcpy(copy, argv, (size_t)argc * sizeof(*copy));
    bool parsed = flags_parse(mask, argc, copy, flags, count, err);
    for (int i = 0; parsed && i < *count && i <= WORDS_MAX; i++)
        words[i] = copy[i + 1];
    free(copy);
    return parsed;
}

// Finds the words and what they name, whatever options stand between them.
static enum exit_code read_words(int argc, char **argv, struct call *call, struct error *err)
{
    struct flags flags = {0};
    const char *words[WORDS_MAX + 1] = {NULL};
    int count = 0;
    if (!parse(FLAGS_ALL, argc, argv, &flags, words, &count, err))
        return EXIT_USAGE;
    bool is_help = count == 0 || flags.help;
    call->command = command_find(is_help ? "help" : words[0]);
    if (call->command == NULL)
        return unknown_command(words[0], err);
    int skipped = is_help ? 0 : 1;
    call->word_count = count - skipped;
    for (int i = skipped; i < count && i - skipped < WORDS_MAX && i <= WORDS_MAX; i++)
        call->words[i - skipped] = words[i];
    if (count == 0 && !flags.help) {
        fail(err, REACT_STOP, "no command; hint: modeltrail help");
        return EXIT_USAGE;
    }
    return check_words(call, err);
}

// What can be asked at an instant only and what over a range only are told apart by their options;
// whoever takes one for the other learns which it is.
static void hint_instant(unsigned mask, struct error *err)
{
    const char *hint = NULL;
    if (strstr(err->text, "'--since") != NULL || strstr(err->text, "'--until") != NULL)
        hint = mask & FLAG_AS_OF ? "--as-of asks at one instant" : "it is answered for now only";
    else if (strstr(err->text, "'--as-of") != NULL)
        hint = mask & FLAG_RANGE ? "--until" : "it is answered for now only";
    char *old = strstr(err->text, "; hint: ");
    if (hint != NULL && old != NULL)
        snprintf(old, sizeof(err->text) - (size_t)(old - err->text), "; hint: %s", hint);
}

// Reads the options again, this time only those that the command takes.
static enum exit_code read_own_flags(int argc, char **argv, struct call *call, struct error *err)
{
    bool is_list = strcmp(call->command->name, "list") == 0;
    const struct resource *noun = is_list ? resource_find(call->words[0]) : NULL;
    unsigned mask = call->command->flags | (noun ? noun->flags : 0);
    const char *words[WORDS_MAX + 1];
    int count;
    if (!parse(mask, argc, argv, &call->flags, words, &count, err)) {
        hint_instant(mask, err);
        fail_in(err, "%s%s%s", call->command->name, noun ? " " : "", noun ? noun->noun : "");
        return EXIT_USAGE;
    }
    if (!flags_check(&call->flags, err))
        return EXIT_USAGE;
    bool is_range = mask & FLAG_RANGE;
    return !is_range || flags_end_range(&call->flags, err) ? EXIT_YES : EXIT_USAGE;
}

// The database takes UTF-8 only, and its refusal would look like a fault of the program.
static bool check_text(int argc, char **argv, struct error *err)
{
    for (int i = 1; i < argc; i++) {
        if (!text_is_utf8(argv[i], strlen(argv[i])))
            return fail(err, REACT_STOP,
                        "'%.200s' is no UTF-8 text; hint: check the terminal's encoding", argv[i]);
    }
    return true;
}

// `--version` is no option of any command, so that MODELTRAIL_VERSION in an image's environment
// means nothing.
enum exit_code command_line_read(int argc, char **argv, struct call *call, struct error *err)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        call->command = command_find("version");
        return EXIT_YES;
    }
    if (!check_text(argc, argv, err))
        return EXIT_USAGE;
    enum exit_code code = read_words(argc, argv, call, err);
    bool is_help = code == EXIT_YES && strcmp(call->command->name, "help") == 0;
    if (code != EXIT_YES || is_help)
        return code;
    return read_own_flags(argc, argv, call, err);
}
