// Reads checkpoints back. The text is our own and of one spelling, so a scanner that expects
// exactly that is enough; whatever differs makes the checkpoint damaged, never half read.

#include "store/fold_checkpoint.h"

#include <stdlib.h>
#include <string.h>

// The place in the text. `is_bad` sticks, so that a caller checks once, at the end.
struct scan {
    const char *at;
    struct fold_arena *arena;
    bool is_bad;
};

// Stops at the text's NUL by itself, since no literal has one.
static bool take_literal(struct scan *scan, const char *literal)
{
    const char *at = scan->at;
    if (scan->is_bad)
        return false;
    for (; *literal != '\0'; literal++, at++) {
        if (*at != *literal)
            return false;
    }
    scan->at = at;
    return true;
}

static void need(struct scan *scan, const char *literal)
{
    if (!take_literal(scan, literal))
        scan->is_bad = true;
}

// A number or null, overflow checked: the text may be damaged.
static int64_t take_int(struct scan *scan)
{
    if (take_literal(scan, "null"))
        return FOLD_NONE;
    bool negative = take_literal(scan, "-");
    int64_t sum = 0; // kept negative: its range is the larger one
    const char *start = scan->at;
    while (!scan->is_bad && *scan->at >= '0' && *scan->at <= '9') {
        if (__builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_sub_overflow(sum, *scan->at - '0', &sum))
            scan->is_bad = true;
        scan->at++;
    }
    if (scan->at == start || (!negative && sum == INT64_MIN))
        scan->is_bad = true;
    return scan->is_bad ? 0 : negative ? sum : -sum;
}

static int64_t take_next_int(struct scan *scan)
{
    need(scan, ",");
    return take_int(scan);
}

// One escaped character: the writer makes \" \\ and \u00xx only.
// Others would be valid JSON, but not what buffer_append_json_string writes.
static char take_escape(struct scan *scan)
{
    char c = scan->at[1];
    if (c == '"' || c == '\\') {
        scan->at += 2;
        return c;
    }
    char hex[5] = {0};
    uint8_t bytes[2];
    if (c != 'u' || strlen(scan->at) < 6 || memcpy(hex, scan->at + 2, 4) == NULL ||
        !hex_decode(hex, bytes, sizeof(bytes)) || bytes[0] != 0 || bytes[1] == 0) {
        scan->is_bad = true;
        return 0;
    }
    scan->at += 6;
    return (char)bytes[1];
}

// A string or null, in the arena. Most have no escape and are copied as they stand.
static const char *take_text(struct scan *scan)
{
    if (take_literal(scan, "null"))
        return NULL;
    need(scan, "\"");
    if (scan->is_bad)
        return NULL;
    size_t plain = strcspn(scan->at, "\"\\");
    if (scan->at[plain] == '"') {
        const char *text = fold_arena_bytes(scan->arena, scan->at, plain);
        scan->at += plain + 1;
        return text;
    }
    SCOPED_BUFFER text = {0};
    while (!scan->is_bad && *scan->at != '"' && *scan->at != '\0') {
        size_t run = strcspn(scan->at, "\"\\");
        buffer_append(&text, scan->at, run);
        scan->at += run;
        if (*scan->at == '\\')
            buffer_append_char(&text, take_escape(scan));
    }
    need(scan, "\"");
    return scan->is_bad ? NULL : fold_arena_bytes(scan->arena, text.data, text.length);
}

static const char *take_next_text(struct scan *scan)
{
    need(scan, ",");
    return take_text(scan);
}

// The value of a lower-case hex digit; -1 for others, the end of the text included.
static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

// By hand, in lower case only: the writer makes no other, and hex_decode would need a copy.
static void take_hex(struct scan *scan, uint8_t *bytes, size_t length)
{
    need(scan, "\"");
    for (size_t i = 0; i < length && !scan->is_bad; i++) {
        int high = hex_value(scan->at[0]);
        int low = high < 0 ? -1 : hex_value(scan->at[1]);
        scan->is_bad = low < 0;
        if (scan->is_bad)
            return;
        bytes[i] = (uint8_t)(high << 4 | low);
        scan->at += 2;
    }
    need(scan, "\"");
}

static struct fold_evidence take_evidence(struct scan *scan)
{
    struct fold_evidence evidence = {.instant = take_int(scan)};
    int64_t source = take_next_int(scan);
    evidence.log_index = take_next_int(scan);
    if (source < TIME_AUDIT || source > TIME_INFERRED)
        scan->is_bad = true;
    else
        evidence.source = (enum time_source)source;
    return evidence;
}

static void take_names(struct scan *scan, struct fold_placed *placed)
{
    placed->identity.model = take_text(scan);
    placed->identity.version = take_next_text(scan);
    placed->identity.artifact = take_next_text(scan);
    placed->identity.artifact_digest = take_next_text(scan);
    int64_t source = take_next_int(scan);
    placed->unknown_revision = take_next_text(scan);
    placed->image = take_next_text(scan);
    placed->naming_index = take_next_int(scan);
    if (source < IDENTITY_LABEL || source > IDENTITY_UNKNOWN || placed->identity.model == NULL)
        scan->is_bad = true;
    else
        placed->identity.source = (enum identity_source)source;
}

// True at the beginning of one more item of an array whose '[' was read.
static bool has_item(struct scan *scan, size_t index, const char *begin)
{
    if (scan->is_bad || *scan->at == ']')
        return false;
    if (index > 0)
        need(scan, ",");
    need(scan, begin);
    return !scan->is_bad;
}

// Members are all there even when no position came before: one spelling for every checkpoint.
static void take_previous(struct scan *scan, struct fold_state *state)
{
    need(scan, ",\"previous\":[");
    state->has_previous = take_int(scan) == 1;
    state->previous_position = take_next_int(scan);
    state->previous_generation = take_next_int(scan);
    state->previous_index = take_next_int(scan);
    need(scan, ",");
    state->previous_upper = take_evidence(scan);
    need(scan, ",");
    take_hex(scan, state->previous_spec, DIGEST_BYTES);
    state->lower.instant = take_next_int(scan);
    state->lower.log_index = take_next_int(scan);
}

// Read into a list of unknown length first; the arena gets it when the length is known.
static void take_raised(struct scan *scan, struct fold_state *state)
{
    need(scan, "],\"raised\":[");
    state->raised_position = take_int(scan);
    need(scan, ",");
    state->raised_upper = take_evidence(scan);
    need(scan, "],\"credits\":[");
    struct fold_credit *items = NULL;
    size_t capacity = 0;
    size_t count = 0;
    while (has_item(scan, count, "[")) {
        items = xgrow(items, &capacity, count + 1, sizeof(*items));
        items[count].request_index = take_int(scan);
        int64_t strength = take_next_int(scan);
        if (strength < STRENGTH_AMBIGUOUS || strength > STRENGTH_UNIQUE)
            scan->is_bad = true;
        else
            items[count].strength = (enum fold_strength)strength;
        count++;
        need(scan, "]");
    }
    state->raised_credits.count = count;
    state->raised_credits.items = fold_arena_array(scan->arena, count, sizeof(*items));
    if (count > 0)
        memcpy(state->raised_credits.items, items, count * sizeof(*items));
    free(items);
}

// The order of members is the format, the same as fold_checkpoint.c prints them in. Whoever changes
// it counts up the format in FOLD_CHECKPOINT_HEAD, so that old checkpoints are folded anew.
static void take_revisions(struct scan *scan, struct fold_revisions *revisions)
{
    need(scan, "],\"revisions\":[");
    while (has_item(scan, revisions->count, "[")) {
        revisions->entries = xgrow(revisions->entries, &revisions->capacity, revisions->count + 1,
                                   sizeof(*revisions->entries));
        struct fold_revision *revision = &revisions->entries[revisions->count++];
        *revision = (struct fold_revision){.name = take_text(scan), .is_named = true};
        revision->position = take_next_int(scan);
        revision->log_index = take_next_int(scan);
        need(scan, ",");
        take_names(scan, &revision->placed);
        need(scan, "]");
        scan->is_bad |= revision->name == NULL;
        // As fold_revision_name leaves it: the component is the asker's to set.
        revision->placed.component = "";
    }
    need(scan, "],\"lookups\":[");
    while (has_item(scan, revisions->lookup_count, "[")) {
        revisions->lookups = xgrow(revisions->lookups, &revisions->lookup_capacity,
                                   revisions->lookup_count + 1, sizeof(*revisions->lookups));
        struct fold_lookup *lookup = &revisions->lookups[revisions->lookup_count++];
        lookup->name = take_text(scan);
        lookup->position = take_next_int(scan);
        lookup->log_index = take_next_int(scan);
        need(scan, "]");
        scan->is_bad |= lookup->name == NULL;
    }
}

static void take_seen(struct scan *scan, struct fold_state *state)
{
    need(scan, "],\"seen\":[");
    for (size_t i = 0; has_item(scan, i, ""); i++) {
        uint8_t key[FOLD_KEY_BYTES];
        take_hex(scan, key, sizeof(key));
        if (!scan->is_bad)
            fold_keyset_add(&state->seen, key);
    }
}

// Sources are checked before they become an enum.
static void take_presence(struct scan *scan, struct fold_presence *presence)
{
    take_hex(scan, presence->identity_key, DIGEST_BYTES);
    presence->position = take_next_int(scan);
    presence->at = take_next_int(scan);
    presence->after = take_next_int(scan);
    int64_t source = take_next_int(scan);
    presence->generation = take_next_int(scan);
    presence->start_index = take_next_int(scan);
    presence->credit_index = take_next_int(scan);
    presence->ready_at = take_next_int(scan);
    presence->ready_index = take_next_int(scan);
    need(scan, "]");
    if (source < TIME_AUDIT || source > TIME_INFERRED)
        scan->is_bad = true;
    else
        presence->time_source = (enum time_source)source;
}

// Texts that may not be NULL are checked at the end, since later code compares them without a look.
static void take_row(struct scan *scan, struct fold_open_row *row)
{
    struct fold_placed *placed = &row->placed;
    placed->component = take_text(scan);
    need(scan, ",");
    take_names(scan, placed);
    placed->role = take_next_text(scan);
    placed->traffic = take_next_int(scan);
    placed->replicas = take_next_int(scan);
    placed->stopped = take_next_int(scan) == 1;
    placed->is_desired = take_next_int(scan) == 1;
    placed->is_revisioned = take_next_int(scan) == 1;
    row->state = take_next_text(scan);
    const char *id = take_next_text(scan);
    need(scan, ",");
    take_hex(scan, placed->row_key, DIGEST_BYTES);
    need(scan, ",");
    take_hex(scan, placed->identity_key, DIGEST_BYTES);
    row->from_position = take_next_int(scan);
    row->valid_from = take_next_int(scan);
    row->valid_from_after = take_next_int(scan);
    row->recorded_index = take_next_int(scan);
    row->start_index = take_next_int(scan);
    need(scan, "]");
    if (placed->component == NULL || placed->role == NULL || row->state == NULL || id == NULL ||
        strlen(id) >= sizeof(row->placement_id))
        scan->is_bad = true;
    else
        strcpy(row->placement_id, id);
}

static void take_route(struct scan *scan, struct fold_open_route *open)
{
    open->route.target_kind = take_text(scan);
    open->route.target = take_next_text(scan);
    open->route.role = take_next_text(scan);
    open->route.percent = take_next_int(scan);
    open->from_position = take_next_int(scan);
    open->valid_from = take_next_int(scan);
    open->recorded_index = take_next_int(scan);
    open->start_index = take_next_int(scan);
    need(scan, "]");
    if (open->route.target_kind == NULL || open->route.target == NULL || open->route.role == NULL)
        scan->is_bad = true;
}

// Arrays of unknown length double in the arena; what they outgrow is little and dies with it.
// A count that is a power of two is where the array is full.
static void *grow_array(struct scan *scan, void *array, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0)
        return array;
    void *larger = fold_arena_array(scan->arena, count == 0 ? 1 : count * 2, size);
    if (count > 0)
        memcpy(larger, array, count * size);
    return larger;
}

// The arrays must be in the order in which the walk keeps them (fold_walk.h): it merges by it, and
// the writer has printed them so.
static void take_open(struct scan *scan, struct fold_state *state)
{
    need(scan, "],\"presences\":[");
    while (has_item(scan, state->presence_count, "[")) {
        state->presences =
            grow_array(scan, state->presences, state->presence_count, sizeof(*state->presences));
        take_presence(scan, &state->presences[state->presence_count++]);
    }
    need(scan, "],\"rows\":[");
    while (has_item(scan, state->row_count, "[")) {
        state->rows = grow_array(scan, state->rows, state->row_count, sizeof(*state->rows));
        take_row(scan, &state->rows[state->row_count++]);
    }
    need(scan, "],\"routes\":[");
    while (has_item(scan, state->route_count, "[")) {
        state->routes = grow_array(scan, state->routes, state->route_count, sizeof(*state->routes));
        take_route(scan, &state->routes[state->route_count++]);
    }
    need(scan, "]}");
}

// Damage is no reason to fold in full quietly: who changed the table may have changed rows as well,
// and a person must look (rebuild makes all of it anew).
bool fold_checkpoint_read(const char *text, struct fold_walk *walk, struct fold_checkpoint *out,
                          struct error *err)
{
    struct scan scan = {.at = text, .arena = &walk->arena};
    struct fold_state *state = &walk->state;
    fold_state_init(state);
    if (!take_literal(&scan, FOLD_CHECKPOINT_HEAD))
        return fail(err, REACT_REJECT, "checkpoint is of another format");
    out->position = take_int(&scan);
    need(&scan, ",\"generation\":");
    state->newest_generation = take_int(&scan);
    need(&scan, ",\"since\":");
    take_int(&scan);
    need(&scan, ",\"rules\":");
    out->rules_index = take_int(&scan);
    take_previous(&scan, state);
    take_raised(&scan, state);
    take_revisions(&scan, &walk->revisions);
    take_seen(&scan, state);
    take_open(&scan, state);
    if (scan.is_bad || *scan.at != '\0')
        return fail(err, REACT_STOP, "checkpoint is damaged near byte %td", scan.at - text);
    return true;
}

// Asked while heads are loaded: it says which older requests the tail needs.
struct fold_tail fold_checkpoint_tail(const char *text)
{
    struct fold_tail none = {FOLD_NONE, FOLD_NONE};
    struct scan scan = {.at = text};
    if (!take_literal(&scan, FOLD_CHECKPOINT_HEAD))
        return none;
    take_int(&scan);
    need(&scan, ",\"generation\":");
    struct fold_tail tail = {.generation = take_int(&scan)};
    need(&scan, ",\"since\":");
    int64_t since = take_int(&scan);
    tail.since = since == FOLD_NONE ? FOLD_NONE : since - FOLD_CLOCK_SLACK;
    return scan.is_bad ? none : tail;
}
