// The exit codes, and which of them a database error is. The rooms' reactions are too coarse for a
// script that must tell "not allowed" from "not there".

#include "query/exit_code.h"

#include <string.h>

#include "common/text.h"

struct state_code {
    const char *prefix;
    enum exit_code code;
};

// The first prefix that fits decides, so a whole SQLSTATE stands before its class.
static const struct state_code state_codes[] = {
    {"42501", EXIT_PERMISSION}, {"28", EXIT_PERMISSION},     {"42P01", EXIT_SCHEMA},
    {"42883", EXIT_SCHEMA},     {"42703", EXIT_SCHEMA},      {"3F000", EXIT_SCHEMA},
    {"22007", EXIT_USAGE},      {"22008", EXIT_USAGE},       {"22023", EXIT_USAGE},
    {"08", EXIT_UNREACHABLE},   {"53", EXIT_UNREACHABLE},    {"57", EXIT_UNREACHABLE},
    {"3D", EXIT_UNREACHABLE},   {"25P03", EXIT_UNREACHABLE}, {"55", EXIT_UNREACHABLE},
    {"58", EXIT_UNREACHABLE},
};

// A refused login has no SQLSTATE in libpq; these are the server's untranslated texts.
static bool is_refused_login(const char *text)
{
    return strstr(text, "authentication failed") != NULL ||
           strstr(text, "no password supplied") != NULL ||
           strstr(text, "no pg_hba.conf entry") != NULL ||
           strstr(text, "pg_hba.conf rejects") != NULL ||
           strstr(text, "permission denied for database") != NULL ||
           strstr(text, "is not permitted to log in") != NULL ||
           (strstr(text, "role \"") != NULL && strstr(text, "does not exist") != NULL);
}

enum exit_code exit_code_of(const struct error *err)
{
    if (err->sqlstate[0] == '\0')
        return is_refused_login(err->text) ? EXIT_PERMISSION : EXIT_UNREACHABLE;
    for (size_t i = 0; i < sizeof(state_codes) / sizeof(*state_codes); i++) {
        if (text_starts_with(err->sqlstate, state_codes[i].prefix))
            return state_codes[i].code;
    }
    return EXIT_INTERNAL;
}

const char *exit_code_meaning(size_t index, enum exit_code *code)
{
    static const struct {
        enum exit_code code;
        const char *meaning;
    } meanings[] = {
        {EXIT_YES, "yes: there is an answer"},
        {EXIT_NO, "no: not found, and the scope was covered"},
        {EXIT_USAGE, "the command line is wrong"},
        {EXIT_UNREACHABLE, "the store's PostgreSQL cannot be reached"},
        {EXIT_PERMISSION, "PostgreSQL refuses: log-in or right missing"},
        {EXIT_SCHEMA, "the database's schema version is not supported"},
        {EXIT_UNKNOWN, "unknown: nothing found, and the scope was not covered"},
        {EXIT_INTERNAL, "internal error"},
    };
    if (index >= sizeof(meanings) / sizeof(*meanings))
        return NULL;
    *code = meanings[index].code;
    return meanings[index].meaning;
}
