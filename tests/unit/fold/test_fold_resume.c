// Going on from a checkpoint gives the rows and the checkpoint that folding everything gives, bit
// for bit: after every batch of random histories, in random arrival orders and batch sizes.

#include <inttypes.h>

#include "common/digest.h"
#include "common/text.h"
#include "store/fold_checkpoint.h"
#include "tests/unit/fold/facts.h"

#define HISTORIES 400
#define MAX_ROWS 1024

// Random choices: xorshift, so that every machine draws the same histories.
struct dice {
    uint64_t state;
};

static uint64_t roll(struct dice *dice, uint64_t sides)
{
    dice->state ^= dice->state << 13;
    dice->state ^= dice->state >> 7;
    dice->state ^= dice->state << 17;
    return (dice->state >> 11) % sides;
}

static bool chance(struct dice *dice, unsigned percent)
{
    return roll(dice, 100) < percent;
}

static int64_t maybe(struct dice *dice, unsigned percent, int64_t value)
{
    return chance(dice, percent) ? value : FOLD_NONE;
}

enum fact_kind { FACT_READING, FACT_LISTING, FACT_REQUEST, FACT_RULES };

struct fact {
    enum fact_kind kind;
    uint64_t order; // of arrival
    struct reading reading;
    struct fold_listing listing;
    struct fold_request request;
};

#define MAX_HISTORY 256

struct history {
    struct dice dice;
    struct fold_arena arena;
    struct fact facts[MAX_HISTORY];
    size_t count;
    int64_t position;
    int64_t time;
    int64_t generation;
    unsigned version;
};

static const char *const revisions[] = {"r0", "r1", "r2", "r3", "r4"};

static struct fact *add_fact(struct history *history, enum fact_kind kind)
{
    struct fact *fact = &history->facts[history->count++];
    *fact = (struct fact){.kind = kind};
    return fact;
}

static void draw_placements(struct history *history, struct reading *reading)
{
    struct dice *dice = &history->dice;
    struct raw_placement *list = fold_arena_array(&history->arena, 3, sizeof(*list));
    const char *uri = xasprintf("s3://models/fraud/v%u", history->version);
    bool is_canary = chance(dice, 40);
    list[0] =
        (struct raw_placement){.component = is_canary ? "canary" : "predictor",
                               .role = is_canary ? "canary" : "live",
                               .uri = fold_arena_text(&history->arena, uri),
                               .traffic = maybe(dice, 80, (int64_t)roll(dice, 3) * 50 * PERCENT),
                               .replicas = maybe(dice, 50, (int64_t)roll(dice, 3)),
                               .stopped = chance(dice, 5),
                               .revisioned = chance(dice, 90)};
    list[1] = (struct raw_placement){.component = chance(dice, 50) ? "explainer" : "predictor",
                                     .role = "explainer",
                                     .image = "explainer:1.2",
                                     .traffic = FOLD_NONE,
                                     .replicas = FOLD_NONE};
    list[2] = list[0];
    list[2].component = "transformer";
    list[2].revisioned = false;
    free((void *)(uintptr_t)uri);
    reading->placements = list;
    reading->placement_count = chance(dice, 5) ? 0 : 1 + (chance(dice, 30) ? roll(dice, 3) : 0);
}

static void draw_status(struct history *history, struct reading *reading)
{
    struct dice *dice = &history->dice;
    reading->ready_known = chance(dice, 70);
    reading->ready = reading->ready_known && chance(dice, 60);
    reading->failed = chance(dice, 10);
    reading->observed_generation = maybe(dice, 80, history->generation - (int64_t)roll(dice, 2));
    reading->ready_since = maybe(dice, 30, history->time - (int64_t)roll(dice, 3) * SECOND);
    if (chance(dice, 20))
        return;
    const char **traffic = fold_arena_array(&history->arena, 2, sizeof(*traffic));
    traffic[0] = revisions[roll(dice, 5)];
    traffic[1] = revisions[roll(dice, 5)];
    reading->traffic = traffic;
    reading->traffic_count = roll(dice, 3);
    reading->latest_created = chance(dice, 85) ? revisions[roll(dice, 4)] : NULL;
    reading->kept = chance(dice, 60) ? revisions[roll(dice, 5)] : NULL;
}

static void draw_routes(struct history *history, struct reading *reading)
{
    struct dice *dice = &history->dice;
    struct raw_route *routes = fold_arena_array(&history->arena, 2, sizeof(*routes));
    for (size_t i = 0; i < 2; i++)
        routes[i] =
            (struct raw_route){.target = roll(dice, 2) ? "a" : "b",
                               .target_kind = "Model",
                               .role = "candidate",
                               .percent = maybe(dice, 80, (int64_t)roll(dice, 2) * PERCENT)};
    reading->routes = routes;
    reading->route_count = roll(dice, 3);
}

// One position, read once or several times by several sources.
static void draw_position(struct history *history)
{
    struct dice *dice = &history->dice;
    struct reading reading = {.position = history->position,
                              .extractor = 1,
                              .generation = maybe(dice, 95, history->generation)};
    draw_placements(history, &reading);
    draw_status(history, &reading);
    draw_routes(history, &reading);
    for (uint64_t copies = 1 + roll(dice, 5) / 3; copies > 0; copies--) {
        struct fact *fact = add_fact(history, FACT_READING);
        fact->reading = reading;
        fact->reading.at = history->time + (chance(dice, 70) ? 0 : (int64_t)roll(dice, 2000000));
        fact->reading.at_source = (enum time_source)roll(dice, TIME_INFERRED);
        fact->reading.not_before = maybe(dice, 30, history->time - (int64_t)roll(dice, 2000000));
        fact->reading.spec_at = maybe(dice, 30, history->time - (int64_t)roll(dice, 2000000));
        fact->reading.spec_source = (enum time_source)roll(dice, TIME_INFERRED);
        if (chance(dice, 10)) {
            fact->reading.extractor = 2;
            fact->reading.generation += roll(dice, 2) ? 0 : 1;
            draw_placements(history, &fact->reading);
        }
        if (fact->reading.generation < 0)
            fact->reading.generation = FOLD_NONE;
    }
}

static void draw_request(struct history *history)
{
    static const char *const verbs[] = {"create", "update", "patch", "delete", "get"};
    struct dice *dice = &history->dice;
    struct fact *fact = add_fact(history, FACT_REQUEST);
    fact->request = (struct fold_request){
        .role = chance(dice, 15) ? ROLE_NAME : ROLE_OBJECT,
        .is_admission = chance(dice, 10),
        .principal = chance(dice, 50) ? "alice" : "bob",
        .at = history->time - SECOND + (int64_t)roll(dice, 2000000),
        .verb = verbs[roll(dice, 5)],
        .subresource = chance(dice, 10) ? "scale" : NULL,
        .code = chance(dice, 95) ? 200 : 403,
        .dry_run = chance(dice, 5),
        .removes = chance(dice, 1),
        .position = maybe(dice, 60, history->position - (int64_t)roll(dice, 2)),
        .generation = maybe(dice, 70, history->generation - (int64_t)roll(dice, 2)),
    };
    if (fact->request.is_admission)
        fact->request.code = FOLD_NONE;
    fold_request_settle(&fact->request);
}

static void draw_listing(struct history *history)
{
    struct dice *dice = &history->dice;
    struct fact *fact = add_fact(history, FACT_LISTING);
    fact->listing =
        (struct fold_listing){.position = history->position - 2 + (int64_t)roll(dice, 5),
                              .listed_at = history->time + (int64_t)roll(dice, 1000000),
                              .has_member = chance(dice, 80),
                              .has_selector = chance(dice, 10)};
}

static int compare_arrival(const void *left, const void *right)
{
    const struct fact *a = left;
    const struct fact *b = right;
    return (a->order > b->order) - (a->order < b->order);
}

// A history in the order of its arrival: nearly as it happened, or quite mixed up.
static void draw_history(struct history *history, uint64_t seed)
{
    *history = (struct history){.dice = {seed * 2654435761u + 88172645463325252u},
                                .position = 10,
                                .time = 1000 * SECOND,
                                .generation = 1};
    struct dice *dice = &history->dice;
    uint64_t disorder = roll(dice, 3) == 0 ? MAX_HISTORY : 1 + roll(dice, 6);
    for (uint64_t left = 1 + roll(dice, 12); left > 0; left--) {
        history->position += 1 + (int64_t)roll(dice, 3);
        history->time += (int64_t)roll(dice, 3) * 400000;
        if (chance(dice, 40)) {
            history->generation += chance(dice, 80) ? 1 : 2;
            history->version = (unsigned)roll(dice, 4);
        }
        draw_position(history);
        if (chance(dice, 60))
            draw_request(history);
        if (chance(dice, 12))
            draw_listing(history);
        if (chance(dice, 2))
            add_fact(history, FACT_RULES);
    }
    if (chance(dice, 10))
        history->facts[history->count - 1].reading.removed = true;
    for (size_t i = 0; i < history->count; i++)
        history->facts[i].order = (i + roll(dice, disorder)) * MAX_HISTORY + i;
    qsort(history->facts, history->count, sizeof(history->facts[0]), compare_arrival);
}

// The four tables, every row as its key and all its columns.
struct row {
    char *key;
    char *columns;
    int64_t position;
};

struct tables {
    struct row rows[MAX_ROWS];
    size_t count;
    char *checkpoint;
    int64_t checkpoint_position;
};

static void drop(struct tables *tables, size_t index)
{
    free(tables->rows[index].key);
    free(tables->rows[index].columns);
    tables->rows[index] = tables->rows[--tables->count];
}

static void put(struct tables *tables, char *key, int64_t position, char *columns)
{
    for (size_t i = 0; i < tables->count; i++) {
        if (strcmp(tables->rows[i].key, key) == 0) {
            drop(tables, i);
            break;
        }
    }
    assert_true(tables->count < MAX_ROWS);
    tables->rows[tables->count++] = (struct row){key, columns, position};
}

static void put_placement(struct tables *tables, const struct fold_placement *row)
{
    char hex[DIGEST_HEX];
    hex_encode(row->row_key, DIGEST_BYTES, hex);
    put(tables, xasprintf("placement %s %" PRId64, hex, row->from_position), row->from_position,
        xasprintf("%s %s %s %s %s %s %s %s %s %" PRId64 " %d %s %" PRId64 " %s %" PRId64 " %" PRId64
                  " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
                  " %s %" PRId64 " %" PRId64 " %" PRId64,
                  row->placement_id, row->component, row->model, text_or_dash(row->version),
                  text_or_dash(row->artifact), text_or_dash(row->artifact_digest),
                  row->identity_source, text_or_dash(row->unknown_revision), row->role,
                  row->traffic_percent, row->stopped, row->state, row->replicas,
                  text_or_dash(row->image), row->to_position, row->valid_from,
                  row->valid_from_after, row->valid_to, row->valid_to_after, row->deployed_position,
                  row->deployed_at, row->deployed_after, row->time_source, row->ready_at,
                  row->recorded_index, row->revised_index));
}

static void put_change(struct tables *tables, const struct fold_change *row)
{
    put(tables, xasprintf("change %" PRId64 " %s", row->position, row->component), row->position,
        xasprintf("%s %s %s %" PRId64 " %" PRId64 " %s %s %s %s %s %s %s %s %" PRId64 " %" PRId64
                  " %" PRId64 " %" PRId64,
                  row->change_id, row->change_type, text_or_dash(row->reason), row->happened_at,
                  row->happened_after, row->time_source, text_or_dash(row->from_model),
                  text_or_dash(row->to_model), text_or_dash(row->from_version),
                  text_or_dash(row->to_version), text_or_dash(row->from_artifact),
                  text_or_dash(row->to_artifact), row->role, row->from_traffic_percent,
                  row->to_traffic_percent, row->recorded_index, row->revised_index));
}

static void store(struct tables *tables, const struct fold_output *out)
{
    for (size_t i = tables->count; i > 0; i--) {
        if (tables->rows[i - 1].position >= out->replace_from)
            drop(tables, i - 1);
    }
    for (size_t i = 0; i < out->placement_count; i++)
        put_placement(tables, &out->placements[i]);
    for (size_t i = 0; i < out->change_count; i++)
        put_change(tables, &out->changes[i]);
    for (size_t i = 0; i < out->route_count; i++) {
        const struct fold_route *row = &out->routes[i];
        put(tables,
            xasprintf("route %s %s %s %" PRId64, row->target_kind, row->target, row->role,
                      row->from_position),
            row->from_position,
            xasprintf("%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64, row->percent,
                      row->valid_from, row->valid_to, row->recorded_index, row->revised_index));
    }
    for (size_t i = 0; i < out->attribution_count; i++) {
        const struct fold_attribution *row = &out->attributions[i];
        put(tables,
            xasprintf("attribution %" PRId64 " %" PRId64, row->position, row->request_index),
            row->position, xstrdup(row->strength));
    }
    free(tables->checkpoint);
    tables->checkpoint = out->checkpoint ? xstrdup(out->checkpoint) : NULL;
    tables->checkpoint_position = out->checkpoint_position;
}

static void tables_reset(struct tables *tables)
{
    while (tables->count > 0)
        drop(tables, tables->count - 1);
    free(tables->checkpoint);
    tables->checkpoint = NULL;
}

static int compare_rows(const void *left, const void *right)
{
    return strcmp(((const struct row *)left)->key, ((const struct row *)right)->key);
}

static void assert_same(uint64_t seed, struct tables *resumed, struct tables *full)
{
    qsort(resumed->rows, resumed->count, sizeof(resumed->rows[0]), compare_rows);
    qsort(full->rows, full->count, sizeof(full->rows[0]), compare_rows);
    for (size_t i = 0; i < resumed->count || i < full->count; i++) {
        const struct row *a = i < resumed->count ? &resumed->rows[i] : NULL;
        const struct row *b = i < full->count ? &full->rows[i] : NULL;
        if (a == NULL || b == NULL || strcmp(a->key, b->key) != 0 ||
            strcmp(a->columns, b->columns) != 0)
            fail_msg("history %" PRIu64 ": resumed %s %s, in full %s %s", seed, a ? a->key : "-",
                     a ? a->columns : "", b ? b->key : "-", b ? b->columns : "");
    }
    if (!text_equal(resumed->checkpoint, full->checkpoint))
        fail_msg("history %" PRIu64 ": checkpoints %s and %s", seed,
                 text_or_dash(resumed->checkpoint), text_or_dash(full->checkpoint));
}

// The workload's facts as the store has them, and what was done with them.
struct replay {
    struct naming_rules rules;
    struct reading readings[MAX_HISTORY];
    struct fold_listing listings[MAX_HISTORY];
    struct fold_request requests[MAX_HISTORY];
    struct fold_input in;
    struct tables tables;
    bool was_removed;
    size_t resumed;
    size_t full;
};

static void take_fact(struct replay *replay, const struct fact *fact, int64_t log_index)
{
    struct fold_input *in = &replay->in;
    if (fact->kind == FACT_READING) {
        replay->readings[in->reading_count] = fact->reading;
        replay->readings[in->reading_count++].log_index = log_index;
    } else if (fact->kind == FACT_LISTING) {
        replay->listings[in->listing_count] = fact->listing;
        replay->listings[in->listing_count++].log_index = log_index;
    } else if (fact->kind == FACT_REQUEST) {
        replay->requests[in->request_count] = fact->request;
        replay->requests[in->request_count++].log_index = log_index;
    } else {
        char json[64];
        snprintf(json, sizeof(json), "{\"artifacts\":[\"s3://models/{model}/{version}%s\"]}",
                 log_index % 2 ? "" : "/");
        cJSON *central = cJSON_Parse(json);
        naming_rules_apply(&replay->rules, central, log_index);
        cJSON_Delete(central);
    }
}

// What fold_resume asks for: the newest facts, and of the old ones those it names.
static bool try_resume(struct replay *replay, const struct fold_input *all, struct fold_output *out)
{
    if (replay->tables.checkpoint == NULL)
        return false;
    static struct reading readings[MAX_HISTORY];
    static struct fold_listing listings[MAX_HISTORY];
    static struct fold_request requests[MAX_HISTORY];
    struct fold_tail asked = fold_checkpoint_tail(replay->tables.checkpoint);
    struct fold_input tail = *all;
    tail.readings = readings;
    tail.listings = listings;
    tail.requests = requests;
    tail.reading_count = tail.listing_count = tail.request_count = 0;
    int64_t from = replay->tables.checkpoint_position;
    for (size_t i = 0; i < all->reading_count; i++) {
        if (all->readings[i].position >= from || all->readings[i].log_index >= all->new_from)
            readings[tail.reading_count++] = all->readings[i];
    }
    for (size_t i = 0; i < all->listing_count; i++) {
        if (all->listings[i].log_index >= all->new_from)
            listings[tail.listing_count++] = all->listings[i];
    }
    for (size_t i = 0; i < all->request_count; i++) {
        const struct fold_request *request = &all->requests[i];
        bool is_windowed = fold_request_is_windowed(request) && request->at >= asked.since;
        if (request->position >= from || request->generation > asked.generation || is_windowed ||
            request->log_index >= all->new_from)
            requests[tail.request_count++] = *request;
    }
    bool needs_full = false;
    struct error err = {0};
    bool resumed = fold_resume(replay->tables.checkpoint, &tail, out, &needs_full, &err);
    if (!resumed && !needs_full)
        fail_msg("checkpoint refused: %s", err.text);
    return resumed;
}

static void end_batch(struct replay *replay, uint64_t seed, int64_t next_index)
{
    struct fold_input *in = &replay->in;
    SCOPED_FOLD_OUTPUT all = {0};
    fold_run(in, &all);
    static struct tables expected;
    store(&expected, &all);
    SCOPED_FOLD_OUTPUT some = {0};
    if (try_resume(replay, in, &some)) {
        store(&replay->tables, &some);
        replay->resumed++;
    } else {
        store(&replay->tables, &all);
        replay->full++;
    }
    assert_same(seed, &replay->tables, &expected);
    tables_reset(&expected);
    in->new_from = next_index;
}

static void replay_history(uint64_t seed, size_t *resumed, size_t *full)
{
    static struct history history;
    static struct replay replay;
    draw_history(&history, seed);
    memset(&replay, 0, sizeof(replay));
    replay.in = (struct fold_input){.cluster = "c1",
                                    .resource = "things.example.com",
                                    .uid = UID,
                                    .name = "fraud",
                                    .rules = &replay.rules,
                                    .readings = replay.readings,
                                    .listings = replay.listings,
                                    .requests = replay.requests,
                                    .new_from = 1};
    unsigned batch_size = 1 + (unsigned)roll(&history.dice, 8);
    for (size_t i = 0; i < history.count; i++) {
        take_fact(&replay, &history.facts[i], (int64_t)i + 1);
        if (roll(&history.dice, batch_size) == 0)
            end_batch(&replay, seed, (int64_t)i + 2);
    }
    end_batch(&replay, seed, (int64_t)history.count + 1);
    *resumed += replay.resumed;
    *full += replay.full;
    tables_reset(&replay.tables);
    naming_rules_reset(&replay.rules);
    fold_arena_reset(&history.arena);
}

static void resuming_equals_folding_in_full(void **unused)
{
    (void)unused;
    size_t resumed = 0;
    size_t full = 0;
    for (uint64_t seed = 1; seed <= HISTORIES; seed++)
        replay_history(seed, &resumed, &full);
    // Both ways must have been taken often, or the test says nothing.
    assert_true(resumed > 800);
    assert_true(full > 800);
}

static void arrival_order_does_not_matter(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= HISTORIES / 4; seed++) {
        static struct history history;
        static struct replay replay;
        draw_history(&history, seed);
        memset(&replay, 0, sizeof(replay));
        for (size_t i = 0; i < history.count; i++) {
            if (history.facts[i].kind != FACT_RULES)
                take_fact(&replay, &history.facts[i], (int64_t)i + 1);
        }
        struct fold_input in = {.cluster = "c1",
                                .resource = "r",
                                .uid = UID,
                                .name = "fraud",
                                .readings = replay.readings,
                                .reading_count = replay.in.reading_count,
                                .listings = replay.listings,
                                .listing_count = replay.in.listing_count,
                                .requests = replay.requests,
                                .request_count = replay.in.request_count};
        static struct tables one;
        static struct tables other;
        SCOPED_FOLD_OUTPUT forward = {0};
        fold_run(&in, &forward);
        store(&one, &forward);
        for (size_t i = 0, j = in.reading_count; i + 1 < j; i++) {
            struct reading swap = replay.readings[i];
            replay.readings[i] = replay.readings[--j];
            replay.readings[j] = swap;
        }
        for (size_t i = 0, j = in.request_count; i + 1 < j; i++) {
            struct fold_request swap = replay.requests[i];
            replay.requests[i] = replay.requests[--j];
            replay.requests[j] = swap;
        }
        SCOPED_FOLD_OUTPUT backward = {0};
        fold_run(&in, &backward);
        store(&other, &backward);
        assert_same(seed, &one, &other);
        tables_reset(&one);
        tables_reset(&other);
        fold_arena_reset(&history.arena);
    }
}

static void a_repeat_writes_nothing(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, "s3://models/fraud/v1");
    observe(&facts, 20, 2, 20, "s3://models/fraud/v2");
    fold_facts(&facts);
    observe(&facts, 30, 2, 30, "s3://models/fraud/v2"); // a status write that says nothing new
    struct fold_input tail = facts_input(&facts);
    tail.readings = &facts.readings[1];
    tail.reading_count = 2;
    tail.new_from = 3;
    SCOPED_FOLD_OUTPUT out = {0};
    bool needs_full = false;
    struct error err = {0};
    assert_true(fold_resume(facts.out.checkpoint, &tail, &out, &needs_full, &err));
    assert_int_equal(out.replace_from, INT64_MAX);
    assert_int_equal(out.placement_count + out.change_count + out.attribution_count, 0);
    assert_int_equal(out.checkpoint_position, 30);
}

static void what_reaches_back_is_refused(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, "s3://models/fraud/v1");
    observe(&facts, 20, 2, 20, "s3://models/fraud/v2");
    fold_facts(&facts);
    for (int kind = 0; kind < 8; kind++) {
        facts.reading_count = 2;
        facts.listing_count = 0;
        facts.request_count = 0;
        facts.last_index = 2;
        if (kind == 0)
            observe(&facts, 15, 1, 15, "s3://models/fraud/v1");
        else if (kind == 1)
            observe(&facts, 20, 2, 9, "s3://models/fraud/v2"); // an earlier time than position 10's
        else if (kind == 2)
            observe(&facts, 30, 2, 30, "s3://models/fraud/v2")->removed = true;
        else if (kind == 3)
            list_scope(&facts, 40, 40, false);
        else if (kind == 4)
            request(&facts, "create", 10, 10, 1);
        else if (kind == 5)
            request(&facts, "create", 10, FOLD_NONE, 1);
        else if (kind == 6)
            request(&facts, "delete", 40, FOLD_NONE, FOLD_NONE)->removes = true;
        struct naming_rules other = {.log_index = 3};
        struct fold_input tail = facts_input(&facts);
        tail.readings = &facts.readings[1];
        tail.reading_count--;
        tail.new_from = 3;
        if (kind == 7)
            tail.rules = &other;
        SCOPED_FOLD_OUTPUT out = {0};
        bool needs_full = false;
        struct error err = {0};
        assert_false(fold_resume(facts.out.checkpoint, &tail, &out, &needs_full, &err));
        assert_true(needs_full);
    }
}

static void damaged_checkpoints_are_refused(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    struct reading *reading = observe(&facts, 10, 1, 10, "s3://models/\"fraud\\\x01/v1");
    set_ready(reading, true, 1);
    observe(&facts, 20, 1, 20, "s3://models/\"fraud\\\x01/v1");
    fold_facts(&facts);
    struct fold_input tail = facts_input(&facts);
    tail.readings = &facts.readings[1];
    tail.reading_count = 1;
    tail.new_from = 3;
    size_t length = strlen(facts.out.checkpoint);
    for (size_t cut = 0; cut < length; cut++) {
        char *text = xstrndup(facts.out.checkpoint, cut);
        SCOPED_FOLD_OUTPUT out = {0};
        bool needs_full = false;
        struct error err = {0};
        assert_false(fold_resume(text, &tail, &out, &needs_full, &err));
        assert_true(needs_full || err.react == REACT_STOP);
        free(text);
    }
    SCOPED_FOLD_OUTPUT out = {0};
    bool needs_full = false;
    struct error err = {0};
    assert_true(fold_resume(facts.out.checkpoint, &tail, &out, &needs_full, &err));
    assert_string_equal(out.checkpoint, facts.out.checkpoint);
    SCOPED_FOLD_OUTPUT none = {0};
    assert_false(fold_resume("{\"format\":0}", &tail, &none, &needs_full, &err));
    assert_true(needs_full); // written by another version: fold anew
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resuming_equals_folding_in_full),
        cmocka_unit_test(arrival_order_does_not_matter),
        cmocka_unit_test(a_repeat_writes_nothing),
        cmocka_unit_test(what_reaches_back_is_refused),
        cmocka_unit_test(damaged_checkpoints_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
