// modeltrail-store: options, wiring, and the choice of command.
// What each command does is in a file of its own.

#include <malloc.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/database.h"
#include "common/digest.h"
#include "common/log.h"
#include "common/options.h"
#include "store/apply.h"
#include "store/config.h"
#include "store/enrolment.h"
#include "store/migrate.h"
#include "store/rebuild.h"
#include "store/server.h"

// D37: a fault in what was written is told from one in what happened.
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct options {
    const char *config;
    const char *database;
    const char *cluster;
    const char *namespaces;
    const char *repositories;
    bool dry_run;
    bool verbose;
    bool help;
    bool version;
};

// What a command is run with.
struct call {
    const struct options *options;
    struct store_config *config; // NULL when none was given
    const char *words[2];        // NULL where none was given
};

struct command {
    const char *name;
    const char *arguments;
    const char *summary;
    int words; // how many further words it needs
    int most;  // and takes
    bool needs_config;
    bool (*run)(const struct call *call, struct error *err);
};

// Before the command begins, so that a fault of the configuration is told from a failure. NULL when
// none was given and none is needed.
static bool read_config(const struct command *command, const struct options *options,
                        struct store_config **config, struct error *err)
{
    if (options->config == NULL) {
        return !command->needs_config ||
               fail(err, REACT_STOP, "%s needs a configuration; hint: --config FILE",
                    command->name);
    }
    if (!store_config_read(options->config, config, err))
        return false;
    if (options->database != NULL) {
        free((*config)->database);
        (*config)->database = xstrdup(options->database);
    }
    return true;
}

// The database of the option, else of the configuration, else libpq's PG* variables.
static bool open_database(const struct call *call, struct database **db, struct error *err)
{
    const char *conninfo = call->options->database;
    if (conninfo == NULL)
        conninfo = call->config != NULL ? call->config->database : "";
    return database_open(conninfo, "modeltrail-store", DATABASE_WRITES, 30000, db, err);
}

static bool run_server(const struct call *call, struct error *err)
{
    // glibc raises this by itself once such a block was freed. Then frames lie between smaller
    // blocks, and what a flood took is not given back.
    mallopt(M_MMAP_THRESHOLD, 128 * 1024);
    return server_run(call->config, call->options->config, err);
}

static bool run_migrate(const struct call *call, struct error *err)
{
    SCOPED(database_close) struct database *db = NULL;
    if (!open_database(call, &db, err))
        return false;
    database_set_timeout(db, 0); // a migration takes as long as it takes
    int applied;
    if (!migrate_run(db, &applied, err))
        return false;
    printf("schema version %d, %d migration%s applied\n", migrate_newest(), applied,
           applied == 1 ? "" : "s");
    return true;
}

// No deadline: it folds everything in one transaction, however much that is.
static bool run_rebuild(const struct call *call, struct error *err)
{
    SCOPED(database_close) struct database *db = NULL;
    if (!open_database(call, &db, err) || !migrate_check(db, err))
        return false;
    database_set_timeout(db, 0);
    if (!rebuild_run(db, 0, err))
        return false;
    puts("placements, routes, changes and attributions were computed anew from the facts");
    return true;
}

static bool run_apply(const struct call *call, struct error *err)
{
    SCOPED(database_close) struct database *db = NULL;
    if (!open_database(call, &db, err) || !migrate_check(db, err))
        return false;
    database_set_timeout(db, 0); // new patterns name every workload anew
    return apply_file(db, call->words[0], call->options->dry_run, err);
}

// The public half goes to stdout alone, for the line of the allow-list.
static bool run_keygen(const struct call *call, struct error *err)
{
    SCOPED_CURVE_KEY key = {0};
    if (!curve_key_create(call->words[0], &key, err))
        return false;
    char hex[CURVE_KEY_HEX];
    hex_encode(key.public, CURVE_KEY_BYTES, hex);
    puts(hex);
    return true;
}

static bool run_enrol(const struct call *call, struct error *err)
{
    return enrolment_add(call->config,
                         &(struct enrolment){.name = call->words[0],
                                             .key = call->words[1],
                                             .cluster = call->options->cluster,
                                             .namespaces = call->options->namespaces,
                                             .repositories = call->options->repositories},
                         err);
}

static bool run_revoke(const struct call *call, struct error *err)
{
    return enrolment_revoke(call->config, call->words[0], call->words[1], err);
}

static const struct command commands[] = {
    {"run", "", "receive events and commit them, until SIGTERM (the default)", 0, 0, true,
     run_server},
    {"migrate", "", "bring the database schema up to date", 0, 0, false, run_migrate},
    {"rebuild", "", "compute placements, changes and attributions anew from the facts", 0, 0, false,
     run_rebuild},
    {"apply", " FILE", "load the central file: environments, artifact patterns, people", 1, 1,
     false, run_apply},
    {"keygen", " FILE", "make a CURVE key; prints its public half", 1, 1, false, run_keygen},
    {"enrol", " NAME KEY", "let a collector in, or give it its next key", 2, 2, true, run_enrol},
    {"revoke", " NAME [KEY]", "take a collector or one of its keys back", 1, 2, true, run_revoke},
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
        printf("  %-18s %s\n", left, commands[i].summary);
    }
    SCOPED_BUFFER text = {0};
    options_help(table, &text);
    printf("\n%s\nSee modeltrail-store(1).\n", text.data);
}

static int usage(const char *message)
{
    const char *hint =
        strstr(message, "; hint: ") != NULL ? "" : "; hint: --help lists commands and options";
    fprintf(stderr, "modeltrail-store: %s%s\n", message, hint);
    return EXIT_USAGE;
}

// Fails when there is no such command, or it takes another number of words.
// Words too many are an error as well: `apply a.yaml b.yaml` must not quietly apply one of them.
static bool choose_command(int words, char **argv, const struct command **command,
                           struct error *err)
{
    const char *name = words > 0 ? argv[1] : "run";
    *command = find_command(name);
    if (*command == NULL)
        return fail(err, REACT_STOP, "unknown command '%.100s'", name);
    int given = words > 0 ? words - 1 : 0;
    if (given < (*command)->words || given > (*command)->most) {
        return fail(err, REACT_STOP, "%s takes %d argument%s, not %d", name, (*command)->words,
                    (*command)->words == 1 ? "" : "s", given);
    }
    return true;
}

// Usage goes to stderr as it is, failures through the log, since a running store is watched there.
static int run_command(const struct options *options, int words, char **argv)
{
    struct error err;
    const struct command *command;
    SCOPED(store_config_free) struct store_config *config = NULL;
    if (!choose_command(words, argv, &command, &err) ||
        !read_config(command, options, &config, &err))
        return usage(err.text);
    const struct call call = {
        options, config, {words > 1 ? argv[2] : NULL, words > 2 ? argv[3] : NULL}};
    if (command->run(&call, &err))
        return EXIT_DONE;
    log_line(LOG_ERROR, err.text, NULL);
    return EXIT_FAILED;
}

// Help and version come before everything that can fail. libsodium must be started before its first
// use.
int main(int argc, char **argv)
{
    struct options options = {0};
    const struct option_spec table[] = {
        {"config", 'c', OPTION_VALUE, "FILE", "the store's configuration", &options.config, NULL},
        {"database", 0, OPTION_VALUE, "CONNINFO",
         "libpq connection string instead of the configured one", &options.database, NULL},
        {"cluster", 0, OPTION_VALUE, "NAME", "enrol: the cluster that it speaks for",
         &options.cluster, NULL},
        {"namespaces", 0, OPTION_VALUE, "A,B", "enrol: only these namespaces of it",
         &options.namespaces, NULL},
        {"repositories", 0, OPTION_VALUE, "A,B",
         "enrol: the Git repositories whose commits it may declare; * for all",
         &options.repositories, NULL},
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
