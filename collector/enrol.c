// What the store's administrator needs to know of this collector, in the form of a command.

#include "collector/enrol.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/memory.h"

static bool load_or_make(const char *path, struct curve_key *key, struct error *err)
{
    return access(path, F_OK) == 0 ? curve_key_load(path, key, err)
                                   : curve_key_create(path, key, err);
}

static size_t namespaces_of(const struct source_config *source)
{
    switch (source->type) {
    case SOURCE_KUBERNETES:
        return source->kubernetes.namespace_count;
    case SOURCE_AUDIT_LOG:
        return source->audit_log.namespace_count;
    case SOURCE_ADMISSION:
    case SOURCE_AUDIT_WEBHOOK:
        return source->intake.namespace_count;
    case SOURCE_GIT:
        break;
    }
    return 0;
}

// True when an earlier source, or an earlier place of the same, has the name.
static bool is_repeated(const struct config *config, size_t source, size_t place)
{
    const char *name = config->sources[source].namespaces[place];
    for (size_t i = 0; i <= source; i++) {
        size_t end = i < source ? namespaces_of(&config->sources[i]) : place;
        for (size_t j = 0; j < end; j++) {
            if (strcmp(config->sources[i].namespaces[j], name) == 0)
                return true;
        }
    }
    return false;
}

// Those of all sources together, with commas; none when a source reads the whole cluster. A Git
// repository is of no namespace, and must not widen what the others may say.
static void list_namespaces(const struct config *config, struct buffer *names)
{
    for (size_t i = 0; i < config->source_count; i++) {
        size_t count = namespaces_of(&config->sources[i]);
        if (config->sources[i].type == SOURCE_GIT)
            continue;
        if (count == 0) {
            buffer_clear(names);
            return;
        }
        for (size_t j = 0; j < count; j++) {
            if (!is_repeated(config, i, j))
                buffer_printf(names, "%s%s", names->length > 0 ? "," : "",
                              config->sources[i].namespaces[j]);
        }
    }
}

// True when an earlier source reads the same repository, be it another branch of it.
static bool is_read_before(const struct config *config, size_t source, const char *name)
{
    for (size_t i = 0; i < source; i++) {
        if (config->sources[i].type != SOURCE_GIT)
            continue;
        SCOPED(xfree_char) char *other = git_options_name(&config->sources[i].git);
        if (strcmp(other, name) == 0)
            return true;
    }
    return false;
}

// The names that its commits will have, with commas, which none of them can hold: `enrol` cuts
// there.
static bool list_repositories(const struct config *config, struct buffer *names, struct error *err)
{
    for (size_t i = 0; i < config->source_count; i++) {
        if (config->sources[i].type != SOURCE_GIT)
            continue;
        SCOPED(xfree_char) char *name = git_options_name(&config->sources[i].git);
        if (strchr(name, ',') != NULL)
            return fail(err, REACT_STOP,
                        "repository '%.200s' has a comma, which enrol would cut at; hint: give it "
                        "another name here with 'repository'",
                        name);
        if (!is_read_before(config, i, name))
            buffer_printf(names, "%s%s", names->length > 0 ? "," : "", name);
    }
    return true;
}

// As one word for a shell: a URL may hold '&', a path about anything.
static void print_quoted(const char *word)
{
    putchar('\'');
    for (const char *c = word; *c != '\0'; c++) {
        if (*c == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*c);
    }
    putchar('\'');
}

bool enrol_print(const struct config *config, struct error *err)
{
    SCOPED_CURVE_KEY key = {0};
    SCOPED_BUFFER names = {0};
    SCOPED_BUFFER repositories = {0};
    if (!list_repositories(config, &repositories, err) ||
        !load_or_make(config->key_file, &key, err))
        return false;
    char hex[CURVE_KEY_HEX];
    hex_encode(key.public, CURVE_KEY_BYTES, hex);
    list_namespaces(config, &names);
    printf("modeltrail-store enrol %s %s --cluster %s", config->collector, hex, config->cluster);
    if (names.length > 0)
        printf(" --namespaces %s", names.data);
    if (repositories.length > 0) {
        fputs(" --repositories ", stdout);
        print_quoted(repositories.data);
    }
    putchar('\n');
    return true;
}
