// The audit_log source: lines from a tail, events to the outbox, and a cursor that moves with them
// in one transaction. What a line means is audit_event.c's business.

#include "collector/audit_source.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "collector/audit_coverage.h"
#include "collector/audit_delivery.h"
#include "collector/audit_event.h"
#include "collector/audit_line.h"
#include "collector/audit_progress.h"
#include "collector/observation.h"
#include "collector/stdin_copy.h"
#include "collector/tail.h"
#include "common/json.h"
#include "common/log.h"
#include "common/text.h"
#include "common/timestamp.h"

#define STEP_BYTES ((size_t)4 * 1024 * 1024)
#define STEP_LINES 2000
#define STEP_MS 50 // others wait meanwhile
#define POLL_MS 250
#define RETRY_MS 1000
#define WATCHED_EVERY_MS (5 * 60 * 1000)
// A request that took longer was a watch or an upload: it began before the log may have.
#define REQUEST_MAX_US (60 * (int64_t)1000000)
#define TORN_REASON "a line of the audit log could not be used"

struct audit_source {
    struct source source;
    struct audit_options options; // its strings are our own
    struct audit_coverage coverage;
    const struct audit_delivery *delivery;
    struct stdin_copy *input; // NULL: a file is read
    struct tail *tail;        // NULL until all of standard input is there
    char *key;
    char *folder; // for what is kept while it is read
    bool loaded;
    struct audit_progress now;
    struct audit_progress committed;
    bool ends; // this step has read all there is
    bool finished;
    bool more; // the last step stopped because it had done enough
    int64_t poll_ms;
    int64_t watched_ms;
    int64_t watched_through; // of the last scope.watched
    char trouble[512];       // what was logged last
};

static struct audit_source *own(struct source *source)
{
    return (struct audit_source *)source;
}

static void say_trouble(struct audit_source *audit, const char *reason)
{
    if (strcmp(audit->trouble, reason) == 0)
        return;
    log_line(LOG_WARN, "audit log cannot be read", "path", audit->options.path, "reason", reason,
             NULL);
    snprintf(audit->trouble, sizeof(audit->trouble), "%s", reason);
}

static bool is_stdin(const struct audit_source *audit)
{
    return strcmp(audit->options.path, "-") == 0;
}

// The first step reads the cursor, since only then there is an outbox.
static bool load_cursor(struct audit_source *audit, struct outbox *outbox, struct error *err)
{
    SCOPED(xfree_char) char *text = NULL;
    if (!outbox_get_cursor(outbox, audit->key, &text, err) ||
        (text != NULL && !audit_progress_parse(text, &audit->committed, err)))
        return false;
    if (is_stdin(audit))
        audit_progress_restart(&audit->committed); // another input than the last one
    audit->now = audit->committed;
    tail_return_to(audit->tail, &audit->now.place);
    audit->watched_through = TIMESTAMP_NONE; // it may have stood in a beat only: said again
    audit->watched_ms = monotonic_ms();
    audit->loaded = true;
    return true;
}

// In the transaction of the events that it moves past.
static bool save_cursor(struct audit_source *audit, struct outbox *outbox, struct error *err)
{
    audit->now.place = tail_place(audit->tail);
    SCOPED(xfree_char) char *text = audit_progress_print(&audit->now);
    return outbox_set_cursor(outbox, audit->key, text, err);
}

// Until when all is there: where events come out of order, some of the newest time may still come.
// NONE before that is any time at all.
static int64_t settled_through(const struct audit_source *audit,
                               const struct audit_progress *progress)
{
    if (progress->since == TIMESTAMP_NONE)
        return TIMESTAMP_NONE;
    int64_t through = progress->through - audit->delivery->disorder_us;
    return through >= progress->since ? through : TIMESTAMP_NONE;
}

// Events that say what was covered outlive beats: the store's log keeps them.
static bool emit_watched(struct audit_source *audit, struct outbox *outbox, struct error *err)
{
    struct audit_progress *now = &audit->now;
    int64_t through = settled_through(audit, now);
    audit->watched_ms = monotonic_ms();
    if (now->since == TIMESTAMP_NONE || through <= audit->watched_through)
        return true;
    audit->watched_through = through;
    return audit_watched_emit(outbox, &audit->coverage, now->since, through, err);
}

// What was read until here counts as watched; what lies between here and the next event, as a gap.
static bool note_lost(struct audit_source *audit, struct outbox *outbox, struct error *err)
{
    log_line(LOG_WARN, "audit log: the file read last is gone, a gap is reported", "path",
             audit->options.path, NULL);
    if (!emit_watched(audit, outbox, err))
        return false;
    if (audit->now.lost_from == TIMESTAMP_NONE)
        audit->now.lost_from = audit->now.through;
    audit->now.since = TIMESTAMP_NONE;
    return true;
}

// An unusable line may have been anything: who acted, and what is there, is unknown from the event
// before it to the one behind it. Before the first event nothing is covered anyway.
static bool begin_torn(struct audit_source *audit, struct outbox *outbox, struct error *err)
{
    struct audit_progress *now = &audit->now;
    if (now->since == TIMESTAMP_NONE || now->torn_from != TIMESTAMP_NONE)
        return true;
    // Where events come out of order, it may have been as much older as it may have been newer.
    int64_t from = now->through - audit->delivery->disorder_us;
    now->torn_from = from > now->since ? from : now->since;
    return audit_gap_emit(outbox, &audit->coverage, now->torn_from, TIMESTAMP_NONE, TORN_REASON,
                          err);
}

static bool end_torn(struct audit_source *audit, struct outbox *outbox, int64_t at,
                     struct error *err)
{
    struct audit_progress *now = &audit->now;
    int64_t from = now->torn_from;
    if (from == TIMESTAMP_NONE || at <= from + 2 * audit->delivery->disorder_us)
        return true;
    now->torn_from = TIMESTAMP_NONE;
    return audit_gap_emit(outbox, &audit->coverage, from, at, TORN_REASON, err);
}

// Moves since and through by the time of an event. They never claim more than was read: an idle log
// and one that is no longer written look alike.
static bool note_time(struct audit_source *audit, struct outbox *outbox,
                      const struct audit_line *line, struct error *err)
{
    struct audit_progress *now = &audit->now;
    bool is_long = line->staged_at - line->received_at > REQUEST_MAX_US;
    if (now->since == TIMESTAMP_NONE)
        now->since = is_long ? line->staged_at : line->received_at;
    if (line->received_at > now->through)
        now->through = line->received_at;
    if (!end_torn(audit, outbox, line->received_at, err))
        return false;
    if (now->lost_from == TIMESTAMP_NONE)
        return true;
    int64_t from = now->lost_from;
    now->lost_from = TIMESTAMP_NONE;
    if (from >= now->since)
        return true;
    return audit_gap_emit(outbox, &audit->coverage, from, now->since,
                          "the audit log was rotated away before it was read", err);
}

// What cannot be used, a line or an event in one, is reported by digest and length, and the next
// one is read.
static bool reject(struct audit_source *audit, struct outbox *outbox, struct span bytes,
                   const char *where, struct error *err)
{
    if (err->react != REACT_REJECT)
        return false;
    char reason[sizeof(err->text)];
    memcpy(reason, err->text, sizeof(reason));
    log_line(LOG_WARN, "audit line rejected", "where", where, "reason", reason, NULL);
    return input_rejected_emit(outbox, where, reason, bytes.bytes, bytes.length, err) &&
           begin_torn(audit, outbox, err);
}

// The line that is being decoded.
struct decoding {
    struct audit_source *audit;
    struct outbox *outbox;
    const char *where;
};

// A delivery may hold the logs of several clusters, and this collector speaks for one. *ours is
// false for an event of another that is known to be in there; one that nobody spoke of is refused.
static bool check_cluster(struct audit_source *audit, const char *cluster, bool *ours,
                          struct error *err)
{
    const char *wanted = audit->options.vendor_cluster;
    char *first = audit->now.vendor_cluster;
    *ours = true;
    if (cluster == NULL || *cluster == '\0')
        return true;
    if (wanted != NULL) {
        *ours = strcasecmp(wanted, cluster) == 0;
        return true;
    }
    if (strlen(cluster) >= sizeof(audit->now.vendor_cluster))
        return fail(err, REACT_REJECT, "the name of the event's cluster is too long");
    if (*first == '\0')
        memcpy(first, cluster, strlen(cluster) + 1);
    if (strcasecmp(first, cluster) == 0)
        return true;
    return fail(err, REACT_REJECT,
                "event of cluster %.64s in the delivery of %.64s; hint: set vendor_cluster",
                cluster, first);
}

static bool emit_event(struct decoding *decoding, const struct audit_delivered *delivered,
                       const char *where, struct error *err)
{
    struct audit_source *audit = decoding->audit;
    struct audit_line line;
    bool ours;
    if (delivered->problem != NULL)
        return fail(err, REACT_REJECT, "%s", delivered->problem);
    if (!check_cluster(audit, delivered->cluster, &ours, err))
        return false;
    if (!ours)
        return true;
    if (!audit_line_read(delivered->event.bytes, delivered->event.length, &line, err))
        return false;
    line.hides_dry_run = delivered->hides_dry_run;
    return !line.is_final || (note_time(audit, decoding->outbox, &line, err) &&
                              audit_event_emit(decoding->outbox, &line, &audit->coverage, where,
                                               &audit->now.gaps, err));
}

static bool take_event(void *context, const struct audit_delivered *delivered, struct error *err)
{
    struct decoding *decoding = context;
    SCOPED(xfree_char)
    char *where = decoding->audit->delivery->disorder_us > 0
                      ? xasprintf("%s#%zu", decoding->where, delivered->index)
                      : xstrdup(decoding->where);
    return emit_event(decoding, delivered, where, err) ||
           reject(decoding->audit, decoding->outbox, delivered->event, where, err);
}

static const char *current_path(const struct audit_source *audit)
{
    return is_stdin(audit) ? "-" : tail_current_path(audit->tail);
}

static bool take_line(struct audit_source *audit, struct outbox *outbox,
                      const struct tail_line *text, struct error *err)
{
    if (text->length == 0)
        return true;
    SCOPED(xfree_char)
    char *where = xasprintf("audit_log %s@%lld", current_path(audit), (long long)text->offset);
    struct span line = {text->bytes, text->length};
    struct decoding decoding = {audit, outbox, where};
    const struct audit_taker taker = {take_event, &decoding};
    if (text->too_long) {
        fail(err, REACT_REJECT, "line is longer than %zu bytes; the digest is of its beginning",
             TAIL_LINE_MAX);
        return reject(audit, outbox, line, where, err);
    }
    return audit->delivery->decode(line, &taker, err) || reject(audit, outbox, line, where, err);
}

// A file that cannot be read: with --once there is nothing to wait for.
static bool take_trouble(struct audit_source *audit, struct outbox *outbox, struct error *err)
{
    struct error cause = *err;
    bool is_new = strcmp(audit->trouble, cause.text) != 0;
    say_trouble(audit, cause.text);
    if (cause.react == REACT_REJECT) {
        if (!is_new)
            return true;
        if (audit->now.lost_from == TIMESTAMP_NONE && audit->now.since != TIMESTAMP_NONE)
            audit->now.lost_from = audit->now.through;
        SCOPED(xfree_char) char *where = xasprintf("audit_log %s", current_path(audit));
        return input_rejected_emit(outbox, where, cause.text, "", 0, err);
    }
    if (!audit->options.once)
        return true;
    return fail(err, REACT_STOP, "%s; hint: --once reads what is there", cause.text);
}

// The end of --once: what was read is said before the source counts as finished.
static bool finish(struct audit_source *audit, struct outbox *outbox, struct error *err)
{
    audit->ends = true;
    if (audit->now.through == TIMESTAMP_NONE)
        log_line(LOG_WARN, "audit log holds no event", "path", audit->options.path, NULL);
    return emit_watched(audit, outbox, err);
}

// Reads until enough is done (*more) or nothing is there; *read counts lines.
static bool read_lines(struct audit_source *audit, struct outbox *outbox, size_t *read, bool *more,
                       struct error *err)
{
    size_t bytes = 0;
    int64_t ends_ms = monotonic_ms() + STEP_MS;
    *more = true;
    for (*read = 0; *read < STEP_LINES && bytes < STEP_BYTES && monotonic_ms() < ends_ms; ++*read) {
        struct tail_line line;
        bool going = true;
        switch (tail_next(audit->tail, &line, err)) {
        case TAIL_LINE:
            bytes += line.length;
            audit->trouble[0] = '\0';
            going = take_line(audit, outbox, &line, err);
            break;
        case TAIL_LOST:
            going = note_lost(audit, outbox, err);
            break;
        case TAIL_WAIT:
            *more = false;
            return true;
        case TAIL_END:
            *more = false;
            return finish(audit, outbox, err);
        case TAIL_TROUBLE:
            *more = err->react == REACT_REJECT && audit->options.once;
            return take_trouble(audit, outbox, err);
        }
        if (!going)
            return false;
    }
    return true;
}

static void open_tail(struct audit_source *audit, const char *path)
{
    audit->tail = tail_open(&(struct tail_options){
        .path = path, .once = audit->options.once, .line_time = audit->delivery->line_time});
}

// Standard input is read to its end before its first line is: then it is a file like others.
static bool read_stdin(struct audit_source *audit, struct error *err)
{
    if (audit->input == NULL && !stdin_copy_open(audit->folder, &audit->input, err))
        return false;
    if (!stdin_copy_step(audit->input, err))
        return false;
    if (stdin_copy_is_complete(audit->input))
        open_tail(audit, stdin_copy_path(audit->input));
    audit->poll_ms = monotonic_ms() + (audit->tail != NULL ? 0 : POLL_MS);
    return true;
}

static bool audit_step(struct source *source, const zmq_pollitem_t *ready, size_t count,
                       struct outbox *outbox, struct error *err)
{
    (void)ready;
    (void)count;
    struct audit_source *audit = own(source);
    if (audit->finished)
        return true;
    if (audit->tail == NULL && !read_stdin(audit, err))
        return fail_in(err, "audit_log");
    if (audit->tail == NULL)
        return true;
    if (!audit->loaded && !load_cursor(audit, outbox, err))
        return false;
    size_t read;
    bool due = monotonic_ms() - audit->watched_ms >= WATCHED_EVERY_MS;
    if (!read_lines(audit, outbox, &read, &audit->more, err) ||
        (due && !emit_watched(audit, outbox, err)) ||
        (read > 0 && !save_cursor(audit, outbox, err)))
        return fail_in(err, "audit_log");
    audit->poll_ms = monotonic_ms() + (audit->more ? 0 : POLL_MS);
    return true;
}

// A step that was taken back leaves no trace: the tail goes back to the committed place.
static void audit_settled(struct source *source, bool committed)
{
    struct audit_source *audit = own(source);
    if (committed) {
        audit->committed = audit->now;
        audit->finished = audit->finished || audit->ends;
        return;
    }
    audit->now = audit->committed;
    audit->ends = false;
    audit->watched_through = TIMESTAMP_NONE; // said again rather than never
    if (audit->tail != NULL)
        tail_return_to(audit->tail, &audit->committed.place);
    audit->poll_ms = monotonic_ms() + RETRY_MS;
}

static size_t audit_descriptors(struct source *source, zmq_pollitem_t *items, size_t capacity)
{
    const struct audit_source *audit = own(source);
    if (audit->tail != NULL || capacity == 0)
        return 0; // regular files are always readable: only the clock tells when to look
    items[0] = (zmq_pollitem_t){.fd = STDIN_FILENO, .events = ZMQ_POLLIN};
    return 1;
}

static long audit_timeout_ms(struct source *source)
{
    const struct audit_source *audit = own(source);
    if (audit->finished)
        return -1;
    int64_t left = audit->poll_ms - monotonic_ms();
    return left > 0 ? (long)left : 0;
}

static void audit_looks(struct source *source, cJSON *array)
{
    const struct audit_source *audit = own(source);
    int64_t through = settled_through(audit, &audit->committed);
    if (audit->committed.since != TIMESTAMP_NONE && through != TIMESTAMP_NONE)
        audit_looks_add(array, &audit->coverage, audit->options.cluster, audit->committed.since,
                        through);
}

static void audit_trouble(const struct source *source, struct buffer *out)
{
    const struct audit_source *audit = (const struct audit_source *)source;
    if (audit->trouble[0] != '\0')
        buffer_printf(out, "audit log %s: %s", audit->options.path, audit->trouble);
}

static bool audit_is_finished(const struct source *source)
{
    return ((const struct audit_source *)source)->finished;
}

static void audit_close(struct source *source)
{
    struct audit_source *audit = own(source);
    tail_close(audit->tail);
    stdin_copy_close(audit->input);
    free(audit->key);
    free(audit->folder);
    char **namespaces = (char **)(uintptr_t)audit->options.namespaces;
    for (size_t i = 0; i < audit->options.namespace_count; i++)
        free(namespaces[i]);
    free(namespaces);
    free((char *)(uintptr_t)audit->options.path);
    free((char *)(uintptr_t)audit->options.cluster);
    free((char *)(uintptr_t)audit->options.vendor_cluster);
    free(audit);
}

static const struct source_class audit_class = {
    .name = "audit_log",
    .descriptors = audit_descriptors,
    .timeout_ms = audit_timeout_ms,
    .step = audit_step,
    .settled = audit_settled,
    .looks = audit_looks,
    .trouble = audit_trouble,
    .is_finished = audit_is_finished,
    .close = audit_close,
};

static const char *const *copy_names(const char *const *names, size_t count)
{
    char **copies = xcalloc(count ? count : 1, sizeof(*copies));
    for (size_t i = 0; i < count; i++)
        copies[i] = xstrdup(names[i]);
    return (const char *const *)copies;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
}

struct source *audit_source_open(const struct audit_options *options)
{
    struct audit_source *audit = xcalloc(1, sizeof(*audit));
    audit->source.class = &audit_class;
    audit->options = *options;
    audit->options.path = xstrdup(options->path);
    audit->options.cluster = xstrdup(options->cluster);
    audit->options.vendor_cluster =
        options->vendor_cluster ? xstrdup(options->vendor_cluster) : NULL;
    audit->options.namespaces = copy_names(options->namespaces, options->namespace_count);
    audit->coverage = (struct audit_coverage){.namespaces = audit->options.namespaces,
                                              .namespace_count = options->namespace_count,
                                              .complete = options->complete};
    audit_progress_init(&audit->committed);
    audit->now = audit->committed;
    audit->watched_through = TIMESTAMP_NONE;
    audit->key = xasprintf("audit_log:%s", options->path);
    audit->delivery = audit_delivery_find(options->format ? options->format : "kubernetes");
    audit->folder = folder_of(options->spool ? options->spool : ".");
    if (!is_stdin(audit))
        open_tail(audit, audit->options.path);
    return &audit->source;
}
