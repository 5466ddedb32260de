// `help`, `version` and every --help, printed from the tables that also parse and run.

#include <stdio.h>
#include <string.h>

#include "query/command.h"
#include "query/nearest.h"

#define OVERVIEW "help"

struct topic {
    const char *name;
    const char *summary;
    const char *text; // NULL: the topic is made from a table
};

static const struct topic topics[] = {
    {"times", "how instants are written and read",
     "  2026-03-01T09:00:00Z   RFC 3339, with any offset\n"
     "  2026-03-01             a date in --timezone (default UTC): the end of that day for "
     "--as-of\n"
     "                         and --until, its start for --since\n"
     "  3d, 12h, 1w2d, 90m     that long before now, by the database's clock (s m h d w)\n"
     "\n"
     "The resolved instants are printed on stderr. The end of today is now; the future is "
     "refused.\n"
     "Where a range is asked about, --as-of is the same as --until. Without --since the range\n"
     "begins for each scope when it was first observed, and a \"no\" says since when all were.\n"},
    {"formats", "what -o prints",
     "  table   aligned, for people; instants are ages, absolute with --as-of\n"
     "  wide    the same with more columns and absolute instants\n"
     "  json    one object: apiVersion, kind, as_of, truncated, coverage, items\n"
     "  jsonl   one item a line\n"
     "  csv     RFC 4180; text that begins with = + - @ tab or carriage return gets a leading\n"
     "          apostrophe, so that no spreadsheet runs it\n"
     "  tsv     tab-separated; backslash, tab, newline, carriage return become \\\\ \\t \\n \\r\n"
     "  name    one identifier a line\n"
     "\n"
     "Columns are named as in the SQL views; NULL is '-' in tables and empty in csv and tsv.\n"
     "Control and invisible characters are shown as \\x1b or \\u202e. NO_COLOR switches colour "
     "off.\n"},
    {"connection", "which database is asked",
     "  --dsn CONNINFO    libpq connection string or URI\n"
     "  --service NAME    entry of pg_service.conf\n"
     "  PGHOST, PGDATABASE, PGUSER, PGSERVICE, ~/.pgpass ... otherwise, as for psql\n"
     "\n"
     "The role needs membership in modeltrail_reader; raw objects need modeltrail_auditor.\n"
     "Every option can be set by a variable too: MODELTRAIL_OUTPUT, MODELTRAIL_DSN ...\n"},
    {"words", "what states, roles, attributions and outcomes mean",
     "state of a deployment\n"
     "  serving        ready with this version\n"
     "  pending        asked for, never seen ready\n"
     "  failed         the workload says that it does not run\n"
     "  stopped        scaled to zero, or stopped by annotation\n"
     "  lingering      asked away, still answering\n"
     "\nrole\n"
     "  live           answers with its share of the traffic\n"
     "  canary         is tried with a part of the traffic\n"
     "  shadow         gets a copy of the traffic; its answers are dropped\n"
     "  explainer      explains answers, serves none of its own\n"
     "  transformer    prepares or reworks what the model gets and gives\n"
     "\nattribution\n"
     "  exact          the one request that made the object's very version\n"
     "  unique         the only request that can have made it\n"
     "  ambiguous      requests can have made it, none is proven; nobody is named\n"
     "  pending        the who-source has not got there yet\n"
     "  missing        the who-source was there and shows nobody: an alarm\n"
     "  not_collected  no who-source covers it\n"
     "\nstrength of a link (show)\n"
     "  unique         as above; of a sync: by its time\n"
     "  executed       a controller's request, for the one behind it\n"
     "  inferred       a listing lacked the object\n"
     "  stated         the central file or the tool says so\n"
     "  verbatim       nobody mapped the name\n"
     "  weak           others may have written it too\n"
     "  claim          anybody may have written it; proves nothing\n"
     "\noutcome of a request\n"
     "  done           credited with a change\n"
     "  accepted       carried out; in who: it moved no model\n"
     "  refused        not allowed (401, 403)\n"
     "  failed         any other error, conflicts included\n"
     "  dry_run        would have been accepted\n"
     "  unknown        the answer was not told\n"
     "\nobservation\n"
     "  fresh          its scope was looked at within three minutes\n"
     "  stale          it was not\n"
     "  inferred       it ended at some unknown instant, when nobody looked\n"},
    {"exit-codes", "what the exit code says", NULL},
};

// The first thing that a new user sees: every command and topic on one screen.
static void print_overview(void)
{
    puts("modeltrail: which version of which model runs where, since when, and who put it there\n\n"
         "usage: modeltrail COMMAND [OPTIONS]\n\ncommands:");
    for (size_t i = 0; command_at(i) != NULL; i++)
        printf("  %-9s %-25s  %s\n", command_at(i)->name, command_at(i)->words,
               command_at(i)->summary);
    puts("\ntopics:");
    for (size_t i = 0; i < sizeof(topics) / sizeof(*topics); i++)
        printf("  %-35s  %s\n", topics[i].name, topics[i].summary);
    puts("\n'modeltrail help COMMAND' or 'modeltrail COMMAND --help' tells more.");
}

static void print_nouns(void)
{
    puts("nouns:");
    for (size_t i = 0; resource_at(i) != NULL; i++)
        printf("  %-12s  %s\n", resource_at(i)->noun, resource_at(i)->summary);
    puts("");
}

// The names that --columns takes.
static void print_columns(const struct resource *noun)
{
    puts("columns (* in tables, + in wide ones):");
    for (const struct column *column = noun->columns; column->name != NULL; column++) {
        static const char marks[] = {'*', '+', ' '};
        printf("  %c %s\n", marks[column->level], column->name);
    }
    puts("");
}

void help_print_command(const struct command *command, const struct resource *noun)
{
    const char *words = noun != NULL ? noun->noun : command->words;
    printf("usage: modeltrail %s%s%s [OPTIONS]\n\n%s\n\n", command->name, *words ? " " : "", words,
           noun != NULL ? noun->summary : command->summary);
    if (command->detail != NULL)
        printf("%s\n\n", command->detail);
    bool is_list = strcmp(command->name, "list") == 0;
    if (is_list && noun == NULL)
        print_nouns();
    if (noun != NULL)
        print_columns(noun);
    SCOPED_BUFFER options = {0};
    flags_help(command->flags | (noun != NULL ? noun->flags : 0), &options);
    printf("options:\n%s", options.data);
}

static void print_topic(const struct topic *topic)
{
    printf("%s: %s\n\n", topic->name, topic->summary);
    if (topic->text != NULL)
        fputs(topic->text, stdout);
    enum exit_code code;
    for (size_t i = 0; topic->text == NULL && exit_code_meaning(i, &code) != NULL; i++)
        printf("  %2d  %s\n", (int)code, exit_code_meaning(i, &code));
}

static const struct topic *find_topic(const char *name)
{
    for (size_t i = 0; i < sizeof(topics) / sizeof(*topics); i++) {
        if (strcmp(topics[i].name, name) == 0)
            return &topics[i];
    }
    return NULL;
}

static enum exit_code unknown_topic(const char *name, struct error *err)
{
    const char *names[32];
    size_t count = 0;
    for (size_t i = 0; command_at(i) != NULL && count < 16; i++)
        names[count++] = command_at(i)->name;
    for (size_t i = 0; i < sizeof(topics) / sizeof(*topics); i++)
        names[count++] = topics[i].name;
    const char *near = nearest_word(name, names, count);
    if (near != NULL)
        fail(err, REACT_STOP, "no topic '%.60s'; hint: did you mean '%s'?", name, near);
    else
        fail(err, REACT_STOP, "no topic '%.60s'; hint: modeltrail help", name);
    return EXIT_USAGE;
}

enum exit_code help_run(const struct call *call, struct error *err)
{
    if (call->word_count == 0 || strcmp(call->words[0], OVERVIEW) == 0) {
        print_overview();
        return EXIT_YES;
    }
    const struct command *command = command_find(call->words[0]);
    const struct topic *topic = find_topic(call->words[0]);
    if (command != NULL) {
        bool has_noun = strcmp(command->name, "list") == 0 && call->word_count > 1;
        const struct resource *noun = has_noun ? resource_find(call->words[1]) : NULL;
        if (has_noun && noun == NULL)
            return unknown_topic(call->words[1], err);
        help_print_command(command, noun);
    } else if (topic != NULL) {
        print_topic(topic);
    } else {
        return unknown_topic(call->words[0], err);
    }
    return EXIT_YES;
}

enum exit_code version_run(const struct call *call, struct error *err)
{
    (void)call;
    (void)err;
    puts("modeltrail " MODELTRAIL_VERSION);
    return EXIT_YES;
}
