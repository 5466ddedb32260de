// Drives the Kubernetes source alone, for tests: an outbox in memory, whose committed events and
// looks are printed as lines of JSON. Its transactions can be made to fail.

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/kubernetes_source.h"
#include "collector/outbox.h"
#include "common/buffer.h"
#include "common/event.h"
#include "common/json.h"
#include "common/log.h"
#include "common/options.h"
#include "common/text.h"
#include "common/timestamp.h"

#define BUCKETS 65536
#define ITEMS_MAX 256
#define NAMESPACES_MAX 32

// A cursor or a known object. What a transaction wrote stands beside what was committed before.
struct entry {
    struct entry *next;
    struct entry *next_touched;
    char *key;
    char *committed; // NULL: none
    char *staged;
    bool touched;
};

struct outbox {
    const char *cluster;
    struct entry *buckets[BUCKETS];
    struct entry *touched;
    struct buffer lines;
    const char *state_file;
    int64_t fail_every; // transactions; 0 = never
    int64_t transactions;
    int64_t calls_left; // before the failure of this transaction; -1 = none is to come
};

static struct entry *entry_at(struct outbox *outbox, const char *key)
{
    uint32_t hash = 2166136261u;
    for (const char *c = key; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    struct entry **bucket = &outbox->buckets[hash % BUCKETS];
    for (struct entry *entry = *bucket; entry != NULL; entry = entry->next) {
        if (strcmp(entry->key, key) == 0)
            return entry;
    }
    struct entry *entry = xcalloc(1, sizeof(*entry));
    entry->key = xstrdup(key);
    entry->next = *bucket;
    *bucket = entry;
    return entry;
}

static void entry_set(struct outbox *outbox, const char *key, const char *value)
{
    struct entry *entry = entry_at(outbox, key);
    if (!entry->touched) {
        entry->touched = true;
        entry->next_touched = outbox->touched;
        outbox->touched = entry;
    } else {
        free(entry->staged);
    }
    entry->staged = value != NULL ? xstrdup(value) : NULL;
}

static const char *entry_get(struct outbox *outbox, const char *key)
{
    const struct entry *entry = entry_at(outbox, key);
    return entry->touched ? entry->staged : entry->committed;
}

static bool may_write(struct outbox *outbox, struct error *err)
{
    if (outbox->calls_left > 0)
        outbox->calls_left--;
    if (outbox->calls_left == 0)
        return fail(err, REACT_RETRY, "the spool is full, as the test wants it");
    return true;
}

const char *outbox_cluster(const struct outbox *outbox)
{
    return outbox->cluster;
}

bool outbox_event(struct outbox *outbox, const char *type, const char *subject, int64_t time,
                  const char *data, size_t length, struct error *err)
{
    char at[TIMESTAMP_TEXT];
    if (length > EVENT_MAX_BYTES)
        return fail(err, REACT_REJECT, "event of %zu bytes is too large", length);
    if (!may_write(outbox, err))
        return false;
    timestamp_format(time, at);
    buffer_printf(&outbox->lines, "{\"type\":\"%s\",\"subject\":", type);
    buffer_append_json_string(&outbox->lines, subject ? subject : "",
                              subject ? strlen(subject) : 0);
    buffer_printf(&outbox->lines, ",\"time\":\"%s\",\"data\":", at);
    buffer_append(&outbox->lines, data, length);
    buffer_append_text(&outbox->lines, "}\n");
    return true;
}

bool outbox_set_cursor(struct outbox *outbox, const char *key, const char *value, struct error *err)
{
    SCOPED(xfree_char) char *name = xasprintf("cursor %s", key);
    if (!may_write(outbox, err))
        return false;
    entry_set(outbox, name, value);
    return true;
}

bool outbox_get_cursor(struct outbox *outbox, const char *key, char **value, struct error *err)
{
    (void)err;
    SCOPED(xfree_char) char *name = xasprintf("cursor %s", key);
    const char *text = entry_get(outbox, name);
    *value = text != NULL ? xstrdup(text) : NULL;
    return true;
}

bool outbox_set_known(struct outbox *outbox, const char *scope, const char *uid, int64_t position,
                      struct error *err)
{
    SCOPED(xfree_char) char *name = xasprintf("known %s %s", scope, uid);
    SCOPED(xfree_char) char *value = xasprintf("%" PRId64, position);
    if (!may_write(outbox, err))
        return false;
    entry_set(outbox, name, value);
    return true;
}

bool outbox_forget_known(struct outbox *outbox, const char *scope, const char *uid,
                         struct error *err)
{
    SCOPED(xfree_char) char *name = xasprintf("known %s %s", scope, uid);
    (void)err;
    entry_set(outbox, name, NULL);
    return true;
}

static bool is_in_range(const char *uid, const struct known_range *range, int64_t position)
{
    return strcmp(uid, range->uid_from) >= 0 &&
           (range->uid_to[0] == '\0' || strcmp(uid, range->uid_to) <= 0) &&
           position <= range->position;
}

bool outbox_forget_unnamed(struct outbox *outbox, const char *scope,
                           const struct known_range *range, struct error *err)
{
    SCOPED(xfree_char) char *prefix = xasprintf("known %s ", scope);
    if (!may_write(outbox, err))
        return false;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct entry *entry = outbox->buckets[i]; entry != NULL; entry = entry->next) {
            if (strncmp(entry->key, prefix, strlen(prefix)) != 0)
                continue;
            const char *uid = entry->key + strlen(prefix);
            const char *text = entry_get(outbox, entry->key);
            if (text != NULL && is_in_range(uid, range, strtoll(text, NULL, 10)) &&
                !range->names(range->context, uid))
                entry_set(outbox, entry->key, NULL);
        }
    }
    return true;
}

bool outbox_get_known(struct outbox *outbox, const char *scope, const char *uid, int64_t *position,
                      struct error *err)
{
    SCOPED(xfree_char) char *name = xasprintf("known %s %s", scope, uid);
    (void)err;
    const char *text = entry_get(outbox, name);
    *position = text != NULL ? strtoll(text, NULL, 10) : 0;
    return true;
}

// Lets every nth transaction fail, each time at another of its calls, or at its commit.
static void begin_transaction(struct outbox *outbox)
{
    int64_t n = ++outbox->transactions;
    bool fails = outbox->fail_every > 0 && n % outbox->fail_every == 0;
    outbox->calls_left = fails ? 1 + n / outbox->fail_every % 9 : -1;
}

static void end_transaction(struct outbox *outbox, bool commit)
{
    struct entry *next;
    for (struct entry *entry = outbox->touched; entry != NULL; entry = next) {
        next = entry->next_touched;
        free(commit ? entry->committed : entry->staged);
        if (commit)
            entry->committed = entry->staged;
        entry->staged = NULL;
        entry->touched = false;
    }
    outbox->touched = NULL;
    if (commit && outbox->lines.length > 0)
        fwrite(outbox->lines.data, 1, outbox->lines.length, stdout);
    fflush(stdout); // before the cursors that pass it are saved
    buffer_clear(&outbox->lines);
}

_Noreturn static void cannot_save(void)
{
    fputs("cannot save the state\n", stderr);
    exit(1);
}

static void save_state(const struct outbox *outbox)
{
    if (outbox->state_file == NULL)
        return;
    SCOPED(xfree_char) char *temporary = xasprintf("%s.new", outbox->state_file);
    FILE *file = fopen(temporary, "w");
    if (file == NULL)
        cannot_save();
    for (size_t i = 0; i < BUCKETS; i++) {
        for (const struct entry *entry = outbox->buckets[i]; entry != NULL; entry = entry->next) {
            if (entry->committed != NULL)
                fprintf(file, "%s\t%s\n", entry->key, entry->committed);
        }
    }
    if (fclose(file) != 0 || rename(temporary, outbox->state_file) != 0)
        cannot_save();
}

static void load_state(struct outbox *outbox)
{
    outbox->calls_left = -1;
    FILE *file = outbox->state_file != NULL ? fopen(outbox->state_file, "r") : NULL;
    if (file == NULL)
        return;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    while ((length = getline(&line, &capacity, file)) > 0) {
        line[length - 1] = '\0';
        char *tab = strchr(line, '\t');
        if (tab == NULL)
            continue;
        *tab = '\0';
        entry_set(outbox, line, tab + 1);
    }
    if (!feof(file)) // getline had no memory
        memory_exhausted();
    free(line);
    fclose(file);
    end_transaction(outbox, true);
}

static void free_outbox(struct outbox *outbox)
{
    struct entry *next;
    end_transaction(outbox, false);
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct entry *entry = outbox->buckets[i]; entry != NULL; entry = next) {
            next = entry->next;
            free(entry->key);
            free(entry->committed);
            free(entry);
        }
    }
    buffer_reset(&outbox->lines);
    free(outbox);
}

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

// Prints the looks when they are others than before.
static void print_looks(struct source *source, char **last)
{
    SCOPED(cJSON_Delete) cJSON *array = cJSON_CreateArray();
    source->class->looks(source, array);
    char *text = json_print(array);
    if (!text_equal(text, *last))
        printf("{\"looks\":%s}\n", text);
    free(*last);
    *last = text;
}

static bool step_once(struct source *source, struct outbox *outbox, const zmq_pollitem_t *ready,
                      size_t count, struct error *err)
{
    begin_transaction(outbox);
    bool stepped = source->class->step(source, ready, count, outbox, err);
    if (stepped && outbox->calls_left >= 0)
        stepped = fail(err, REACT_RETRY, "the commit failed, as the test wants it");
    bool wrote = outbox->touched != NULL || outbox->lines.length > 0;
    end_transaction(outbox, stepped);
    if (stepped && wrote)
        save_state(outbox);
    source->class->settled(source, stepped);
    if (!stepped && err->react == REACT_RETRY)
        return true;
    return stepped;
}

static int run(struct source *source, struct outbox *outbox)
{
    char *last_looks = NULL;
    struct error err;
    zmq_pollitem_t items[ITEMS_MAX];
    zmq_pollitem_t ready[ITEMS_MAX];
    bool going = true;
    while (going && !stopping) {
        size_t count = source->class->descriptors(source, items, ITEMS_MAX);
        long timeout_ms = source->class->timeout_ms(source);
        memcpy(ready, items, count * sizeof(*items));
        if (zmq_poll(ready, (int)count, timeout_ms) < 0 && errno != EINTR)
            break;
        going = step_once(source, outbox, ready, count, &err);
        print_looks(source, &last_looks);
        fflush(stdout);
    }
    free(last_looks);
    if (!going)
        log_line(LOG_ERROR, err.text, NULL);
    return going ? 0 : 1;
}

static int64_t number(const char *text)
{
    int64_t value = 0;
    if (text != NULL && !text_to_int64(text, &value))
        exit(2);
    return value;
}

int main(int argc, char **argv)
{
    struct outbox *outbox = xcalloc(1, sizeof(*outbox));
    struct kubernetes_options options = {.cluster = "c1"};
    const char *relist = NULL, *watched = NULL, *again = NULL, *watch = NULL, *grace = NULL;
    const char *page = NULL, *uids = NULL, *fail_every = NULL;
    bool insecure = false;
    const struct option_spec table[] = {
        {"kubeconfig", 0, OPTION_VALUE, "FILE", "kubeconfig.", &options.kubeconfig, NULL},
        {"context", 0, OPTION_VALUE, "NAME", "context.", &options.context, NULL},
        {"cluster", 0, OPTION_VALUE, "NAME", "cluster.", &options.cluster, NULL},
        {"state", 0, OPTION_VALUE, "FILE", "kept cursors.", &outbox->state_file, NULL},
        {"relist-ms", 0, OPTION_VALUE, "N", "between reconciles.", &relist, NULL},
        {"watched-ms", 0, OPTION_VALUE, "N", "between scope.watched.", &watched, NULL},
        {"look-again-ms", 0, OPTION_VALUE, "N", "absent kinds.", &again, NULL},
        {"watch-s", 0, OPTION_VALUE, "N", "timeoutSeconds.", &watch, NULL},
        {"grace-ms", 0, OPTION_VALUE, "N", "beyond timeoutSeconds.", &grace, NULL},
        {"page", 0, OPTION_VALUE, "N", "objects a page.", &page, NULL},
        {"listing-uids", 0, OPTION_VALUE, "N", "uids a listing.", &uids, NULL},
        {"fail-every", 0, OPTION_VALUE, "N", "failing outbox.", &fail_every, NULL},
        {"allow-insecure", 0, OPTION_FLAG, NULL, "no certificates.", NULL, &insecure},
        {0},
    };
    struct error err;
    int words;
    if (!options_parse(table, argc, argv, &words, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 2;
    }
    log_init("driver", LOG_DEBUG);
    signal(SIGTERM, on_signal);
    const char *namespaces[NAMESPACES_MAX];
    for (int i = 0; i < words && i < NAMESPACES_MAX; i++)
        namespaces[options.namespace_count++] = argv[1 + i];
    options.namespaces = namespaces;
    options.relist_min_ms = options.relist_max_ms = number(relist);
    options.watched_ms = number(watched);
    options.look_again_ms = number(again);
    options.watch_min_s = options.watch_max_s = number(watch);
    options.watch_grace_ms = number(grace);
    options.page_size = number(page);
    options.listing_uids = number(uids);
    options.allow_insecure = insecure;
    outbox->cluster = options.cluster;
    outbox->fail_every = number(fail_every);
    load_state(outbox);
    struct source *source;
    if (!kubernetes_source_open(&options, &source, &err)) {
        fprintf(stderr, "%s\n", err.text);
        free_outbox(outbox);
        return 1;
    }
    int code = run(source, outbox);
    source->class->close(source);
    free_outbox(outbox);
    return code;
}
