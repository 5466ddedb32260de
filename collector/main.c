// modeltrail-collector: options, wiring and run.

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "collector/collector.h"
#include "collector/enrol.h"
#include "collector/file_limit.h"
#include "collector/kinds.h"
#include "common/curve_key.h"
#include "common/digest.h"
#include "common/log.h"
#include "common/options.h"

#define EXIT_STOPPED 1
#define EXIT_USAGE 2

struct arguments {
    const char *config;
    const char *log_level;
    bool once;
    bool help;
    bool version;
    struct config_overrides overrides;
};

static bool parse_arguments(struct arguments *arguments, int argc, char **argv, int *words,
                            struct buffer *help, struct error *err)
{
    struct config_overrides *given = &arguments->overrides;
    const struct option_spec table[] = {
        {"config", 'c', OPTION_VALUE, "FILE", "configuration file (YAML)", &arguments->config,
         NULL},
        {"once", 0, OPTION_FLAG, NULL, "read the sources to their end, wait for the store, exit",
         NULL, &arguments->once},
        {"collector", 0, OPTION_VALUE, "NAME", "this collector's name", &given->collector, NULL},
        {"cluster", 0, OPTION_VALUE, "NAME", "the cluster it speaks for", &given->cluster, NULL},
        {"store", 0, OPTION_VALUE, "ADDRESSES", "store addresses, separated by commas",
         &given->store, NULL},
        {"store-key", 0, OPTION_VALUE, "HEX", "the store's public key; several with commas",
         &given->store_key, NULL},
        {"key-file", 0, OPTION_VALUE, "FILE", "own secret key, mode 0600", &given->key_file, NULL},
        {"spool", 0, OPTION_VALUE, "FILE", "spool file (SQLite)", &given->spool, NULL},
        {"spool-max-bytes", 0, OPTION_VALUE, "N", "events waiting at most; default 1 GiB",
         &given->spool_max_bytes, NULL},
        {"retain-events", 0, OPTION_VALUE, "N", "acknowledged events kept; default 10000",
         &given->retain_events, NULL},
        {"timeout-ms", 0, OPTION_VALUE, "N", "for the store's answer; default 10000",
         &given->timeout_ms, NULL},
        {"log-level", 0, OPTION_VALUE, "LEVEL", "debug, info (default), warn or error",
         &arguments->log_level, NULL},
        {"help", 'h', OPTION_FLAG, NULL, "print this help", NULL, &arguments->help},
        {"version", 'V', OPTION_FLAG, NULL, "print the version", NULL, &arguments->version},
        {NULL, 0, OPTION_FLAG, NULL, NULL, NULL, NULL},
    };
    options_help(table, help);
    return options_parse(table, argc, argv, words, err);
}

static void print_help(const struct buffer *options)
{
    printf(
        "Usage: modeltrail-collector --config FILE [--once]\n"
        "       modeltrail-collector keygen FILE\n"
        "       modeltrail-collector enrol --config FILE\n\n"
        "Watches Kubernetes and audit logs for machine-learning models and sends what it sees to\n"
        "modeltrail-store. keygen makes a secret key and prints its public half; enrol prints the\n"
        "command that lets this collector in at the store. Options can be given as MODELTRAIL_* "
        "variables too.\n\n%s",
        options->data);
}

static bool set_log_level(const char *name, struct error *err)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strcmp(name, names[i]) == 0) {
            log_init("modeltrail-collector", (enum log_level)i);
            return true;
        }
    }
    return fail(err, REACT_STOP, "log level '%.32s' is not known; hint: debug, info, warn, error",
                name);
}

static bool keygen(const char *path, struct error *err)
{
    SCOPED_CURVE_KEY key = {0};
    char hex[CURVE_KEY_HEX];
    if (!curve_key_create(path, &key, err))
        return false;
    hex_encode(key.public, CURVE_KEY_BYTES, hex);
    printf("%s\n", hex);
    return true;
}

// Signals come as a descriptor of the loop. Blocked before any thread exists, so that ZeroMQ's
// inherit it.
static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int complain(const struct error *err, int code)
{
    fprintf(stderr, "modeltrail-collector: %s\n", err->text);
    return code;
}

static int complain_no_config(void)
{
    fprintf(stderr, "modeltrail-collector: --config FILE is needed; hint: --help\n");
    return EXIT_USAGE;
}

// One for each kind in each namespace, or in the whole cluster; a namespace's labels are asked for
// beside them.
static size_t count_watches(const struct config *config)
{
    size_t count = 0;
    size_t kinds;
    kinds_watched(&kinds);
    for (size_t i = 0; i < config->source_count; i++) {
        size_t namespaces = config->sources[i].kubernetes.namespace_count;
        if (config->sources[i].type == SOURCE_KUBERNETES)
            count += (kinds + 1) * (namespaces > 0 ? namespaces : 1);
    }
    return count;
}

static int run(const struct arguments *arguments)
{
    struct error err;
    SCOPED(config_free) struct config *config = NULL;
    if (!set_log_level(arguments->log_level ? arguments->log_level : "info", &err) ||
        !config_load(arguments->config, &arguments->overrides, arguments->once, &config, &err))
        return complain(&err, EXIT_USAGE);
    // Frames come and go: large blocks go back to the system instead of raising the threshold.
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
    file_limit_raise();
    file_limit_check(count_watches(config));
    int signals = open_signals();
    bool ended = collector_run(config, arguments->once, signals, &err);
    close(signals);
    if (ended)
        return 0;
    log_line(LOG_ERROR, "ended", "reason", err.text, NULL);
    return EXIT_STOPPED;
}

static int run_enrol(const struct arguments *arguments)
{
    struct error err;
    SCOPED(config_free) struct config *config = NULL;
    if (!config_load(arguments->config, &arguments->overrides, false, &config, &err))
        return complain(&err, EXIT_USAGE);
    return enrol_print(config, &err) ? 0 : complain(&err, EXIT_STOPPED);
}

// Without a word it collects.
static int run_word(const struct arguments *arguments, int words, char **argv)
{
    struct error err;
    const char *hint = "hint: modeltrail-collector keygen FILE, or --config FILE to collect";
    bool is_enrol = strcmp(argv[1], "enrol") == 0;
    if (!is_enrol && strcmp(argv[1], "keygen") != 0) {
        (void)fail(&err, REACT_STOP, "unknown command '%.100s'; %s", argv[1], hint);
        return complain(&err, EXIT_USAGE);
    }
    int wanted = is_enrol ? 1 : 2;
    if (words != wanted) {
        (void)fail(&err, REACT_STOP, "%s takes %d argument%s, not %d; %s", argv[1], wanted - 1,
                   wanted == 2 ? "" : "s", words - 1, hint);
        return complain(&err, EXIT_USAGE);
    }
    if (is_enrol)
        return arguments->config != NULL ? run_enrol(arguments) : complain_no_config();
    return keygen(argv[2], &err) ? 0 : complain(&err, EXIT_STOPPED);
}

int main(int argc, char **argv)
{
    struct error err;
    struct arguments arguments = {0};
    SCOPED_BUFFER help = {0};
    int words;
    if (!parse_arguments(&arguments, argc, argv, &words, &help, &err))
        return complain(&err, EXIT_USAGE);
    if (arguments.help) {
        print_help(&help);
        return 0;
    }
    if (arguments.version) {
        printf("modeltrail-collector %s\n", MODELTRAIL_VERSION);
        return 0;
    }
    if (words > 0)
        return run_word(&arguments, words, argv);
    if (arguments.config == NULL)
        return complain_no_config();
    return run(&arguments);
}
