// Command line and environment by one table.
// Errors are told in terms of the long names, which the variables share. What a value means is for
// whoever owns the table.

#include "common/options.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct option_spec *find_long(const struct option_spec *table, const char *name,
                                           size_t length)
{
    for (; table->name != NULL; table++) {
        if (strlen(table->name) == length && strncmp(table->name, name, length) == 0)
            return table;
    }
    return NULL;
}

static const struct option_spec *find_letter(const struct option_spec *table, char letter)
{
    for (; table->name != NULL; table++) {
        if (table->letter != '\0' && table->letter == letter)
            return table;
    }
    return NULL;
}

// Sets one option. `attached` is what stood behind '=' or the letter, or NULL; *used_next tells
// whether the next word was taken as the value.
static bool set_option(const struct option_spec *option, const char *attached, const char *next,
                       bool *used_next, struct error *err)
{
    *used_next = false;
    if (option->kind == OPTION_FLAG) {
        if (attached != NULL)
            return fail(err, REACT_STOP, "option --%s takes no value", option->name);
        *option->flag = true;
        return true;
    }
    *used_next = attached == NULL;
    *option->value = attached ? attached : next;
    if (*option->value == NULL)
        return fail(err, REACT_STOP, "option --%s needs a value; hint: --%s %s", option->name,
                    option->name, option->argument);
    return true;
}

// Letters are not joined (`-ab`): a typo would pass for two options. Long names must be whole,
// since an abbreviation would change its meaning when an option is added.
static bool parse_word(const struct option_spec *table, const char *word, const char *next,
                       bool *used_next, struct error *err)
{
    const struct option_spec *option;
    const char *attached = NULL;
    if (word[1] == '-') {
        const char *equals = strchr(word, '=');
        option =
            find_long(table, word + 2, equals ? (size_t)(equals - word - 2) : strlen(word + 2));
        attached = equals ? equals + 1 : NULL;
    } else {
        option = find_letter(table, word[1]);
        if (option != NULL && option->kind == OPTION_VALUE && word[2] != '\0')
            attached = word + 2;
        else if (word[2] != '\0')
            option = NULL;
    }
    if (option == NULL)
        return fail(err, REACT_STOP, "unknown option '%.100s'; hint: --help lists the options",
                    word);
    return set_option(option, attached, next, used_next, err);
}

// Runs before the command line, which then overwrites what it gives. An empty variable counts as
// not set: that is how compose files and unit files hand on what nobody filled in.
static void read_environment(const struct option_spec *table)
{
    for (; table->name != NULL; table++) {
        SCOPED_BUFFER name = {0};
        buffer_append_text(&name, "MODELTRAIL_");
        for (const char *c = table->name; *c; c++)
            buffer_append_char(&name, *c == '-' ? '_' : (char)toupper((unsigned char)*c));
        // A flag can be switched off with 0 or false, so that a unit file can say so in plain
        // words.
        const char *value = getenv(name.data);
        if (value == NULL || *value == '\0')
            continue;
        if (table->kind == OPTION_VALUE)
            *table->value = value;
        else if (strcmp(value, "0") != 0 && strcmp(value, "false") != 0)
            *table->flag = true;
    }
}

// Words are moved within argv, so nothing is allocated; the words already moved lie before the one
// that is read.
bool options_parse(const struct option_spec *table, int argc, char **argv, int *words,
                   struct error *err)
{
    read_environment(table);
    *words = 0;
    bool ended = false;
    for (int i = 1; i < argc; i++) {
        char *word = argv[i];
        if (!ended && strcmp(word, "--") == 0) {
            ended = true;
        } else if (ended || word[0] != '-' || word[1] == '\0') {
            argv[++*words] = word;
        } else {
            bool used_next = false;
            if (!parse_word(table, word, i + 1 < argc ? argv[i + 1] : NULL, &used_next, err))
                return false;
            i += used_next;
        }
    }
    return true;
}

void options_help(const struct option_spec *table, struct buffer *out)
{
    for (; table->name != NULL; table++) {
        SCOPED_BUFFER left = {0};
        if (table->letter != '\0')
            buffer_printf(&left, "  -%c, --%s", table->letter, table->name);
        else
            buffer_printf(&left, "      --%s", table->name);
        if (table->kind == OPTION_VALUE)
            buffer_printf(&left, " %s", table->argument);
        buffer_printf(out, "%-30s  %s\n", left.data, table->help);
    }
}
