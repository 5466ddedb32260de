// Arguments and environment of the git program, checked and complete: whoever may write to a
// repository, or to its configuration, must not get a program run here.

#define _GNU_SOURCE // nftw
#include "collector/git_repository.h"

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
#define URL_MAX 1000
#define BRANCH_MAX 200

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

// ---- checking what was configured ----

static bool is_printable(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~')
            return false;
    }
    return true;
}

static bool has_transport(const char *url)
{
    static const char *const transports[] = {"https://", "http://", "ssh://", "git://", "file://"};
    for (size_t i = 0; i < sizeof(transports) / sizeof(*transports); i++) {
        size_t length = strlen(transports[i]);
        // A host that begins with '-' would be an option of the program that connects.
        if (strncmp(url, transports[i], length) == 0)
            return url[length] != '-' && url[length] != '\0';
    }
    return false;
}

// USER@HOST:PATH, as ssh has it.
static bool is_scp_like(const char *url)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t user = strspn(url, plain);
    if (user == 0 || url[user] != '@' || url[0] == '-')
        return false;
    const char *host = url + user + 1;
    size_t length = strspn(host, plain);
    return length > 0 && host[0] != '-' && host[length] == ':' && host[length + 1] != '\0' &&
           host[length + 1] != ':' && host[length + 1] != '-';
}

// What stands before the '@' of scheme://USER@HOST; 0 when there is none.
static size_t userinfo_length(const char *authority)
{
    size_t length = strcspn(authority, "/?#");
    const char *at = memrchr(authority, '@', length);
    return at != NULL ? (size_t)(at - authority) : 0;
}

static bool check_url(const char *url, struct error *err)
{
    const char *authority = strstr(url, "://");
    if (strlen(url) > URL_MAX || url[0] == '-' || strpbrk(url, "\n\r") != NULL)
        return fail(err, REACT_STOP, "git url '%.80s' is not usable", url);
    if (url[0] == '/')
        return true;
    if (!is_printable(url) || (!has_transport(url) && !is_scp_like(url)))
        return fail(err, REACT_STOP,
                    "git url '%.80s' is not usable; hint: /FOLDER, https://, ssh://, git://, "
                    "file:// or USER@HOST:PATH",
                    url);
    if (authority != NULL && memchr(authority + 3, ':', userinfo_length(authority + 3)) != NULL)
        return fail(err, REACT_STOP,
                    "a git url must hold no password: all users of the machine could see it; "
                    "hint: credentials: FILE");
    return true;
}

// A part of what git check-ref-format takes, which is all that branches are called.
static bool check_branch(const char *branch, struct error *err)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/+#@=-";
    size_t length = strlen(branch);
    if (length == 0 || length > BRANCH_MAX || strspn(branch, allowed) != length ||
        strchr("-./", branch[0]) != NULL || strchr("./", branch[length - 1]) != NULL ||
        strstr(branch, "..") != NULL || strstr(branch, "//") != NULL ||
        strstr(branch, "/.") != NULL || strstr(branch, ".lock") != NULL)
        return fail(err, REACT_STOP, "'%.80s' is no name of a git branch", branch);
    return true;
}

// Such a path becomes part of a line that git gives to a shell.
static bool check_path(const char *key, const char *path, struct error *err)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/+@-";
    if (path == NULL || (path[0] == '/' && strspn(path, allowed) == strlen(path)))
        return true;
    return fail(err, REACT_STOP,
                "'%s' is '%.100s'; hint: a path from / on, of letters, digits and ._/+@-", key,
                path);
}

static bool check_folders(const struct git_options *options, struct error *err)
{
    for (size_t i = 0; i < options->folder_count; i++) {
        const char *path = options->folders[i].path;
        size_t length = strlen(path);
        if (length == 0 || path[0] == '/' || path[length - 1] == '/' ||
            strlen(options->folders[i].name) > 200)
            return fail(err, REACT_STOP,
                        "folder '%.80s' is not usable; hint: NAME: a path below the repository's "
                        "root, without '/' at its ends",
                        path);
    }
    return true;
}

static bool check_options(const struct git_options *options, struct error *err)
{
    if (options->repository != NULL &&
        (strlen(options->repository) > URL_MAX || !is_printable(options->repository) ||
         options->repository[0] == '\0'))
        return fail(err, REACT_STOP, "'repository' is not usable; hint: its URL");
    return check_url(options->url, err) && check_branch(options->branch, err) &&
           check_path("credentials", options->credentials, err) &&
           check_path("ssh_key", options->ssh_key, err) &&
           check_path("known_hosts", options->known_hosts, err) &&
           check_path("allowed_signers", options->allowed_signers, err) &&
           check_path("gpg_home", options->gpg_home, err) && check_folders(options, err);
}

// ---- opening ----

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

char *git_repository_name_of(const struct git_options *options)
{
    if (options->repository != NULL)
        return xstrdup(options->repository);
    if (options->url[0] == '/')
        return xstrdup(options->url);
    const char *authority = strstr(options->url, "://");
    size_t length = strcspn(options->url, "?#");
    if (authority == NULL)
        return xstrndup(options->url, length);
    size_t user = userinfo_length(authority + 3);
    const char *host = authority + 3 + (user > 0 ? user + 1 : 0);
    return xasprintf("%.*s%.*s", (int)(authority + 3 - options->url), options->url,
                     (int)(length - (size_t)(host - options->url)), host);
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
    if (!check_options(options, err))
        return false;
    SCOPED(git_repository_close)
    struct git_repository *repository = xcalloc(1, sizeof(*repository));
    repository->program = find_program();
    if (repository->program == NULL)
        return fail(err, REACT_STOP, "there is no program git; hint: install git");
    repository->url = xstrdup(options->url);
    repository->name = git_repository_name_of(options);
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

static void add(struct words *words, const char *word)
{
    if (word != NULL && words->count + 1 < ARGUMENTS_MAX)
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
