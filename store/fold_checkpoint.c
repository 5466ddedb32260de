// Writes checkpoints. Numbers stand bare (PostgreSQL's json keeps their digits), what is not known
// is null, and members follow in one order. Like items are arrays in arrays: a checkpoint is
// written for every batch that touches its workload, so its size counts. fold_checkpoint_read.c
// reads them: each put_NAME here has its take_NAME there.
// The whole is one object: format, position, generation, since (lower, once more,
// where it is found without reading on), rules, previous, raised, credits,
// revisions, lookups, seen, presences, rows, routes. What each array holds, and in which order, is
// what its put_NAME prints.

#include "store/fold_checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Digits by hand: numbers are most of a checkpoint, and printf would be most of its cost.
static void put_int(struct buffer *out, int64_t value)
{
    if (value == FOLD_NONE) {
        buffer_append(out, "null", 4);
        return;
    }
    char digits[24];
    char *at = digits + sizeof(digits);
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        *--at = '-';
    buffer_append(out, at, (size_t)(digits + sizeof(digits) - at));
}

static void put_next_int(struct buffer *out, int64_t value)
{
    buffer_append_char(out, ',');
    put_int(out, value);
}

static void put_text(struct buffer *out, const char *text)
{
    if (text == NULL)
        buffer_append(out, "null", 4);
    else
        buffer_append_json_string(out, text, strlen(text));
}

static void put_next_text(struct buffer *out, const char *text)
{
    buffer_append_char(out, ',');
    put_text(out, text);
}

static void put_hex(struct buffer *out, const uint8_t *bytes, size_t length)
{
    char hex[DIGEST_HEX];
    hex_encode(bytes, length, hex);
    buffer_append_char(out, '"');
    buffer_append(out, hex, 2 * length);
    buffer_append_char(out, '"');
}

static void put_evidence(struct buffer *out, const struct fold_evidence *evidence)
{
    put_int(out, evidence->instant);
    put_next_int(out, (int64_t)evidence->source);
    put_next_int(out, evidence->log_index);
}

// What naming gave, so that resuming needs no raw placement from behind the checkpoint.
static void put_names(struct buffer *out, const struct fold_placed *placed)
{
    put_text(out, placed->identity.model);
    put_next_text(out, placed->identity.version);
    put_next_text(out, placed->identity.artifact);
    put_next_text(out, placed->identity.artifact_digest);
    put_next_int(out, (int64_t)placed->identity.source);
    put_next_text(out, placed->unknown_revision);
    put_next_text(out, placed->image);
    put_next_int(out, placed->naming_index);
}

static void begin_item(struct buffer *out, size_t index)
{
    buffer_append_text(out, index == 0 ? "[" : ",[");
}

// The position before the newest known one, to compare with and to bound evidence by.
// A digest stands for the raw placements: they are only ever compared, and can be large. In a walk
// that has stepped it is computed now, else it is the one that was read.
static void put_previous(struct buffer *out, struct fold_walk *walk)
{
    const struct fold_state *state = &walk->state;
    const uint8_t *spec = walk->has_stepped ? fold_spec_digest(&walk->spec) : state->previous_spec;
    buffer_append_text(out, ",\"previous\":[");
    put_int(out, state->has_previous ? 1 : 0);
    put_next_int(out, state->previous_position);
    put_next_int(out, state->previous_generation);
    put_next_int(out, state->previous_index);
    buffer_append_char(out, ',');
    put_evidence(out, &state->previous_upper);
    buffer_append_char(out, ',');
    put_hex(out, spec, DIGEST_BYTES);
    put_next_int(out, state->lower.instant);
    put_next_int(out, state->lower.log_index);
}

// The position that raised the generation last: changes through status inherit its credit.
static void put_raised(struct buffer *out, const struct fold_state *state)
{
    buffer_append_text(out, "],\"raised\":[");
    put_int(out, state->raised_position);
    buffer_append_char(out, ',');
    put_evidence(out, &state->raised_upper);
    buffer_append_text(out, "],\"credits\":[");
    for (size_t i = 0; i < state->raised_credits.count; i++) {
        begin_item(out, i);
        put_int(out, state->raised_credits.items[i].request_index);
        put_next_int(out, (int64_t)state->raised_credits.items[i].strength);
        buffer_append_char(out, ']');
    }
}

// Mappings from below the checkpoint, and the questions whose answers may still change.
// Mappings from the newest position on are left out: it may yet get a better reading.
static void put_revisions(struct buffer *out, struct fold_walk *walk, int64_t position)
{
    buffer_append_text(out, "],\"revisions\":[");
    size_t used = 0;
    for (size_t i = 0; i < walk->revisions.count; i++) {
        struct fold_revision *revision = &walk->revisions.entries[i];
        if (revision->position >= position)
            continue;
        fold_revision_name(revision, walk->in, &walk->arena);
        begin_item(out, used++);
        put_text(out, revision->name);
        put_next_int(out, revision->position);
        put_next_int(out, revision->log_index);
        buffer_append_char(out, ',');
        put_names(out, &revision->placed);
        buffer_append_char(out, ']');
    }
    fold_revisions_trim(&walk->revisions, position);
    buffer_append_text(out, "],\"lookups\":[");
    for (size_t i = 0; i < walk->revisions.lookup_count; i++) {
        const struct fold_lookup *lookup = &walk->revisions.lookups[i];
        begin_item(out, i);
        put_text(out, lookup->name);
        put_next_int(out, lookup->position);
        put_next_int(out, lookup->log_index);
        buffer_append_char(out, ']');
    }
}

// Ascending, so that equal sets have equal text.
static void put_seen(struct buffer *out, const struct fold_state *state)
{
    buffer_append_text(out, "],\"seen\":[");
    uint8_t(*keys)[FOLD_KEY_BYTES] = fold_keyset_sorted(&state->seen);
    for (size_t i = 0; i < state->seen.count; i++) {
        if (i > 0)
            buffer_append_char(out, ',');
        put_hex(out, keys[i], FOLD_KEY_BYTES);
    }
    free(keys);
}

// With everything that end_row will say of them, since the positions they began at are not read
// again.
static void put_presences(struct buffer *out, const struct fold_state *state)
{
    buffer_append_text(out, "],\"presences\":[");
    for (size_t i = 0; i < state->presence_count; i++) {
        const struct fold_presence *presence = &state->presences[i];
        begin_item(out, i);
        put_hex(out, presence->identity_key, DIGEST_BYTES);
        put_next_int(out, presence->position);
        put_next_int(out, presence->at);
        put_next_int(out, presence->after);
        put_next_int(out, (int64_t)presence->time_source);
        put_next_int(out, presence->generation);
        put_next_int(out, presence->start_index);
        put_next_int(out, presence->credit_index);
        put_next_int(out, presence->ready_at);
        put_next_int(out, presence->ready_index);
        buffer_append_char(out, ']');
    }
}

// Keys and ids could be computed again from the names; reading them is cheaper than hashing.
static void put_rows(struct buffer *out, const struct fold_state *state)
{
    buffer_append_text(out, "],\"rows\":[");
    for (size_t i = 0; i < state->row_count; i++) {
        const struct fold_open_row *row = &state->rows[i];
        const struct fold_placed *placed = &row->placed;
        begin_item(out, i);
        put_text(out, placed->component);
        buffer_append_char(out, ',');
        put_names(out, placed);
        put_next_text(out, placed->role);
        put_next_int(out, placed->traffic);
        put_next_int(out, placed->replicas);
        put_next_int(out, placed->stopped ? 1 : 0);
        put_next_int(out, placed->is_desired ? 1 : 0);
        put_next_int(out, placed->is_revisioned ? 1 : 0);
        put_next_text(out, row->state);
        put_next_text(out, row->placement_id);
        buffer_append_char(out, ',');
        put_hex(out, placed->row_key, DIGEST_BYTES);
        buffer_append_char(out, ',');
        put_hex(out, placed->identity_key, DIGEST_BYTES);
        put_next_int(out, row->from_position);
        put_next_int(out, row->valid_from);
        put_next_int(out, row->valid_from_after);
        put_next_int(out, row->recorded_index);
        put_next_int(out, row->start_index);
        buffer_append_char(out, ']');
    }
}

// Routes are kept as the object gave them: they have no names to find.
static void put_routes(struct buffer *out, const struct fold_state *state)
{
    buffer_append_text(out, "],\"routes\":[");
    for (size_t i = 0; i < state->route_count; i++) {
        const struct fold_open_route *open = &state->routes[i];
        begin_item(out, i);
        put_text(out, open->route.target_kind);
        put_next_text(out, open->route.target);
        put_next_text(out, open->route.role);
        put_next_int(out, open->route.percent);
        put_next_int(out, open->from_position);
        put_next_int(out, open->valid_from);
        put_next_int(out, open->recorded_index);
        put_next_int(out, open->start_index);
        buffer_append_char(out, ']');
    }
}

// Before the newest position and not behind it: that one may still get another reading, an earlier
// time or a request, as happens to every position when its audit line comes after the watch.
void fold_checkpoint_print(struct fold_walk *walk, const struct fold_moment *moment,
                           struct buffer *out)
{
    const struct fold_state *state = &walk->state;
    buffer_append_text(out, FOLD_CHECKPOINT_HEAD);
    put_int(out, moment->position);
    buffer_append_text(out, ",\"generation\":");
    put_int(out, state->newest_generation);
    buffer_append_text(out, ",\"since\":");
    put_int(out, state->lower.instant);
    buffer_append_text(out, ",\"rules\":");
    put_int(out, walk->in->rules == NULL ? 0 : walk->in->rules->log_index);
    put_previous(out, walk);
    put_raised(out, state);
    put_revisions(out, walk, moment->position);
    put_seen(out, state);
    put_presences(out, state);
    put_rows(out, state);
    put_routes(out, state);
    buffer_append_text(out, "]}");
}
