// Writes the files of collectors_folder. The configuration itself is kept by hand, with its
// comments, and is never written by a program.

#include "store/enrolment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/text.h"

// ---- the file of one collector ------------------------------------------------------------------

// Every text in quotes, which YAML reads as JSON does: a cluster named `yes` or `a: b` is a name.
static void append_texts(struct buffer *out, const char *member, char *const *texts, size_t count)
{
    buffer_printf(out, "%s: [", member);
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(out, i ? ", " : "");
        buffer_append_json_string(out, texts[i], strlen(texts[i]));
    }
    buffer_append_text(out, "]\n");
}

static void append_entry(struct buffer *out, const struct allowed *entry)
{
    char hex[ALLOWED_KEYS][CURVE_KEY_HEX];
    char *keys[ALLOWED_KEYS];
    for (size_t i = 0; i < entry->key_count; i++) {
        hex_encode(entry->keys[i], CURVE_KEY_BYTES, hex[i]);
        keys[i] = hex[i];
    }
    buffer_printf(out, "# written by modeltrail-store enrol\nname: \"%s\"\n", entry->name);
    append_texts(out, "key", keys, entry->key_count);
    buffer_append_text(out, "cluster: ");
    buffer_append_json_string(out, entry->cluster, strlen(entry->cluster));
    buffer_append_text(out, "\n");
    if (entry->namespace_count > 0)
        append_texts(out, "namespaces", entry->namespaces, entry->namespace_count);
    if (entry->repository_count > 0)
        append_texts(out, "repositories", entry->repositories, entry->repository_count);
}

static bool fail_write(const char *path, struct error *err)
{
    return fail(err, REACT_STOP, "cannot write %s: %s", path, strerror(errno));
}

// Durable before it is told: a revoked key must not come back with a power cut.
static bool sync_folder(const char *folder, struct error *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (!synced)
        fail_write(folder, err);
    if (fd >= 0)
        close(fd);
    return synced;
}

// Public keys alone: everybody may read them. Its temporary name does not end in .yaml, so a store
// that reads the folder meanwhile passes over it.
static bool write_file(const char *path, const struct buffer *text, struct error *err)
{
    SCOPED(xfree_char) char *temporary = xasprintf("%s.XXXXXX", path);
    int fd = mkstemp(temporary);
    if (fd < 0)
        return fail_write(temporary, err);
    bool written = write(fd, text->data, text->length) == (ssize_t)text->length &&
                   fchmod(fd, 0644) == 0 && fsync(fd) == 0 && rename(temporary, path) == 0;
    if (!written) {
        fail_write(path, err);
        unlink(temporary);
    }
    close(fd);
    return written;
}

static bool save(const struct store_config *config, const struct allowed *entry, struct error *err)
{
    SCOPED(xfree_char) char *path = xasprintf("%s/%s.yaml", config->collectors_folder, entry->name);
    SCOPED_BUFFER text = {0};
    append_entry(&text, entry);
    return write_file(path, &text, err) && sync_folder(config->collectors_folder, err);
}

static bool remove_file(const struct store_config *config, const char *name, struct error *err)
{
    SCOPED(xfree_char) char *path = xasprintf("%s/%s.yaml", config->collectors_folder, name);
    if (unlink(path) != 0)
        return fail(err, REACT_STOP, "cannot remove %s: %s", path, strerror(errno));
    return sync_folder(config->collectors_folder, err);
}

// ---- what is asked for --------------------------------------------------------------------------

static void print_entry(const struct allowed *entry)
{
    SCOPED_BUFFER text = {0};
    append_entry(&text, entry);
    fputs(text.data, stdout);
}

static void print_next_step(void)
{
    puts("# a running store reads this on SIGHUP");
}

static bool has_folder(const struct store_config *config, struct error *err)
{
    return config->collectors_folder != NULL ||
           fail(err, REACT_STOP,
                "the configuration names no folder for enrolled collectors; hint: add "
                "collectors_folder: /etc/modeltrail/collectors.d");
}

// The collector of this name when it is one of the folder's; NULL when there is none of the name.
static bool find_enrolled(const struct store_config *config, const char *name,
                          const struct allowed **found, struct error *err)
{
    if (!has_folder(config, err) || !allowed_check_name(name, err))
        return false;
    *found = allow_list_by_name(config->allow_list, name);
    return *found == NULL || (*found)->enrolled ||
           fail(err, REACT_STOP,
                "collector '%s' stands in the configuration's own list; hint: change it there",
                name);
}

static void free_split(char **texts)
{
    if (texts != NULL)
        free(texts[0]);
    free(texts);
}
DEFINE_CLEANUP(char *, free_split)

// The names between commas, as one block of memory cut at them.
static char **split(const char *list, size_t *count)
{
    char **texts = xcalloc(strlen(list) + 2, sizeof(*texts));
    char *at = xstrdup(list);
    *count = 0;
    for (char *name = at; name != NULL; name = at) {
        texts[(*count)++] = name;
        at = strchr(name, ',');
        if (at != NULL)
            *at++ = '\0';
    }
    return texts;
}

static bool same_texts(char *const *left, size_t left_count, char *const *right, size_t right_count)
{
    bool same = left_count == right_count;
    for (size_t i = 0; same && i < left_count; i++)
        same = strcmp(left[i], right[i]) == 0;
    return same;
}

static bool has_empty(char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (*texts[i] == '\0')
            return true;
    }
    return false;
}

static bool check_scope(const struct allowed *entry, struct error *err)
{
    if (entry->cluster == NULL || *entry->cluster == '\0')
        return fail(err, REACT_STOP, "a new collector needs its cluster; hint: --cluster NAME");
    if (has_empty(entry->namespaces, entry->namespace_count))
        return fail(err, REACT_STOP, "an empty name among the namespaces; hint: --namespaces a,b");
    if (has_empty(entry->repositories, entry->repository_count))
        return fail(err, REACT_STOP,
                    "an empty name among the repositories; hint: --repositories URL,URL");
    return true;
}

static bool same_scope(const struct allowed *left, const struct allowed *right)
{
    return text_equal(left->cluster, right->cluster) &&
           same_texts(left->namespaces, left->namespace_count, right->namespaces,
                      right->namespace_count) &&
           same_texts(left->repositories, left->repository_count, right->repositories,
                      right->repository_count);
}

// Another scope is not taken quietly: leaving --namespaces out would widen it to the cluster.
static bool check_same_scope(const struct allowed *entry, const struct allowed *known,
                             struct error *err)
{
    bool says_none =
        entry->cluster == NULL && entry->namespace_count == 0 && entry->repository_count == 0;
    if (says_none || same_scope(entry, known))
        return true;
    return fail(err, REACT_STOP,
                "collector '%s' is enrolled for another scope; hint: leave --cluster, --namespaces "
                "and --repositories out to add a key, or revoke it first",
                known->name);
}

// A new key stands behind the ones that the collector has.
static bool add_key(struct allowed *entry, const uint8_t key[CURVE_KEY_BYTES], struct error *err)
{
    if (allowed_has_key(entry, key))
        return true;
    if (entry->key_count == ALLOWED_KEYS)
        return fail(err, REACT_STOP,
                    "collector '%s' has %d keys; hint: revoke the one that it no longer uses: "
                    "modeltrail-store revoke %s HEX",
                    entry->name, ALLOWED_KEYS, entry->name);
    memcpy(entry->keys[entry->key_count++], key, CURVE_KEY_BYTES);
    return true;
}

static bool check_key_is_free(const struct store_config *config, const char *name,
                              const uint8_t key[CURVE_KEY_BYTES], struct error *err)
{
    const struct allowed *owner = allow_list_by_key(config->allow_list, key);
    return owner == NULL || strcmp(owner->name, name) == 0 ||
           fail(err, REACT_STOP, "this key is collector '%s''s; hint: each has a key of its own",
                owner->name);
}

// All is checked before anything is written: what enrol wrote, a store can read.
bool enrolment_add(const struct store_config *config, const struct enrolment *wanted,
                   struct error *err)
{
    uint8_t key[CURVE_KEY_BYTES];
    const struct allowed *known;
    if (!find_enrolled(config, wanted->name, &known, err) ||
        !curve_public_from_hex(wanted->key, key, err) ||
        !check_key_is_free(config, wanted->name, key, err))
        return false;
    // Borrows all that it holds.
    struct allowed entry = {0};
    SCOPED(xfree_char) char *name = xstrdup(wanted->name);
    SCOPED(xfree_char) char *cluster = wanted->cluster ? xstrdup(wanted->cluster) : NULL;
    SCOPED(free_split)
    char **namespaces =
        wanted->namespaces ? split(wanted->namespaces, &entry.namespace_count) : NULL;
    SCOPED(free_split)
    char **repositories =
        wanted->repositories ? split(wanted->repositories, &entry.repository_count) : NULL;
    entry.name = name;
    entry.cluster = cluster;
    entry.namespaces = namespaces;
    entry.repositories = repositories;
    if (known != NULL) {
        if (!check_same_scope(&entry, known, err))
            return false;
        entry = *known;
    }
    if (!check_scope(&entry, err) || !add_key(&entry, key, err) || !save(config, &entry, err))
        return false;
    print_entry(&entry);
    print_next_step();
    return true;
}

// The others close up.
static void drop_key(struct allowed *entry, const uint8_t key[CURVE_KEY_BYTES])
{
    size_t kept = 0;
    for (size_t i = 0; i < entry->key_count; i++) {
        if (memcmp(entry->keys[i], key, CURVE_KEY_BYTES) != 0)
            memmove(entry->keys[kept++], entry->keys[i], CURVE_KEY_BYTES);
    }
    entry->key_count = kept;
}

static bool revoke_key(const struct store_config *config, const struct allowed *known,
                       const char *hex, struct error *err)
{
    uint8_t key[CURVE_KEY_BYTES];
    struct allowed entry = *known;
    if (!hex_decode(hex, key, CURVE_KEY_BYTES) || !allowed_has_key(known, key))
        return fail(err, REACT_STOP, "collector '%s' has no key '%.80s'", known->name, hex);
    if (entry.key_count == 1)
        return fail(err, REACT_STOP,
                    "this is the only key of collector '%s'; hint: enrol its next one first, or "
                    "revoke the collector: modeltrail-store revoke %s",
                    known->name, known->name);
    drop_key(&entry, key);
    if (!save(config, &entry, err))
        return false;
    print_entry(&entry);
    return true;
}

bool enrolment_revoke(const struct store_config *config, const char *name, const char *key,
                      struct error *err)
{
    const struct allowed *known;
    if (!find_enrolled(config, name, &known, err))
        return false;
    if (known == NULL)
        return fail(err, REACT_STOP, "no collector '%s' is enrolled", name);
    if (key != NULL ? !revoke_key(config, known, key, err) : !remove_file(config, name, err))
        return false;
    print_next_step();
    return true;
}
