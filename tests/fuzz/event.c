// Event lines as the store meets them: read, taken as facts, and those folded, without a database.
// The input is one line or several; all of them claim to be the same event.

#include <string.h>

#include "common/json_scan.h"
#include "common/text.h"
#include "store/batch_event.h"
#include "store/facts.h"
#include "store/fold.h"
#include "tests/fuzz/fuzz.h"

#define LINES_MAX 16
#define RECORDED_AT INT64_C(1780000000000000)
#define MINUTE_US INT64_C(60000000)

static const struct allowed cluster = {.name = (char[]){"eu-1"}, .cluster = (char[]){"c1"}};

static size_t rows_of(const struct facts *facts)
{
    return facts->state.count + facts->listing.count + facts->gap.count + facts->watched.count +
           facts->request.count + facts->namespace_label.count + facts->central.count +
           facts->environment.count + facts->person.count;
}

static void check_read(const struct batch_event *event)
{
    struct error err;
    MUST((event->text != NULL) == (event->quarantined[0] == '\0'));
    MUST(text_is_utf8(event->quarantined, strlen(event->quarantined)));
    MUST(text_is_utf8(event->type, strlen(event->type)) && event->type[0] != '\0');
    MUST(event->text == NULL || json_check(event->text, strlen(event->text), 256, &err));
}

// What is quarantined leaves no row; what is taken leaves one, but for the allow-list's event.
static void take_line(struct facts *facts, const char *bytes, size_t length, int64_t log_index)
{
    static const char own[] = "\"_store:3:7\"";
    bool is_own = length > sizeof(own) && memmem(bytes, length, own, sizeof(own) - 1) != NULL;
    struct batch_event event = {.allowed = is_own ? NULL : &cluster,
                                .collector = is_own ? "_store" : "eu-1",
                                .epoch = 3,
                                .seq = 7,
                                .line = bytes,
                                .length = length,
                                .log_index = log_index,
                                // Of a clock that is right, or slow by minutes to days.
                                .lag_us =
                                    length % 3 == 0 ? 0 : (int64_t)(length % 4096) * MINUTE_US,
                                .recorded_at = RECORDED_AT};
    batch_event_read(&event);
    check_read(&event);
    size_t before = rows_of(facts);
    facts_add(facts, &event);
    MUST(text_is_utf8(event.quarantined, strlen(event.quarantined)));
    bool rowless = strcmp(event.type, TYPE_ALLOW_LIST_LOADED) == 0;
    MUST(event.quarantined[0] != '\0' || rowless || rows_of(facts) > before);
    MUST(event.quarantined[0] == '\0' || rows_of(facts) == before);
    batch_event_reset(&event);
}

// What a reading's column says must be readable again, and say the same.
static void check_detail(const struct reading *reading, struct fold_arena *arena)
{
    struct reading again = *reading;
    struct error err = {0};
    SCOPED_BUFFER first = {0};
    SCOPED_BUFFER second = {0};
    reading_detail_print(reading, &first);
    if (!reading_detail_parse(first.data, arena, &again, &err)) {
        fprintf(stderr, "%s\n%s\n", err.text, first.data);
        abort();
    }
    reading_detail_print(&again, &second);
    MUST(strcmp(first.data, second.data) == 0);
}

// As belief.c folds a workload that is new with this batch.
static void fold(const struct touched_workload *workload)
{
    struct reading readings[LINES_MAX];
    struct fold_request requests[LINES_MAX];
    const struct naming_rules rules = {0};
    SCOPED_FOLD_ARENA arena = {0};
    SCOPED_FOLD_OUTPUT out = {0};
    size_t count = 0;
    size_t request_count = 0;
    for (const struct touched_reading *one = workload->readings; one != NULL; one = one->next) {
        check_detail(&one->reading, &arena);
        readings[count++] = one->reading;
    }
    for (const struct touched_request *one = workload->requests; one != NULL; one = one->next)
        requests[request_count++] = one->request;
    if (count == 0)
        return;
    const struct fold_input input = {.cluster = workload->cluster,
                                     .resource = workload->resource,
                                     .uid = workload->uid,
                                     .name = workload->object->name,
                                     .rules = &rules,
                                     .readings = readings,
                                     .reading_count = count,
                                     .requests = requests,
                                     .request_count = request_count};
    fold_run(&input, &out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct facts facts = {0};
    const char *line = (const char *)bytes;
    for (int64_t i = 1; length > 0 && i <= LINES_MAX; i++) {
        const char *end = memchr(line, '\n', length);
        size_t size = end != NULL ? (size_t)(end - line) : length;
        take_line(&facts, line, size, i);
        size_t used = end != NULL ? size + 1 : size;
        line += used;
        length -= used;
    }
    for (size_t i = 0; i < facts.touched.count; i++)
        fold(facts.touched.items[i]);
    facts_reset(&facts);
    return 0;
}
