// Arguments and environment of the git program, checked and complete: whoever may write to a
// repository, or to its configuration, must not get a program run here.

#define _GNU_SOURCE // nftw
#include "collector/git_repository.h"

#include <assert.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/text.h"

#define ARGUMENTS_MAX 96
#define ENVIRONMENT_MAX 40
#define READ_MS (10 * 60 * 1000)
#define FETCH_MS (60 * 60 * 1000) // a first fetch may be large; a dead line is noticed by git

struct git_repository {
    char *program;
    char *url;
    char *name;
    char *branch;
    char *folder; // of the repository: its git folder
    bool mirror;
    bool verifies;
    char *credentials; // "credential.helper=..."; NULL without
    char *ssh_command; // "GIT_SSH_COMMAND=..."
    char *signers;     // "gpg.ssh.allowedSignersFile=..."; NULL without
    char *gpg_home;    // "GNUPGHOME=..."; NULL without
    char *safe;        // "safe.directory=..."
};

void git_repository_close(struct git_repository *repository)
{
    if (repository == NULL)
        return;
    free(repository->program);
    free(repository->url);
    free(repository->name);
    free(repository->branch);
    free(repository->folder);
    free(repository->credentials);
    free(repository->ssh_command);
    free(repository->signers);
    free(repository->gpg_home);
    free(repository->safe);
    free(repository);
}

const char *git_repository_name(const struct git_repository *repository)
{
    return repository->name;
}

const char *git_repository_branch(const struct git_repository *repository)
{
    return repository->branch;
}

bool git_repository_is_mirror(const struct git_repository *repository)
{
    return repository->mirror;
}

bool git_repository_verifies(const struct git_repository *repository)
{
    return repository->verifies;
}

bool git_is_object_id(const char *text, size_t length)
{
    return (length == 40 || length == 64) && strspn(text, "0123456789abcdef") >= length;
}

// ---- opening ----

// Only in folders that are named from the root: another one would be wherever the collector was
// started.
static char *find_program(void)
{
    const char *path = getenv("PATH");
    for (const char *at = path != NULL ? path : "/usr/bin:/bin"; *at != '\0';) {
        size_t length = strcspn(at, ":");
        SCOPED(xfree_char) char *candidate = xasprintf("%.*s/git", (int)length, at);
        if (at[0] == '/' && access(candidate, X_OK) == 0)
            return xstrdup(candidate);
        at += length + (at[length] == ':');
    }
    return NULL;
}

static bool find_local(struct git_repository *repository, const char *path, struct error *err)
{
    char real[PATH_MAX];
    struct stat status;
    if (realpath(path, real) == NULL)
        return fail(err, REACT_STOP, "git repository '%.200s' cannot be found", path);
    SCOPED(xfree_char) char *inside = xasprintf("%s/.git", real);
    repository->folder = xstrdup(stat(inside, &status) == 0 ? inside : real);
    repository->safe = xasprintf("safe.directory=%s", real);
    return true;
}

static void name_mirror(struct git_repository *repository, const char *beginning)
{
    uint8_t digest[DIGEST_BYTES];
    char hex[DIGEST_HEX];
    digest_sha256(repository->url, strlen(repository->url), digest);
    hex_encode(digest, 8, hex);
    repository->folder = xasprintf("%s%s.git", beginning, hex);
    repository->safe = xasprintf("safe.directory=%s", repository->folder);
    repository->mirror = true;
}

static void set_trust(struct git_repository *repository, const struct git_options *options)
{
    if (options->credentials != NULL)
        repository->credentials =
            xasprintf("credential.helper=store --file=%s", options->credentials);
    repository->ssh_command = xasprintf(
        "GIT_SSH_COMMAND=ssh -F /dev/null -oBatchMode=yes -oConnectTimeout=30%s%s%s%s",
        options->ssh_key != NULL ? " -oIdentitiesOnly=yes -i " : "",
        options->ssh_key != NULL ? options->ssh_key : "",
        options->known_hosts != NULL ? " -oStrictHostKeyChecking=yes -oUserKnownHostsFile=" : "",
        options->known_hosts != NULL ? options->known_hosts : "");
    repository->verifies = options->allowed_signers != NULL || options->gpg_home != NULL;
    if (options->allowed_signers != NULL)
        repository->signers = xasprintf("gpg.ssh.allowedSignersFile=%s", options->allowed_signers);
    if (options->gpg_home != NULL)
        repository->gpg_home = xasprintf("GNUPGHOME=%s", options->gpg_home);
}

bool git_repository_open(const struct git_options *options, struct git_repository **out,
                         struct error *err)
{
    if (!git_options_check(options, err))
        return false;
    SCOPED(git_repository_close)
    struct git_repository *repository = xcalloc(1, sizeof(*repository));
    repository->program = find_program();
    if (repository->program == NULL)
        return fail(err, REACT_STOP, "there is no program git; hint: install git");
    repository->url = xstrdup(options->url);
    repository->name = git_options_name(options);
    repository->branch = xstrdup(options->branch);
    set_trust(repository, options);
    if (options->url[0] != '/')
        name_mirror(repository, options->mirror);
    else if (!find_local(repository, options->url, err))
        return false;
    *out = repository;
    repository = NULL;
    return true;
}

bool git_repository_exists(const struct git_repository *repository)
{
    struct stat status;
    SCOPED(xfree_char) char *head = xasprintf("%s/HEAD", repository->folder);
    return stat(head, &status) == 0;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

void git_repository_drop_mirror(const struct git_repository *repository)
{
    if (repository->mirror)
        nftw(repository->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

// ---- running ----

// A list that ends with NULL; texts are borrowed.
struct words {
    const char *items[ARGUMENTS_MAX];
    size_t count;
};

// There is room for all of ours. What were left out could be the setting that keeps a program from
// running.
static void add(struct words *words, const char *word)
{
    if (word == NULL)
        return;
    assert(words->count + 1 < ARGUMENTS_MAX);
    words->items[words->count++] = word;
}

static void add_setting(struct words *words, const char *setting)
{
    if (setting == NULL)
        return;
    add(words, "-c");
    add(words, setting);
}

// What a repository's own configuration could set, and must not.
static void add_settings(const struct git_repository *repository, struct words *words)
{
    static const char *const settings[] = {"core.hooksPath=/dev/null",
                                           "core.fsmonitor=false",
                                           "core.attributesFile=/dev/null",
                                           "core.excludesFile=",
                                           "core.alternateRefsCommand=true",
                                           "protocol.ext.allow=never",
                                           "gpg.program=gpg",
                                           "gpg.openpgp.program=gpg",
                                           "gpg.x509.program=gpgsm",
                                           "gpg.ssh.program=ssh-keygen",
                                           "gpg.ssh.revocationFile=",
                                           "log.showSignature=false",
                                           "log.mailmap=false",
                                           "log.showRoot=true",
                                           "diff.external=",
                                           "diff.renames=false",
                                           "diff.orderFile=/dev/null",
                                           "diff.relative=false",
                                           "gc.auto=0",
                                           "maintenance.auto=false",
                                           "fetch.recurseSubmodules=false",
                                           "http.lowSpeedLimit=1000",
                                           "http.lowSpeedTime=60",
                                           "credential.helper="};
    for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++)
        add_setting(words, settings[i]);
    add_setting(words, repository->signers != NULL ? repository->signers
                                                   : "gpg.ssh.allowedSignersFile=/dev/null");
    add_setting(words, repository->credentials);
    add_setting(words, repository->safe);
}

static void pass_on(struct words *environment, const char *name, char **copies, size_t *count)
{
    const char *value = getenv(name);
    if (value == NULL)
        return;
    copies[*count] = xasprintf("%s=%s", name, value);
    add(environment, copies[(*count)++]);
}

// Nothing may prompt, and no other configuration counts. Reading allows no transport at all: a
// repository that lacks objects would go and get them by ways of its own.
static void fill_environment(const struct git_repository *repository, bool fetches,
                             struct words *environment, char **copies, size_t *count)
{
    static const char *const fixed[] = {"LC_ALL=C",
                                        "TZ=UTC",
                                        "HOME=/nonexistent",
                                        "GIT_CONFIG_NOSYSTEM=1",
                                        "GIT_CONFIG_SYSTEM=/dev/null",
                                        "GIT_CONFIG_GLOBAL=/dev/null",
                                        "GIT_ATTR_NOSYSTEM=1",
                                        "GIT_TERMINAL_PROMPT=0",
                                        "GIT_ASKPASS=/bin/false",
                                        "GIT_OPTIONAL_LOCKS=0",
                                        "GIT_NO_REPLACE_OBJECTS=1",
                                        "GIT_GRAFT_FILE=/nonexistent",
                                        "GIT_NO_LAZY_FETCH=1",
                                        "GIT_FLUSH=0",
                                        "GIT_PAGER=cat"};
    static const char *const inherited[] = {"PATH",         "SSH_AUTH_SOCK", "http_proxy",
                                            "https_proxy",  "no_proxy",      "HTTPS_PROXY",
                                            "NO_PROXY",     "ALL_PROXY",     "SSL_CERT_FILE",
                                            "SSL_CERT_DIR", "GIT_SSL_CAINFO"};
    for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
        add(environment, fixed[i]);
    for (size_t i = 0; i < sizeof(inherited) / sizeof(*inherited); i++)
        pass_on(environment, inherited[i], copies, count);
    add(environment, repository->ssh_command);
    add(environment, repository->gpg_home);
    add(environment,
        fetches ? "GIT_ALLOW_PROTOCOL=https:http:ssh:git:file" : "GIT_ALLOW_PROTOCOL=none");
}

static bool start(const struct git_repository *repository, const struct words *arguments,
                  bool fetches, const struct buffer *input, struct git_process **out,
                  struct error *err)
{
    struct words environment = {0};
    char *copies[ENVIRONMENT_MAX];
    size_t count = 0;
    fill_environment(repository, fetches, &environment, copies, &count);
    struct git_command command = {
        .program = repository->program,
        .arguments = arguments->items,
        .environment = environment.items,
        .input = input != NULL ? input->data : NULL,
        .input_length = input != NULL ? input->length : 0,
        .timeout_ms = fetches ? FETCH_MS : READ_MS,
    };
    bool started = git_process_start(&command, out, err);
    while (count > 0)
        free(copies[--count]);
    return started;
}

static bool run(const struct git_repository *repository, const char *const *arguments, bool fetches,
                const struct buffer *input, struct git_process **out, struct error *err)
{
    struct words words = {0};
    SCOPED(xfree_char) char *folder = xasprintf("--git-dir=%s", repository->folder);
    add(&words, "--no-pager");
    add(&words, folder);
    add_settings(repository, &words);
    for (size_t i = 0; arguments[i] != NULL; i++)
        add(&words, arguments[i]);
    return start(repository, &words, fetches, input, out, err);
}

bool git_repository_run(const struct git_repository *repository, const char *const *arguments,
                        const struct buffer *input, struct git_process **out, struct error *err)
{
    return run(repository, arguments, false, input, out, err);
}

bool git_repository_init(const struct git_repository *repository, struct git_process **out,
                         struct error *err)
{
    struct words words = {0};
    const char *const arguments[] = {"init",        "--quiet", "--bare",
                                     "--template=", "--",      repository->folder};
    for (size_t i = 0; i < sizeof(arguments) / sizeof(*arguments); i++)
        add(&words, arguments[i]);
    return start(repository, &words, false, NULL, out, err);
}

bool git_repository_fetch(const struct git_repository *repository, struct git_process **out,
                          struct error *err)
{
    SCOPED(xfree_char)
    char *refs = xasprintf("+refs/heads/%s:refs/heads/%s", repository->branch, repository->branch);
    const char *const arguments[] = {
        "fetch",         "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-gc", "--",
        repository->url, refs,      NULL};
    return run(repository, arguments, true, NULL, out, err);
}

// The settings say gc.auto=0 for all other runs.
bool git_repository_tidy(const struct git_repository *repository, struct git_process **out,
                         struct error *err)
{
    static const char *const arguments[] = {"-c", "gc.auto=2000", "-c",      "gc.autoDetach=false",
                                            "gc", "--auto",       "--quiet", NULL};
    return run(repository, arguments, false, NULL, out, err);
}
