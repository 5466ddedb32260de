// Which URLs, branches and files git may be run with. They become its arguments, and some of them
// words of a shell that git starts: what could be an option or a second word is refused, not
// quoted.

#define _GNU_SOURCE // memrchr
#include "collector/git_options.h"

#include <string.h>

#include "common/memory.h"

#define URL_MAX 1000
#define BRANCH_MAX 200

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

bool git_options_check(const struct git_options *options, struct error *err)
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

char *git_options_name(const struct git_options *options)
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
