// Lets Python tests reach the extractors: reads JSON objects, one per line, and prints the data of
// the event that each becomes, or {"rejected": reason}. The kind follows from apiVersion and kind;
// with the argument `all` every kind reads every line, whatever it says.
//
//   driver_collector_extract [all] < objects.jsonl

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/observation.h"
#include "common/buffer.h"
#include "common/json.h"
#include "common/json_scan.h"
#include "common/memory.h"
#include "common/timestamp.h"

// Stands in for the spool: one event, kept until it is printed.
struct outbox {
    struct buffer data;
};

const char *outbox_cluster(const struct outbox *outbox)
{
    (void)outbox;
    return "test";
}

bool outbox_event(struct outbox *outbox, const char *type, const char *subject, int64_t time,
                  const char *data, size_t length, struct error *err)
{
    (void)type;
    (void)subject;
    (void)time;
    (void)err;
    buffer_clear(&outbox->data);
    buffer_append(&outbox->data, data, length);
    return true;
}

static const struct kind *kind_of(const char *bytes, size_t length)
{
    struct error err = {0};
    SCOPED(cJSON_Delete) cJSON *object = json_parse(bytes, length, JSON_MAX_DEPTH, &err);
    const char *version = json_text(object, "apiVersion");
    const char *name = json_text(object, "kind");
    size_t count;
    const struct kind *kinds = kinds_all(&count);
    for (size_t i = 0; version != NULL && name != NULL && i < count; i++) {
        size_t group = strlen(kinds[i].group);
        if (strncmp(version, kinds[i].group, group) == 0 && version[group] == '/' &&
            strcmp(kinds[i].kind, name) == 0)
            return &kinds[i];
    }
    return NULL;
}

static void print_rejected(const char *reason)
{
    SCOPED(cJSON_Delete) cJSON *json = cJSON_CreateObject();
    json_add_text(json, "rejected", reason);
    SCOPED(xfree_char) char *text = json_print(json);
    puts(text);
}

static void observe(const struct kind *kind, const char *bytes, size_t length)
{
    struct outbox outbox = {{0}};
    struct object_head head;
    struct error err = {0};
    struct sighting sighting = {.cluster = "test",
                                .kind = kind,
                                .seen_at = timestamp_now(),
                                .source = "collector_clock",
                                .not_before = TIMESTAMP_NONE};
    if (observation_emit(&outbox, &sighting, bytes, length, &head, &err))
        puts(outbox.data.data);
    else
        print_rejected(err.text);
    buffer_reset(&outbox.data);
}

static void observe_as_all(const char *bytes, size_t length)
{
    size_t count;
    const struct kind *kinds = kinds_all(&count);
    for (size_t i = 0; i < count; i++)
        observe(&kinds[i], bytes, length);
}

int main(int argc, char **argv)
{
    bool all = argc > 1 && strcmp(argv[1], "all") == 0;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t got;
    while ((got = getline(&line, &capacity, stdin)) > 0) {
        size_t length = (size_t)got - (line[got - 1] == '\n');
        const struct kind *kind = all ? NULL : kind_of(line, length);
        if (all)
            observe_as_all(line, length);
        else if (kind != NULL)
            observe(kind, line, length);
        else
            print_rejected("no kind of ours");
    }
    free(line);
    return 0;
}
