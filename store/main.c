// modeltrail-store: options, wiring, and the choice of command.

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/database.h"
#include "common/digest.h"
#include "common/log.h"
#include "common/options.h"
#include "store/apply.h"
#include "store/config.h"
#include "store/migrate.h"
#include "store/rebuild.h"
#include "store/server.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct options {
    const char *config;
    const char *database;
    bool dry_run;
    bool verbose;
    bool help;
    bool version;
};

struct command {
    const char *name;
    const char *arguments;
    const char *summary;
    int words; // how many further words it takes
    bool (*run)(const struct options *options, const char *word, struct error *err);
};

static bool read_config(const struct options *options, struct store_config **config,
                        struct error *err)
{
    if (options->config == NULL)
        return fail(err, REACT_STOP, "no configuration; hint: --config FILE");
    if (!store_config_read(options->config, config, err))
        return false;
    if (options->database != NULL) {
        free((*config)->database);
        (*config)->database = xstrdup(options->database);
    }
    return true;
}

// The database of the option, else of the configuration, else libpq's PG* variables.
static bool open_database(const struct options *options, struct database **db, struct error *err)
{
    if (options->config == NULL)
        return database_open(options->database ? options->database : "", "modeltrail-store", 30000,
                             db, err);
    SCOPED(store_config_free) struct store_config *config = NULL;
    return read_config(options, &config, err) &&
           database_open(config->database, "modeltrail-store", 30000, db, err);
}

static bool run_server(const struct options *options, const char *word, struct error *err)
{
    (void)word;
    SCOPED(store_config_free) struct store_config *config = NULL;
    return read_config(options, &config, err) && server_run(config, options->config, err);
}

static bool run_migrate(const struct options *options, const char *word, struct error *err)
{
    (void)word;
    SCOPED(database_close) struct database *db = NULL;
    if (!open_database(options, &db, err))
        return false;
    database_set_timeout(db, 0); // a migration takes as long as it takes
    int applied;
    if (!migrate_run(db, &applied, err))
        return false;
    printf("schema version %d, %d migration%s applied\n", migrate_newest(), applied,
           applied == 1 ? "" : "s");
    return true;
}

static bool run_rebuild(const struct options *options, const char *word, struct error *err)
{
    (void)word;
    SCOPED(database_close) struct database *db = NULL;
    if (!open_database(options, &db, err) || !migrate_check(db, err))
        return false;
    database_set_timeout(db, 0);
    if (!rebuild_run(db, 0, err))
        return false;
    puts("placements, routes, changes and attributions were computed anew from the facts");
    return true;
}

static bool run_apply(const struct options *options, const char *word, struct error *err)
{
    SCOPED(database_close) struct database *db = NULL;
    if (!open_database(options, &db, err) || !migrate_check(db, err))
        return false;
    database_set_timeout(db, 0); // new patterns name every workload anew
    return apply_file(db, word, options->dry_run, err);
}

static bool run_keygen(const struct options *options, const char *word, struct error *err)
{
    (void)options;
    struct curve_key key;
    if (!curve_key_create(word, &key, err))
        return false;
    char hex[CURVE_KEY_HEX];
    hex_encode(key.public, CURVE_KEY_BYTES, hex);
    puts(hex);
    return true;
}

static const struct command commands[] = {
    {"run", "", "receive events and commit them, until SIGTERM (the default)", 0, run_server},
    {"migrate", "", "bring the database schema up to date", 0, run_migrate},
    {"rebuild", "", "compute placements, changes and attributions anew from the facts", 0,
     run_rebuild},
    {"apply", " FILE", "load the central file: environments, artifact patterns, people", 1,
     run_apply},
    {"keygen", " FILE", "make a CURVE key; prints its public half", 1, run_keygen},
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static void print_help(const struct option_spec *table)
{
    puts("Usage: modeltrail-store [COMMAND] [--config FILE]\n\n"
         "Receives model lifecycle events from collectors and commits them to PostgreSQL.\n");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        char left[32];
        snprintf(left, sizeof(left), "%s%s", commands[i].name, commands[i].arguments);
        printf("  %-16s %s\n", left, commands[i].summary);
    }
    SCOPED_BUFFER text = {0};
    options_help(table, &text);
    printf("\n%s\nSee modeltrail-store(1).\n", text.data);
}

static int usage(const char *message)
{
    fprintf(stderr, "modeltrail-store: %s; hint: --help lists commands and options\n", message);
    return EXIT_USAGE;
}

static int run_command(const struct options *options, int words, char **argv)
{
    const char *name = words > 0 ? argv[1] : "run";
    const struct command *command = find_command(name);
    if (command == NULL) {
        SCOPED(xfree_char) char *message = xasprintf("unknown command '%s'", name);
        return usage(message);
    }
    int given = words > 0 ? words - 1 : 0;
    if (given != command->words) {
        SCOPED(xfree_char)
        char *message = xasprintf("%s takes %d argument%s, not %d", command->name, command->words,
                                  command->words == 1 ? "" : "s", given);
        return usage(message);
    }
    struct error err;
    if (command->run(options, given ? argv[2] : NULL, &err))
        return EXIT_DONE;
    log_line(LOG_ERROR, err.text, NULL);
    return EXIT_FAILED;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    const struct option_spec table[] = {
        {"config", 'c', OPTION_VALUE, "FILE", "the store's configuration", &options.config, NULL},
        {"database", 0, OPTION_VALUE, "CONNINFO",
         "libpq connection string instead of the configured one", &options.database, NULL},
        {"dry-run", 0, OPTION_FLAG, NULL, "apply: show what would change, change nothing", NULL,
         &options.dry_run},
        {"verbose", 'v', OPTION_FLAG, NULL, "log debug lines too", NULL, &options.verbose},
        {"help", 'h', OPTION_FLAG, NULL, "print this help", NULL, &options.help},
        {"version", 'V', OPTION_FLAG, NULL, "print the version", NULL, &options.version},
        {0},
    };
    int words;
    struct error err;
    if (!options_parse(table, argc, argv, &words, &err))
        return usage(err.text);
    if (options.help) {
        print_help(table);
        return EXIT_DONE;
    }
    if (options.version) {
        puts("modeltrail-store " MODELTRAIL_VERSION);
        return EXIT_DONE;
    }
    log_init("modeltrail-store", options.verbose ? LOG_DEBUG : LOG_INFO);
    if (sodium_init() < 0)
        return EXIT_FAILED;
    return run_command(&options, words, argv);
}
