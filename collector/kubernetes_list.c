// One list: pages of one resourceVersion, cut into items while they arrive, and at the end the
// listing of all uids. Pages of different resourceVersions are never mixed.

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "collector/kubernetes_stream.h"
#include "collector/list_splitter.h"
#include "common/log.h"
#include "common/text.h"
#include "common/timestamp.h"

// Far above any real page: it only ends answers that never end. Memory is bounded by the item.
#define PAGE_MAX_BYTES (UINT64_C(4) << 30)

// A list has its place for this many silences (look_again_ms); then others may run beside it.
#define PLACE_TURNS 5

struct list_job {
    struct http_transfer *transfer; // NULL between pages and retries
    bool has_place;                 // counted in lists_running
    int64_t began_ms;               // of the transfer
    struct list_splitter *splitter;
    char *continue_token; // NULL: the first page
    int64_t rv;           // of the first page
    int64_t floor_rv;     // what the network side had seen when it began
    int64_t listed_at;
    bool whole;      // in one page, because continuing did not work
    bool incomplete; // some object could not be identified
    uint8_t (*members)[UID_BYTES];
    size_t count;
    size_t capacity;
};

static void free_job(struct list_job *job)
{
    list_splitter_free(job->splitter);
    free(job->continue_token);
    free(job->members);
    free(job);
}

static void drop_job(struct stream *stream)
{
    if (stream->list == NULL)
        return;
    free_job(stream->list);
    stream->list = NULL;
}

static void give_place_back(struct stream *stream)
{
    if (stream->list->has_place)
        stream->kubernetes->lists_running--;
    stream->list->has_place = false;
}

// A list that waits for another try must not keep others from running.
static void end_transfer(struct stream *stream)
{
    stream->list->transfer = NULL;
    give_place_back(stream);
}

// Nor must one that never ends, while its server keeps it alive.
int64_t list_check(struct stream *stream, int64_t now_ms)
{
    struct list_job *job = stream->list;
    if (job == NULL || !job->has_place)
        return INT64_MAX;
    int64_t due_ms = job->began_ms + PLACE_TURNS * stream->kubernetes->options.look_again_ms;
    if (now_ms < due_ms)
        return due_ms;
    give_place_back(stream);
    return INT64_MAX;
}

void list_clock_set(struct stream *stream, int64_t by_us)
{
    if (stream->list == NULL)
        return;
    stream->list->listed_at += by_us;
    if (stream->list->transfer != NULL)
        http_clock_set(stream->list->transfer, by_us);
}

void list_cancel(struct stream *stream)
{
    if (stream->list != NULL && stream->list->transfer != NULL) {
        http_cancel(stream->list->transfer);
        end_transfer(stream);
    }
    drop_job(stream);
}

void list_begin(struct stream *stream)
{
    stream->list = xcalloc(1, sizeof(*stream->list));
}

bool list_is_waiting(const struct stream *stream)
{
    return stream->list->transfer == NULL;
}

// Goes back to the first page; what was read so far stays a set of good observations, but no list.
static void restart(struct list_job *job, bool whole)
{
    free(job->continue_token);
    job->continue_token = NULL;
    job->count = 0;
    job->incomplete = false;
    job->whole = job->whole || whole;
}

// Queues an item. An object that cannot be used still exists, and the listing must not say
// otherwise: its uid is looked for with less care.
static bool queue_item(struct stream *stream, const struct buffer *item, bool cut, char uid[64])
{
    struct object_head head;
    if (cut) {
        stream_reject(stream, item->data, item->length, "object is too long");
    } else if (stream_read_head(stream, item->data, item->length, &head)) {
        stream_push_object(stream, RECORD_LISTED_OBJECT, &head, item->data, item->length,
                           stream->list->listed_at, false);
        memcpy(uid, head.uid, sizeof(head.uid));
        return true;
    }
    return object_uid_skim(item->data, item->length, uid, 64);
}

static void take_item(struct stream *stream, const struct buffer *item, bool cut)
{
    struct list_job *job = stream->list;
    char uid[64];
    uint8_t binary[UID_BYTES];
    if (!queue_item(stream, item, cut, uid)) {
        job->incomplete = true;
        return;
    }
    if (!uid_parse(uid, binary)) // never stored under such a name
        return;
    job->members = xgrow(job->members, &job->capacity, job->count + 1, sizeof(*job->members));
    memcpy(job->members[job->count++], binary, UID_BYTES);
}

// A page is read as it arrives, as fast as the queue has room. The list's instant is that of its
// first answer's first line: the state it shows had been reached by then.
static size_t on_body(void *context, const char *bytes, size_t length)
{
    struct stream *stream = context;
    struct list_job *job = stream->list;
    if (job->continue_token == NULL)
        job->listed_at = http_head_at(job->transfer);
    size_t at = 0;
    while (at < length && !record_queue_is_full(&stream->kubernetes->queue)) {
        struct error err;
        size_t used;
        switch (list_splitter_feed(job->splitter, bytes + at, length - at, &used, &err)) {
        case SPLIT_ITEM: {
            bool cut;
            const struct buffer *item = list_splitter_item(job->splitter, &cut);
            take_item(stream, item, cut);
            break;
        }
        case SPLIT_BAD:
            return HTTP_ABORT;
        case SPLIT_MORE:
            break;
        }
        at += used;
    }
    return at;
}

static int compare_uids(const void *left, const void *right)
{
    return memcmp(left, right, UID_BYTES);
}

// Sorts the uids and drops doubles; returns how many are left.
static size_t sort_members(struct list_job *job)
{
    if (job->count == 0)
        return 0;
    qsort(job->members, job->count, UID_BYTES, compare_uids);
    size_t kept = 1;
    for (size_t i = 1; i < job->count; i++) { // a page read twice names its objects twice
        if (memcmp(job->members[kept - 1], job->members[i], UID_BYTES) != 0)
            memmove(job->members[kept++], job->members[i], UID_BYTES);
    }
    return kept;
}

// The uid just below: ranges are inclusive and leave no uid between them.
static void uid_before(const uint8_t uid[UID_BYTES], uint8_t before[UID_BYTES])
{
    memcpy(before, uid, UID_BYTES);
    for (size_t i = UID_BYTES; i > 0; i--) {
        if (before[i - 1]-- != 0)
            return;
    }
}

// Queues the members as sorted ranges, each small enough for one event; an empty list is one range.
static void push_members(struct stream *stream)
{
    struct list_job *job = stream->list;
    size_t most = (size_t)stream->kubernetes->options.listing_uids;
    size_t count = sort_members(job);
    size_t from = 0;
    do {
        size_t size = count - from < most ? count - from : most;
        struct record *record =
            record_push(&stream->kubernetes->queue, RECORD_MEMBERS, stream,
                        size > 0 ? job->members + from : NULL, size * UID_BYTES);
        record->at = job->listed_at;
        record->position = job->rv;
        if (from > 0)
            uid_format(job->members[from], record->uid);
        if (from + size < count) {
            uint8_t last[UID_BYTES];
            uid_before(job->members[from + size], last);
            uid_format(last, record->uid_to);
        }
        from += size;
    } while (from < count);
}

// The last page was read: queues the listing and moves the stream on. The watch goes on from where
// it is, unless there was none, so that nothing between it and the list is skipped.
static void complete(struct stream *stream)
{
    struct list_job *job = stream->list;
    const struct kubernetes_options *options = &stream->kubernetes->options;
    if (!job->incomplete)
        push_members(stream);
    struct record *record = record_push(&stream->kubernetes->queue, RECORD_LISTED, stream, NULL, 0);
    record->at = job->listed_at;
    record->position = job->rv;
    record->incomplete = job->incomplete;
    if (job->rv > stream->kubernetes->newest_rv || job->rv < job->floor_rv)
        stream->kubernetes->newest_rv = job->rv;
    if (job->rv < job->floor_rv) { // the server's history went back: the watch must follow it
        watch_cancel(stream);
        stream->next_rv = job->rv;
    } else if (stream->next_rv == 0) {
        stream->next_rv = job->rv;
    }
    if (job->rv > stream->top_rv)
        stream->top_rv = job->rv;
    stream->relist_at_ms =
        monotonic_ms() + backoff_random(options->relist_min_ms, options->relist_max_ms);
    stream->listed_ms = stream->alive_ms = monotonic_ms();
    stream->listed_count = job->count;
    stream->doubted = false;
    drop_job(stream);
    stream_recovered(stream);
}

// Reads the end of a page: the next one, the end of the list, or an error that wants a retry.
static bool end_page(struct stream *stream, struct error *err)
{
    struct list_job *job = stream->list;
    SCOPED(xfree_char) char *version = NULL;
    SCOPED(xfree_char) char *token = NULL;
    int64_t rv;
    if (!list_splitter_finish(job->splitter, &version, &token, err))
        return false;
    if (!text_to_int64(version, &rv) || rv <= 0)
        return fail(err, REACT_REJECT, "list with the resourceVersion '%.40s'", version);
    if (job->continue_token == NULL) {
        job->rv = rv;
    } else if (job->rv != rv) {
        restart(job, true);
        return fail(err, REACT_RETRY, "a page has another resourceVersion than the first one");
    }
    // Only now, behind the items, is it known which state they belong to.
    if (token[0] == '\0') {
        complete(stream);
        return true;
    }
    free(job->continue_token);
    job->continue_token = token;
    token = NULL;
    list_run(stream);
    return true;
}

// stream_trouble and end_page may drop the job, so that stream->list has to be looked at again
// behind them: `job` may be gone.
static void on_done(void *context, const struct http_result *result)
{
    struct stream *stream = context;
    struct list_job *job = stream->list;
    struct error err;
    end_transfer(stream);
    // The server kept the rest of the list for some minutes only. A token that would go on with
    // newer state comes with the refusal; taking it would mix two states in one listing.
    if (result->status == 410 && job->continue_token != NULL) {
        log_line(LOG_INFO, "list could not be continued, reading it in one page", "resource",
                 stream->resource, NULL);
        restart(job, true);
        list_run(stream);
        return;
    }
    if (result->status == 200 && result->complete) {
        if (end_page(stream, &err))
            return;
        struct http_result bad = {.status = 200, .problem = err.text, .body = ""};
        stream_trouble(stream, "list", &bad);
        return;
    }
    stream_trouble(stream, "list", result);
    // A page is asked for again; what stood in a first page belongs to a state that has passed.
    if (stream->list != NULL && job->continue_token == NULL)
        restart(job, false);
    if (stream->list != NULL && (result->status == 404 || result->status == 400))
        drop_job(stream);
}

// Without a limit the server answers with all of one state, however large: split as it streams,
// that costs us no more memory than a page.
static void write_path(const struct stream *stream, struct buffer *path)
{
    const struct list_job *job = stream->list;
    stream_path(stream, path);
    if (job->whole)
        return;
    buffer_printf(path, "?limit=%" PRId64, stream->kubernetes->options.page_size);
    if (job->continue_token == NULL)
        return;
    char *escaped = curl_easy_escape(NULL, job->continue_token, 0);
    buffer_printf(path, "&continue=%s", escaped != NULL ? escaped : "");
    curl_free(escaped);
}

// Asks for the first page, the next one, or the same again.
void list_run(struct stream *stream)
{
    static const struct http_handler handler = {.body = on_body, .done = on_done};
    struct list_job *job = stream->list;
    SCOPED_BUFFER path = {0};
    write_path(stream, &path);
    list_splitter_free(job->splitter);
    job->splitter = list_splitter_new(OBJECT_MAX_BYTES);
    if (job->continue_token == NULL) {
        job->floor_rv = stream->top_rv;
        record_push(&stream->kubernetes->queue, RECORD_LIST_BEGIN, stream, NULL, 0);
    }
    struct http_request request = {
        .path = path.data,
        .gzip = true,
        .max_body_bytes = PAGE_MAX_BYTES,
        .handler = &handler,
        .context = stream,
    };
    job->transfer = http_get(stream->kubernetes->http, &request);
    job->began_ms = monotonic_ms();
    job->has_place = true;
    stream->kubernetes->lists_running++;
}
