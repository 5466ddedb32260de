// Lets tests and benches store events without a wire: reads lines from stdin, either complete
// events or
// {"type","data"} (also "time"), gives them their place in one collector's stream, and stores them
// in batches. Prints one JSON line: acked, stored, events per second, and how the last part stood.
//
//   driver_store_ingest CONNINFO [--batch N] [--allow CLUSTER[/NAMESPACE]] [--collector NAME]
//                       [--epoch N] [--first N] [--timeout MS] [--repeat] [--rebuild [N]] [--keep]
//
// --first N numbers the lines from N instead of behind the mark, with the chain over lines given
// before them as zero; --repeat stores every batch twice, as after an unheard commit. --keep takes
// complete events as they are instead of giving them new ids. --rebuild rebuilds afterwards, N
// workloads at a time.

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/event.h"
#include "common/json.h"
#include "common/json_scan.h"
#include "common/text.h"
#include "common/timestamp.h"
#include "store/batch.h"
#include "store/rebuild.h"

struct settings {
    const char *conninfo;
    const char *collector;
    struct allowed allowed;
    char *namespace;
    int64_t batch;
    int64_t epoch;
    int64_t first; // 0: behind the mark
    int64_t timeout_ms;
    bool any_scope;
    bool repeat;
    bool keep;
    bool rebuild;
    int64_t rebuild_chunk;
};

static const char *const outcomes[] = {"stored", "gap", "fork"};

static int64_t number(const char *text)
{
    int64_t value;
    if (text == NULL || !text_to_int64(text, &value)) {
        fprintf(stderr, "not a number: %s\n", text ? text : "(nothing)");
        exit(2);
    }
    return value;
}

static void allow(struct settings *settings, char *scope)
{
    char *slash = strchr(scope, '/');
    settings->any_scope = false;
    settings->allowed.cluster = scope;
    if (slash != NULL) {
        *slash = '\0';
        settings->namespace = slash + 1;
        settings->allowed.namespaces = &settings->namespace;
        settings->allowed.namespace_count = 1;
    }
}

static void read_arguments(int argc, char **argv, struct settings *settings)
{
    for (int i = 2; i < argc; i++) {
        char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--repeat") == 0) {
            settings->repeat = true;
            continue;
        }
        if (strcmp(argv[i], "--keep") == 0) {
            settings->keep = true;
            continue;
        }
        if (strcmp(argv[i], "--batch") == 0)
            settings->batch = number(value);
        else if (strcmp(argv[i], "--epoch") == 0)
            settings->epoch = number(value);
        else if (strcmp(argv[i], "--first") == 0)
            settings->first = number(value);
        else if (strcmp(argv[i], "--timeout") == 0)
            settings->timeout_ms = number(value);
        else if (strcmp(argv[i], "--collector") == 0)
            settings->collector = value;
        else if (strcmp(argv[i], "--allow") == 0 && value != NULL)
            allow(settings, value);
        else if (strcmp(argv[i], "--rebuild") == 0)
            settings->rebuild_chunk = number(value), settings->rebuild = true;
        else
            exit(2);
        i++;
    }
}

// Appends the line as event `seq`. What is no JSON object, or is kept, goes as it is.
static void append_event(const struct settings *settings, int64_t seq, const char *line,
                         size_t length, struct buffer *out)
{
    struct error err;
    SCOPED(cJSON_Delete)
    cJSON *event = settings->keep ? NULL : json_parse(line, length, JSON_MAX_DEPTH, &err);
    const char *type = json_text(event, "type");
    const cJSON *data = json_get(event, "data");
    if (type == NULL || data == NULL) {
        buffer_append(out, line, length);
    } else {
        SCOPED(xfree_char) char *text = json_print(data);
        const char *cluster = json_text(data, "cluster");
        const char *time = json_text(event, "time");
        struct event_head head = {.collector = settings->collector,
                                  .epoch = settings->epoch,
                                  .seq = seq,
                                  .type = type,
                                  .cluster = cluster ? cluster : "c1",
                                  .time = TIMESTAMP_NONE};
        if (time != NULL && !timestamp_parse(time, &head.time))
            head.time = TIMESTAMP_NONE;
        event_write(out, &head, text, strlen(text));
    }
    buffer_append_char(out, '\n');
}

static void die(const char *what, const struct error *err)
{
    fprintf(stderr, "%s: %s (%s)\n", what, err->text, reaction_name(err->react));
    exit(1);
}

// The stream under way: one part collects lines until it is full.
struct stream {
    struct database *db;
    struct settings *settings;
    struct batch_part part;
    struct buffer lines;
    int64_t stored;
    int64_t store_ms;
};

static bool store_once(struct stream *stream)
{
    struct error err;
    stream->part.lines = stream->lines.data;
    stream->part.length = stream->lines.length;
    if (!batch_store(stream->db, &stream->part, 1, &err))
        die("batch", &err);
    return stream->part.outcome == PART_STORED;
}

// Stores what was collected and moves on behind it; false when it was not stored.
static bool flush(struct stream *stream)
{
    if (stream->part.count == 0)
        return true;
    int64_t before = monotonic_ms();
    bool stored = store_once(stream) && (!stream->settings->repeat || store_once(stream));
    stream->store_ms += monotonic_ms() - before;
    stream->stored += stored ? stream->part.count : 0;
    size_t at = 0;
    while (at < stream->lines.length) {
        const char *line = stream->lines.data + at;
        const char *end = memchr(line, '\n', stream->lines.length - at);
        digest_chain(stream->part.chain, line, (size_t)(end - line), stream->part.chain);
        at += (size_t)(end - line) + 1;
    }
    stream->part.first += stream->part.count;
    stream->part.count = 0;
    buffer_clear(&stream->lines);
    return stored;
}

static void ingest(struct stream *stream)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    bool stored = true;
    while (stored && (length = getline(&line, &capacity, stdin)) > 0) {
        if (line[length - 1] == '\n')
            length--;
        append_event(stream->settings, stream->part.first + stream->part.count, line,
                     (size_t)length, &stream->lines);
        if (++stream->part.count >= stream->settings->batch)
            stored = flush(stream);
    }
    if (stored && !feof(stdin)) // getline had no memory
        memory_exhausted();
    if (stored)
        flush(stream);
    free(line);
    buffer_reset(&stream->lines);
}

static void start(struct stream *stream)
{
    struct error err;
    struct settings *settings = stream->settings;
    struct batch_part *part = &stream->part;
    int64_t newest;
    part->allowed = settings->any_scope ? NULL : &settings->allowed;
    part->collector = settings->collector;
    part->epoch = settings->epoch;
    if (settings->first != 0) {
        part->first = settings->first;
        return;
    }
    if (!mark_read(stream->db, part->collector, part->epoch, &part->first, part->chain, &newest,
                   &err))
        die("mark", &err);
    part->first++;
}

int main(int argc, char **argv)
{
    struct error err;
    struct settings settings = {
        .collector = "driver", .batch = 2000, .epoch = 1, .timeout_ms = 120000, .any_scope = true};
    if (argc < 2 || sodium_init() < 0)
        return 2;
    read_arguments(argc, argv, &settings);
    settings.allowed.name = xstrdup(settings.collector);
    SCOPED(database_close) struct database *db = NULL;
    if (!database_open(argv[1], "store_ingest", DATABASE_WRITES, (int)settings.timeout_ms, &db,
                       &err))
        die("database", &err);
    struct stream stream = {.db = db, .settings = &settings};
    start(&stream);
    ingest(&stream);
    int64_t rate = stream.store_ms > 0 ? stream.stored * 1000 / stream.store_ms : 0;
    printf("{\"acked\":%" PRId64 ",\"stored\":%" PRId64 ",\"store_ms\":%" PRId64
           ",\"events_per_second\":%" PRId64 ",\"outcome\":\"%s\",\"message\":",
           stream.part.acked, stream.stored, stream.store_ms, rate, outcomes[stream.part.outcome]);
    SCOPED_BUFFER message = {0};
    buffer_append_json_string(&message, stream.part.message, strlen(stream.part.message));
    printf("%s}\n", message.data);
    free(settings.allowed.name);
    if (settings.rebuild && !rebuild_run(db, settings.rebuild_chunk, &err))
        die("rebuild", &err);
    return 0;
}
