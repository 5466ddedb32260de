#pragma once

// Facts written by hand and results as short lines, for the tests of the fold. Times are whole
// seconds after an arbitrary zero; log indices count up from 1 as facts are added.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "store/fold.h"

// Last: it wants the headers above, and has a macro called fail.
#include <cmocka.h>

#define MAX_FACTS 64
#define SECOND INT64_C(1000000)
#define PERCENT INT64_C(1000000)
#define UID "0a0b0c0d-0000-4000-8000-000000000001"

struct facts {
    struct fold_arena arena;
    struct naming_rules rules;
    struct reading readings[MAX_FACTS];
    struct fold_listing listings[MAX_FACTS];
    struct fold_request requests[MAX_FACTS];
    size_t reading_count;
    size_t listing_count;
    size_t request_count;
    int64_t last_index;
    struct fold_output out;
    struct buffer text;
};

static inline void facts_reset(struct facts *facts)
{
    fold_output_reset(&facts->out);
    naming_rules_reset(&facts->rules);
    fold_arena_reset(&facts->arena);
    buffer_reset(&facts->text);
}
#define SCOPED_FACTS __attribute__((cleanup(facts_reset))) struct facts

static inline struct raw_placement *place(struct facts *facts, struct reading *reading,
                                          const char *component, const char *role, const char *uri,
                                          int64_t percent)
{
    size_t count = reading->placement_count;
    struct raw_placement *list = fold_arena_array(&facts->arena, count + 1, sizeof(*list));
    if (count > 0)
        memcpy(list, reading->placements, count * sizeof(*list));
    list[count] = (struct raw_placement){.component = component,
                                         .role = role,
                                         .uri = uri,
                                         .traffic = percent < 0 ? FOLD_NONE : percent * PERCENT,
                                         .replicas = FOLD_NONE};
    reading->placements = list;
    reading->placement_count = count + 1;
    return &list[count];
}

// A reading by the collector's clock that says nothing of status.
static inline struct reading *observe_nothing(struct facts *facts, int64_t position,
                                              int64_t generation, int64_t at)
{
    struct reading *reading = &facts->readings[facts->reading_count++];
    *reading = (struct reading){.position = position,
                                .log_index = ++facts->last_index,
                                .at = at * SECOND,
                                .at_source = TIME_COLLECTOR_CLOCK,
                                .not_before = FOLD_NONE,
                                .extractor = 1,
                                .generation = generation,
                                .observed_generation = FOLD_NONE,
                                .spec_at = FOLD_NONE,
                                .ready_since = FOLD_NONE};
    return reading;
}

// The same with one placement: predictor, live, 100 %.
static inline struct reading *observe(struct facts *facts, int64_t position, int64_t generation,
                                      int64_t at, const char *uri)
{
    struct reading *reading = observe_nothing(facts, position, generation, at);
    place(facts, reading, "predictor", "live", uri, 100);
    return reading;
}

static inline void set_ready(struct reading *reading, bool ready, int64_t observed_generation)
{
    reading->ready_known = true;
    reading->ready = ready;
    reading->observed_generation = observed_generation;
}

// KServe's status: the newest revision, the kept one, and those with traffic (NULL ends).
static inline void set_revisions(struct facts *facts, struct reading *reading,
                                 const char *latest_created, const char *kept,
                                 const char *const *traffic)
{
    size_t count = 0;
    while (traffic != NULL && traffic[count] != NULL)
        count++;
    const char **copy = fold_arena_array(&facts->arena, count, sizeof(*copy));
    for (size_t i = 0; i < count; i++)
        copy[i] = traffic[i];
    reading->latest_created = latest_created;
    reading->kept = kept;
    reading->traffic = copy;
    reading->traffic_count = count;
}
#define TRAFFIC(...) ((const char *const[]){__VA_ARGS__, NULL})

static inline struct fold_listing *list_scope(struct facts *facts, int64_t position,
                                              int64_t listed_at, bool has_member)
{
    struct fold_listing *listing = &facts->listings[facts->listing_count++];
    *listing = (struct fold_listing){.position = position,
                                     .log_index = ++facts->last_index,
                                     .listed_at = listed_at * SECOND,
                                     .has_member = has_member};
    return listing;
}

static inline struct fold_request *request(struct facts *facts, const char *verb, int64_t at,
                                           int64_t position, int64_t generation)
{
    struct fold_request *added = &facts->requests[facts->request_count++];
    *added = (struct fold_request){.log_index = ++facts->last_index,
                                   .at = at * SECOND,
                                   .verb = verb,
                                   .code = 200,
                                   .position = position,
                                   .generation = generation};
    return added;
}

// A request of level Metadata: who, when and about what.
static inline struct fold_request *by_name(struct facts *facts, const char *verb, int64_t at,
                                           const char *audit_id)
{
    struct fold_request *added = request(facts, verb, at, FOLD_NONE, FOLD_NONE);
    added->role = ROLE_NAME;
    added->audit_id = audit_id;
    added->principal = audit_id; // a person each, unless the test says otherwise
    added->code = strcmp(verb, "create") == 0 ? 201 : 200;
    return added;
}

static inline struct fold_request *review(struct facts *facts, const char *verb, int64_t at,
                                          int64_t generation, const char *principal)
{
    struct fold_request *added = request(facts, verb, at, FOLD_NONE, generation);
    added->is_admission = true;
    added->code = FOLD_NONE;
    added->principal = principal;
    return added;
}

// A reading whose managed fields tell the second of the last write.
static inline struct reading *observe_second(struct facts *facts, int64_t position,
                                             int64_t generation, int64_t at, const char *uri)
{
    struct reading *reading = observe(facts, position, generation, at, uri);
    reading->at += SECOND - 1;
    reading->at_source = TIME_MANAGED_FIELDS;
    reading->not_before = at * SECOND;
    return reading;
}

static inline struct fold_input facts_input(const struct facts *facts)
{
    return (struct fold_input){.cluster = "c1",
                               .resource = "things.example.com",
                               .uid = UID,
                               .name = "fraud",
                               .rules = &facts->rules,
                               .readings = facts->readings,
                               .reading_count = facts->reading_count,
                               .listings = facts->listings,
                               .listing_count = facts->listing_count,
                               .requests = facts->requests,
                               .request_count = facts->request_count};
}

static inline const struct fold_output *fold_facts(struct facts *facts)
{
    struct fold_input in = facts_input(facts);
    fold_output_reset(&facts->out);
    fold_run(&in, &facts->out);
    return &facts->out;
}

static inline void put_number(struct buffer *text, int64_t value, int64_t unit)
{
    if (value == FOLD_NONE)
        buffer_append_text(text, "-");
    else if (value == INT64_MAX)
        buffer_append_text(text, "max");
    else
        buffer_printf(text, "%g", (double)value / (double)unit);
}

static inline const char *text_or_dash(const char *text)
{
    return text == NULL ? "-" : text;
}

// Rows of one position are stored by a hash; people read them by component.
static inline int compare_for_people(const void *left, const void *right)
{
    const struct fold_placement *a = left;
    const struct fold_placement *b = right;
    if (a->from_position != b->from_position)
        return a->from_position < b->from_position ? -1 : 1;
    int order = strcmp(a->component, b->component);
    return order != 0 ? order : strcmp(text_or_dash(a->version), text_or_dash(b->version));
}

// "component version role traffic state from..to valid_from..valid_to deployed ready", a line each.
static inline const char *placement_lines(struct facts *facts)
{
    struct buffer *text = &facts->text;
    buffer_append(text, "", 0);
    buffer_clear(text);
    if (facts->out.placement_count > 0)
        qsort(facts->out.placements, facts->out.placement_count, sizeof(*facts->out.placements),
              compare_for_people);
    for (size_t i = 0; i < facts->out.placement_count; i++) {
        const struct fold_placement *row = &facts->out.placements[i];
        buffer_printf(text, "%s %s%s %s ", row->component, text_or_dash(row->version),
                      row->unknown_revision ? row->unknown_revision : "", row->role);
        put_number(text, row->traffic_percent, PERCENT);
        buffer_printf(text, " %s ", row->state);
        put_number(text, row->from_position, 1);
        buffer_append_text(text, "..");
        put_number(text, row->to_position, 1);
        buffer_append_text(text, " t");
        put_number(text, row->valid_from, SECOND);
        buffer_append_text(text, "..");
        put_number(text, row->valid_to, SECOND);
        buffer_append_text(text, " d");
        put_number(text, row->deployed_at, SECOND);
        buffer_append_text(text, " r");
        put_number(text, row->ready_at, SECOND);
        buffer_append_text(text, "\n");
    }
    return text->data;
}

// "position component type reason from->to traffic->traffic time", a line each.
static inline const char *change_lines(struct facts *facts)
{
    struct buffer *text = &facts->text;
    buffer_append(text, "", 0);
    buffer_clear(text);
    for (size_t i = 0; i < facts->out.change_count; i++) {
        const struct fold_change *row = &facts->out.changes[i];
        put_number(text, row->position, 1);
        buffer_printf(text, " %s %s %s %s->%s ", row->component, row->change_type,
                      text_or_dash(row->reason), text_or_dash(row->from_version),
                      text_or_dash(row->to_version));
        put_number(text, row->from_traffic_percent, PERCENT);
        buffer_append_text(text, "->");
        put_number(text, row->to_traffic_percent, PERCENT);
        buffer_append_text(text, " t");
        put_number(text, row->happened_at, SECOND);
        buffer_append_text(text, "\n");
    }
    return text->data;
}

// "position #request strength", a line each.
static inline const char *attribution_lines(struct facts *facts)
{
    struct buffer *text = &facts->text;
    buffer_append(text, "", 0);
    buffer_clear(text);
    for (size_t i = 0; i < facts->out.attribution_count; i++) {
        const struct fold_attribution *row = &facts->out.attributions[i];
        put_number(text, row->position, 1);
        buffer_printf(text, " #%lld %s\n", (long long)row->request_index, row->strength);
    }
    return text->data;
}

static inline void assert_placements(struct facts *facts, const char *expected)
{
    fold_facts(facts);
    assert_string_equal(placement_lines(facts), expected);
}

static inline void assert_changes(struct facts *facts, const char *expected)
{
    fold_facts(facts);
    assert_string_equal(change_lines(facts), expected);
}

static inline void assert_attributions(struct facts *facts, const char *expected)
{
    fold_facts(facts);
    assert_string_equal(attribution_lines(facts), expected);
}
