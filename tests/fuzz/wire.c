// One frame of the wire, and what the store does with it before it asks the database: the lines of
// a data frame, the looks of a beat.

#include <string.h>

#include "common/event.h"
#include "common/json_scan.h"
#include "common/text.h"
#include "store/batch_part.h"
#include "store/inbox.h"
#include "tests/fuzz/fuzz.h"

#define READ_MAX 8 // lines that are read: event.c has them for itself

static const struct allowed cluster = {.name = (char[]){"eu-1"}, .cluster = (char[]){"c1"}};

// Stand in for PostgreSQL: what is sent there must be texts that it takes.
bool database_query(struct database *db, const char *sql, int count, const char *const params[],
                    PGresult **out, struct error *err)
{
    (void)db;
    (void)sql;
    for (int i = 0; i < count; i++)
        MUST(params[i] == NULL || text_is_utf8(params[i], strlen(params[i])));
    if (count == 7 && params[3] != NULL)
        MUST(json_check(params[3], strlen(params[3]), 8, err));
    // Nobody here can answer a question.
    return out == NULL || fail(err, REACT_REJECT, "there is no database");
}

bool database_query_formats(struct database *db, const char *sql, int count,
                            const char *const params[], const int lengths[], const int formats[],
                            PGresult **out, struct error *err)
{
    (void)lengths;
    (void)formats;
    return database_query(db, sql, count, params, out, err);
}

// Linked with what is tested, and not reached.
bool database_copy_begin(struct database *db, const char *sql, struct error *err)
{
    return database_query(db, sql, 0, NULL, NULL, err);
}

bool database_copy_send(struct database *db, const char *bytes, size_t length, struct error *err)
{
    (void)bytes;
    (void)length;
    return database_query(db, NULL, 0, NULL, NULL, err);
}

bool database_copy_end(struct database *db, int64_t *rows, struct error *err)
{
    *rows = 0;
    return database_query(db, NULL, 0, NULL, NULL, err);
}

// A frame is what its writer makes of it: nothing is lost or added on the way.
static void check_written(const struct frame *frame)
{
    struct frame again;
    struct error err = {0};
    SCOPED_BUFFER bytes = {0};
    frame_write(frame, &bytes);
    // The reader cuts texts to their room, within a character if need be, and so may the writer's
    // bytes be no UTF-8; a collector's own texts are ASCII.
    if (!text_is_utf8(frame->program, strlen(frame->program)) ||
        !text_is_utf8(frame->message, strlen(frame->message)) || bytes.length > FRAME_MAX_BYTES)
        return;
    if (!frame_parse(bytes.data, bytes.length, &again, &err)) {
        fprintf(stderr, "%s\n%s\n", err.text, bytes.data);
        abort();
    }
    MUST(again.kind == frame->kind && again.epoch == frame->epoch && again.seq == frame->seq);
    MUST(again.count == frame->count && again.reason == frame->reason);
    MUST(again.window == frame->window && again.at == frame->at);
    MUST(again.wire_min == frame->wire_min && again.wire_max == frame->wire_max);
    MUST(strcmp(again.collector, frame->collector) == 0);
    MUST(strcmp(again.program, frame->program) == 0);
    MUST(strcmp(again.message, frame->message) == 0);
    MUST(memcmp(again.chain, frame->chain, DIGEST_BYTES) == 0);
    MUST(again.body_length == frame->body_length);
    MUST(frame->body_length == 0 || memcmp(again.body, frame->body, frame->body_length) == 0);
}

// Returns how many lines the part has.
static int64_t read_lines(const struct batch_part *part)
{
    struct part_line line;
    size_t at = 0;
    int64_t count = 0;
    for (; part_next_line(part, &at, &line); count++) {
        MUST(line.bytes >= part->lines && line.bytes + line.length <= part->lines + part->length);
        if (count >= READ_MAX)
            continue;
        struct batch_event event = {.allowed = &cluster,
                                    .collector = part->collector,
                                    .epoch = part->epoch,
                                    .seq = (int64_t)((uint64_t)part->first + (uint64_t)count),
                                    .line = line.bytes,
                                    .length = line.length};
        batch_event_read(&event);
        batch_event_reset(&event);
    }
    return count;
}

// A frame that is no good for its count is answered before any database is asked.
static void check_part(struct batch_part *part, int64_t lines)
{
    struct mark mark = {.collector = part->collector, .epoch = part->epoch};
    struct error err = {0};
    int64_t repeats;
    mark.seq = part->first > 0 ? part->first - 1 : 0;
    memcpy(mark.chain, part->chain, DIGEST_BYTES);
    MUST(part_check(NULL, part, &mark, &repeats, &err));
    bool whole = part->first > 0 && part->count > 0 && part->count == lines;
    MUST((part->outcome == PART_STORED) == whole && repeats == 0);
}

// As receiver.c takes what follows what it has: numbers near the end of all numbers never do.
static void take_data(const struct frame *frame)
{
    struct inbox inbox = {0};
    struct session session = {.collector = "eu-1"};
    if (frame->count < 1 || frame->count > FRAME_MAX_EVENTS ||
        frame->seq > INT64_MAX - FRAME_MAX_EVENTS || !session_advance(&session, frame))
        return;
    MUST(session.received == frame->seq + frame->count - 1);
    inbox_add(&inbox, &session, &cluster, frame, NULL, 0);
    struct batch_part *parts = inbox_parts(&inbox);
    MUST(parts[0].length == frame->body_length);
    int64_t lines = read_lines(&parts[0]);
    MUST(lines == frame->count);
    check_part(&parts[0], lines);
    xfree_part(parts);
    inbox_reset(&inbox);
}

static void take_beat(const struct frame *frame)
{
    struct error err = {0};
    struct heard heard = {.epoch = frame->epoch,
                          .acked = frame->seq,
                          .at = frame->at,
                          .program = frame->program,
                          .looks = frame->body,
                          .looks_length = frame->body_length,
                          .trouble = frame->message};
    MUST(mark_touch(NULL, &cluster, &heard, &err) || err.react == REACT_REJECT);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct frame frame;
    struct error err = {0};
    if (!frame_parse((const char *)bytes, length, &frame, &err)) {
        MUST(err.react == REACT_REJECT);
        return 0;
    }
    MUST(frame.epoch >= 0 && frame.seq >= 0 && frame.count >= 0);
    check_written(&frame);
    if (frame.kind == FRAME_DATA)
        take_data(&frame);
    if (frame.kind == FRAME_BEAT)
        take_beat(&frame);
    return 0;
}
