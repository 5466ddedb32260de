// `show ID`: one row with everything that leads to it. The raw object is for auditors; whoever may
// not read it still gets the rest, and is told.

#include <stdio.h>
#include <string.h>

#include "common/text.h"
#include "query/changes.h"
#include "query/command.h"
#include "query/comparison.h"
#include "query/deployments.h"
#include "query/output.h"

// clang-format off
#define RAW_OF(event)                                                                              \
    "(SELECT CASE WHEN r.body IS NOT NULL THEN r.body::json"                                       \
    " ELSE to_json(encode(r.body_bytes, 'escape')) END FROM modeltrail_v1.raw_events AS r"         \
    " WHERE r.collector = " event ".collector AND r.epoch = " event ".epoch"                       \
    " AND r.seq = " event ".seq LIMIT 1)"
#define RAW ", " RAW_OF("e") " AS raw"
#define RAW_WITH_REQUEST RAW ", " RAW_OF("q") " AS raw_request"
#define NO_RAW ""

// A row of `view` as `alias` by an event's id; found by the id's parts, which have an index.
#define JOIN_BY_EVENT(view, alias, event_id)                                                       \
    " LEFT JOIN LATERAL regexp_match(" event_id ", '^(.*):([0-9]+):([0-9]+)$')"                    \
    " AS id_" alias " (part) ON true LEFT JOIN " view " AS " alias                                 \
    " ON " alias ".collector = id_" alias ".part[1]"                                               \
    " AND " alias ".epoch = id_" alias ".part[2]::bigint"                                          \
    " AND " alias ".seq = id_" alias ".part[3]::bigint"
#define JOIN_EVENT(event_id) JOIN_BY_EVENT("modeltrail_v1.events", "e", event_id)
#define JOIN_REQUEST(event_id) JOIN_BY_EVENT("modeltrail_v1.requests", "q", event_id)
#define EVENT "CASE WHEN e.event_id IS NOT NULL THEN row_to_json(e) END AS event"
// The chain, and what the program found to differ ($12, query/comparison.h).
#define CHAIN                                                                                      \
    "(SELECT json_agg(row_to_json(l) ORDER BY l.step) FROM modeltrail_v1.chain($9) AS l) AS chain,"\
    " $12::json ->> 'before' AS diff_before, $12::json ->> 'note' AS diff_note,"                   \
    " (SELECT array_agg(path) FROM json_array_elements_text($12::json -> 'left_out') AS path)"     \
    " AS diff_left_out, $12::json -> 'items' AS diff"
#define REQUEST "CASE WHEN q.request_id IS NOT NULL THEN row_to_json(q) END AS request"

#define SHOW_CHANGE(raw)                                                                           \
    "SELECT c.*, " CHAIN ", " REQUEST ", " EVENT raw " FROM modeltrail_v1.changes AS c"                       \
    JOIN_EVENT("c.event_id") JOIN_REQUEST("c.request_event_id")                                    \
    " WHERE c.change_id = $9"

// A deployment begins with the change that happened at its begin.
#define SHOW_DEPLOYMENT(raw)                                                                       \
    "SELECT d.*, c.changes, " CHAIN ", " REQUEST ", " EVENT raw                                               \
    " FROM modeltrail_v1.deployment_history AS d LEFT JOIN LATERAL ("                              \
    "  SELECT json_agg(row_to_json(h) ORDER BY h.happened_at, h.component) AS changes,"            \
    "   (array_agg(h.event_id ORDER BY h.happened_at, h.component)"                                \
    "    FILTER (WHERE h.happened_at >= d.deployed_at))[1] AS event_id"                            \
    "  FROM modeltrail_v1.changes AS h WHERE d.model IN (h.model, h.from_model)"                   \
    "   AND h.cluster = d.cluster AND h.workload_uid = d.workload_uid"                             \
    "   AND h.happened_at >= d.deployed_at"                                                        \
    "   AND h.happened_at <= coalesce(d.valid_to, 'infinity')) AS c ON true"                       \
    JOIN_EVENT("c.event_id") JOIN_REQUEST("d.request_event_id")                                    \
    " WHERE d.deployment_id = $9"
#define SHOW_EVENT(raw)                                                                            \
    "SELECT e.*" raw " FROM modeltrail_v1.events AS e WHERE e.collector = $10"                     \
    " AND e.epoch = split_part($11, ':', 1)::bigint"                                               \
    " AND e.seq = split_part($11, ':', 2)::bigint"
#define SHOW_ATTEMPT(raw)                                                                          \
    "SELECT a.*, " EVENT raw " FROM modeltrail_v1.attempts AS a"                                   \
    JOIN_EVENT("a.event_id") " WHERE a.attempt_id = $9"
#define SHOW_REQUEST(raw)                                                                          \
    "SELECT a.*, " EVENT raw " FROM modeltrail_v1.requests AS a"                                   \
    JOIN_EVENT("a.event_id") " WHERE a.request_id = $9"
// clang-format on

static const struct column event_document[] = {{"event", COLUMN_DOCUMENT, COLUMN_TABLE, NULL}, {0}};
#define CHAIN_COLUMNS                                                                              \
    {"diff_before", COLUMN_TEXT, COLUMN_TABLE, NULL},                                              \
        {"diff_note", COLUMN_TEXT, COLUMN_TABLE, NULL},                                            \
        {"diff_left_out", COLUMN_LIST, COLUMN_TABLE, NULL},                                        \
        {"chain", COLUMN_CHAIN, COLUMN_TABLE, NULL},                                               \
    {                                                                                              \
        "diff", COLUMN_DIFF, COLUMN_TABLE, NULL                                                    \
    }

static const struct column change_documents[] = {CHAIN_COLUMNS,
                                                 {"request", COLUMN_DOCUMENT, COLUMN_TABLE, NULL},
                                                 {"event", COLUMN_DOCUMENT, COLUMN_TABLE, NULL},
                                                 {0}};
static const struct column deployment_documents[] = {
    CHAIN_COLUMNS,
    {"request", COLUMN_DOCUMENT, COLUMN_TABLE, NULL},
    {"changes", COLUMN_DOCUMENT, COLUMN_TABLE, NULL},
    {"event", COLUMN_DOCUMENT, COLUMN_TABLE, NULL},
    {0}};
static const struct column no_documents[] = {{0}};
// For auditors: the object, and the request that brought it about.
static const struct column raw_alone[] = {{"raw", COLUMN_DOCUMENT, COLUMN_TABLE, NULL}, {0}};
static const struct column raw_with_request[] = {
    {"raw", COLUMN_DOCUMENT, COLUMN_TABLE, NULL},
    {"raw_request", COLUMN_DOCUMENT, COLUMN_TABLE, NULL},
    {0}};

// What an id's form says it is.
struct sort {
    bool (*is_id)(const char *rest); // of what stands behind the prefix
    const char *aspect;              // coverage that a "no" needs
    const char *prefix;              // NULL: an event
    const char *kind;
    const char *one;
    const char *key;
    const struct column *columns;
    const struct column *documents;
    const struct column *raw_documents;
    const char *with_raw;
    const char *without_raw;
    bool has_chain; // and two readings to compare
};

// SHA-256's first 16 digits.
static bool is_digest(const char *rest)
{
    return strlen(rest) == 16 && strspn(rest, "0123456789abcdef") == 16;
}

// LOG_INDEX, or LOG-LOG_INDEX of another log than the first.
static bool is_place(const char *rest)
{
    size_t digits = strspn(rest, "0123456789");
    if (digits > 0 && rest[digits] == '-') {
        rest += digits + 1;
        digits = strspn(rest, "0123456789");
    }
    return digits > 0 && rest[digits] == '\0';
}

static const struct sort sorts[] = {
    {is_digest, "state", "c-", "ChangeList", "change", "change_id", change_columns,
     change_documents, raw_with_request, SHOW_CHANGE(RAW_WITH_REQUEST), SHOW_CHANGE(NO_RAW), true},
    {is_digest, "state", "d-", "DeploymentList", "deployment", "deployment_id", deployment_columns,
     deployment_documents, raw_with_request, SHOW_DEPLOYMENT(RAW_WITH_REQUEST),
     SHOW_DEPLOYMENT(NO_RAW), true},
    {is_place, "actor", "a-", "AttemptList", "attempt", "attempt_id", attempt_columns,
     event_document, raw_alone, SHOW_ATTEMPT(RAW), SHOW_ATTEMPT(NO_RAW), false},
    {is_place, "actor", "r-", "RequestList", "request", "request_id", request_columns,
     event_document, raw_alone, SHOW_REQUEST(RAW), SHOW_REQUEST(NO_RAW), false},
    {NULL, "state", NULL, "EventList", "event", "event_id", event_columns, no_documents, raw_alone,
     SHOW_EVENT(RAW), SHOW_EVENT(NO_RAW), false},
};

struct event_id {
    char *collector;
    const char *numbers; // "EPOCH:SEQ", borrowed
};

static bool is_number(const char *text, size_t length)
{
    SCOPED(xfree_char) char *copy = xstrndup(text, length);
    int64_t value;
    return copy[0] != '-' && text_to_int64(copy, &value);
}

// Splits COLLECTOR:EPOCH:SEQ at its last two colons.
static bool event_id_split(struct event_id *id, const char *text)
{
    const char *seq = strrchr(text, ':');
    const char *epoch = seq;
    while (epoch != NULL && epoch > text && epoch[-1] != ':')
        epoch--;
    if (seq == NULL || epoch <= text + 1 || !is_number(epoch, (size_t)(seq - epoch)) ||
        !is_number(seq + 1, strlen(seq + 1)))
        return false;
    id->collector = xstrndup(text, (size_t)(epoch - text - 1));
    id->numbers = epoch;
    return true;
}

static void append_columns(struct column *table, size_t *count, const struct column *more)
{
    for (; more->name != NULL && *count + 2 < COLUMNS_MAX; more++) {
        if (strcmp(more->name, "routes") == 0) // speaks of an instant, which a page has not
            continue;
        table[*count] = *more;
        table[*count].level = COLUMN_TABLE;
        ++*count;
    }
}

// The page's columns: all of the row's own, then the documents. They are levelled, for a page has
// room for each.
static void make_columns(const struct sort *sort, bool with_raw, struct column table[COLUMNS_MAX])
{
    size_t count = 0;
    append_columns(table, &count, sort->columns);
    append_columns(table, &count, sort->documents);
    if (with_raw)
        append_columns(table, &count, sort->raw_documents);
    table[count] = (struct column){0};
}

// Asks for the page with or without the raw object, and prints it.
static enum exit_code show(const struct session *session, const struct call *call,
                           const struct sort *sort, const struct event_id *id, bool with_raw,
                           struct error *err)
{
    struct column columns[COLUMNS_MAX];
    make_columns(sort, with_raw, columns);
    struct resource resource = {
        .kind = sort->kind,
        .one = sort->one,
        .key = sort->key,
        .aspect = sort->aspect,
        .columns = columns,
        .is_record = true,
    };
    struct question question = {
        .resource = &resource,
        .sql = with_raw ? sort->with_raw : sort->without_raw,
        .word = call->words[0],
        .model = id->collector,
        .version = id->numbers,
    };
    SCOPED_BUFFER comparison = {0};
    enum exit_code code = EXIT_YES;
    if (sort->has_chain)
        code = comparison_append(session, &call->flags, call->words[0], with_raw, &comparison, err);
    if (code != EXIT_YES)
        return code;
    question.extra = comparison.data;
    SCOPED_ANSWER answer = {0};
    code = question_ask(session, &call->flags, &question, &answer, err);
    if (code != EXIT_YES)
        return code;
    // What rests on coverage is a "no" alone.
    session_talk(session, answer.count == 0);
    output_print(session, &call->flags, &answer, stdout);
    return question_conclude(session, &call->flags, &question, &answer);
}

// PostgreSQL refuses the whole statement when the raw view is not granted, so it is asked again
// without it.
static enum exit_code show_what_is_allowed(const struct session *session, const struct call *call,
                                           const struct sort *sort, const struct event_id *id,
                                           struct error *err)
{
    if (call->flags.no_raw)
        return show(session, call, sort, id, false, err);
    enum exit_code code = show(session, call, sort, id, true, err);
    if (code != EXIT_PERMISSION)
        return code;
    *err = (struct error){0};
    code = show(session, call, sort, id, false, err);
    if (code == EXIT_YES) {
        fail(err, REACT_STOP,
             "the raw object of %s may not be read; hint: it needs GRANT "
             "modeltrail_auditor TO the role, or leave it out by --no-raw",
             call->words[0]);
        code = EXIT_PERMISSION;
    }
    return code;
}

enum exit_code show_run(const struct call *call, struct error *err)
{
    const char *word = call->words[0];
    const struct sort *sort = sorts;
    while (sort->prefix != NULL && !text_starts_with(word, sort->prefix))
        sort++;
    struct event_id id = {0};
    // A collector's name may begin like an id of another sort, so the longer form is tried first.
    if (event_id_split(&id, word)) {
        sort = &sorts[sizeof(sorts) / sizeof(*sorts) - 1];
    } else if (sort->prefix == NULL || !sort->is_id(word + strlen(sort->prefix))) {
        fail(err, REACT_STOP,
             "'%.100s' is no id; hint: c- or d- and 16 hex digits, a- or r- and a number, or "
             "COLLECTOR:EPOCH:SEQ",
             word);
        return EXIT_USAGE;
    }
    SCOPED(xfree_char) char *collector = id.collector;
    SCOPED(session_close) struct session *session = NULL;
    enum exit_code code = session_open(&call->flags, sort->aspect, false, &session, err);
    if (code != EXIT_YES)
        return code;
    id.collector = collector;
    return show_what_is_allowed(session, call, sort, &id, err);
}
