// The fold, rule by rule (R1 to R25 of docs/rules.md): positions, removals, times, rows, changes.
// Attribution and canaries have files of their own.

#include "common/digest.h"
#include "tests/unit/fold/facts.h"

#define V1 "s3://models/fraud/v1"
#define V2 "s3://models/fraud/v2"
#define V3 "s3://models/fraud/v3"

static void r1_order_is_by_position_not_by_arrival(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 30, 3, 30, V3);
    observe(&facts, 10, 1, 10, V1);
    observe(&facts, 20, 2, 20, V2);
    assert_placements(&facts, "predictor v1 live 100 pending 10..20 t10..20 d10 r-\n"
                              "predictor v2 live 100 pending 20..30 t20..30 d20 r-\n"
                              "predictor v3 live 100 pending 30..- t30..- d30 r-\n");
}

static void r2_newest_extractor_has_the_content_and_the_earliest_time_counts(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1);
    observe(&facts, 10, 1, 12, V2)->extractor = 2;
    observe(&facts, 10, 1, 13, V3)->extractor = 2; // same extractor, later in the log
    assert_placements(&facts, "predictor v2 live 100 pending 10..- t10..- d10 r-\n");
    assert_int_equal(facts.out.placements[0].recorded_index, 2);
}

static void r4_listing_above_life_removes(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1);
    list_scope(&facts, 40, 40, false);
    list_scope(&facts, 30, 30, false); // the lowest decides
    list_scope(&facts, 25, 25, false)->has_selector = true;
    list_scope(&facts, 20, 20, true);
    list_scope(&facts, 15, 15, false); // below life: nothing
    assert_placements(&facts, "predictor v1 live 100 pending 10..30 t10..30 d10 r-\n");
    assert_true(facts.out.is_removed);
    assert_null(facts.out.checkpoint);
    // It happened after the last listing that still had it.
    assert_int_equal(facts.out.placements[0].valid_to_after, 20 * SECOND);
    assert_string_equal(change_lines(&facts), "10 predictor deployed initial -->v1 -->100 t10\n"
                                              "30 predictor removed inferred v1->- 100->- t30\n");
    assert_string_equal(facts.out.changes[1].time_source, "inferred");
}

static void r4_without_a_listing_that_had_it_the_last_reading_bounds(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1);
    list_scope(&facts, 30, 30, false);
    fold_facts(&facts);
    assert_int_equal(facts.out.placements[0].valid_to_after, 10 * SECOND);
}

static void r4_later_evidence_voids_and_lower_only_bounds(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1);
    list_scope(&facts, 30, 30, false);
    observe(&facts, 20, 2, 20, V1); // late, below the listing
    assert_placements(&facts, "predictor v1 live 100 pending 10..30 t10..30 d10 r-\n");
    assert_int_equal(facts.out.placements[0].valid_to_after, 20 * SECOND);
    observe(&facts, 30, 2, 31, V1); // at the listing's position
    assert_placements(&facts, "predictor v1 live 100 pending 10..- t10..- d10 r-\n");
    facts.reading_count--;
    list_scope(&facts, 31, 31, true); // or a listing that has it
    assert_placements(&facts, "predictor v1 live 100 pending 10..- t10..- d10 r-\n");
}

static void r5_deleted_is_terminal(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1);
    observe(&facts, 20, 2, 20, V2)->removed = true;
    observe(&facts, 30, 3, 30, V3); // cannot be; does not bring it back
    assert_placements(&facts, "predictor v1 live 100 pending 10..20 t10..20 d10 r-\n");
    assert_string_equal(change_lines(&facts), "10 predictor deployed initial -->v1 -->100 t10\n"
                                              "20 predictor removed deleted v1->- 100->- t20\n");
}

static void r5_delete_request_sorts_last_until_a_position_is_known(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1);
    request(&facts, "delete", 20, FOLD_NONE, FOLD_NONE)->removes = true;
    observe(&facts, 50, 2, 12, V2); // late; still below the removal
    assert_placements(&facts, "predictor v1 live 100 pending 10..50 t10..12 d10 r-\n"
                              "predictor v2 live 100 pending 50..max t12..20 d12 r-\n");
    assert_string_equal(attribution_lines(&facts), "max #2 exact\n");
    observe(&facts, 60, 2, 25, V2)->removed = true; // the request's time stays the better evidence
    assert_placements(&facts, "predictor v1 live 100 pending 10..50 t10..12 d10 r-\n"
                              "predictor v2 live 100 pending 50..60 t12..20 d12 r-\n");
    assert_string_equal(attribution_lines(&facts), "60 #2 exact\n");
}

static void r5_finalizers_dry_runs_and_refusals_remove_nothing(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1);
    request(&facts, "delete", 20, 11, 2); // answered with the object
    struct fold_request *dry = request(&facts, "delete", 21, FOLD_NONE, FOLD_NONE);
    dry->removes = true;
    dry->dry_run = true;
    struct fold_request *refused = request(&facts, "delete", 22, FOLD_NONE, FOLD_NONE);
    refused->removes = true;
    refused->code = 403;
    assert_placements(&facts, "predictor v1 live 100 pending 10..- t10..- d10 r-\n");
    assert_false(facts.out.is_removed);
}

static void r8_time_is_the_least_upper_bound_of_later_positions(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 50, V1); // listed late
    observe(&facts, 20, 2, 20, V2);
    observe(&facts, 30, 3, 30, V3);
    // What stood before 20 had begun by then too: an interval that matches no instant.
    assert_placements(&facts, "predictor v1 live 100 pending 10..20 t20..20 d20 r-\n"
                              "predictor v2 live 100 pending 20..30 t20..30 d20 r-\n"
                              "predictor v3 live 100 pending 30..- t30..- d30 r-\n");
}

static void r8_never_below_its_own_lower_bound(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1)->not_before = 8 * SECOND;
    struct reading *late = observe(&facts, 20, 2, 20, V2);
    late->not_before = 25 * SECOND;
    assert_placements(&facts, "predictor v1 live 100 pending 10..20 t10..25 d10 r-\n"
                              "predictor v2 live 100 pending 20..- t25..- d25 r-\n");
    const struct fold_placement *row = &facts.out.placements[0];
    assert_int_equal(row->valid_from_after, 8 * SECOND);
    assert_int_equal(row->valid_to_after, 25 * SECOND);
}

static void r8_better_source_wins_a_tie(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1);
    observe(&facts, 10, 1, 10, V1)->at_source = TIME_AUDIT;
    observe(&facts, 10, 1, 10, V1)->at_source = TIME_ADMISSION;
    fold_facts(&facts);
    assert_string_equal(facts.out.placements[0].time_source, "audit");
}

static void r8_spec_time_speaks_for_the_position_that_raised_the_generation(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1);
    observe(&facts, 20, 2, 40, V2);
    struct reading *status = observe(&facts, 30, 2, 50, V2);
    status->spec_at = 20 * SECOND;
    status->spec_source = TIME_MANAGED_FIELDS;
    assert_placements(&facts, "predictor v1 live 100 pending 10..20 t10..20 d10 r-\n"
                              "predictor v2 live 100 pending 20..- t20..- d20 r-\n");
    assert_string_equal(facts.out.placements[1].time_source, "managed_fields");
}

static void r10_renaming_and_traffic_do_not_move_deployed_at(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1);
    struct reading *renamed = observe_nothing(&facts, 20, 2, 20);
    place(&facts, renamed, "main", "live", V1, 100);
    renamed = observe_nothing(&facts, 30, 3, 30);
    place(&facts, renamed, "main", "live", V1, 60);
    place(&facts, renamed, "canary", "canary", V2, 40);
    renamed = observe_nothing(&facts, 40, 4, 40);
    place(&facts, renamed, "main", "live", V1, 60);
    place(&facts, renamed, "canary", "canary", V2, 40); // the same: no new row
    assert_placements(&facts, "predictor v1 live 100 pending 10..20 t10..20 d10 r-\n"
                              "main v1 live 100 pending 20..30 t20..30 d10 r-\n"
                              "canary v2 canary 40 pending 30..- t30..- d30 r-\n"
                              "main v1 live 60 pending 30..- t30..- d10 r-\n");
}

static void r10_absence_ends_a_presence(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1);
    observe(&facts, 20, 2, 20, V2);
    observe(&facts, 30, 3, 30, V1);
    assert_placements(&facts, "predictor v1 live 100 pending 10..20 t10..20 d10 r-\n"
                              "predictor v2 live 100 pending 20..30 t20..30 d20 r-\n"
                              "predictor v1 live 100 pending 30..- t30..- d30 r-\n");
}

static void r11_one_component_once_and_keys_by_digest(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    struct reading *reading = observe(&facts, 10, 1, 10, V1);
    place(&facts, reading, "predictor", "shadow", V2, -1);
    struct raw_placement *bare = place(&facts, reading, "router", "live", NULL, -1);
    assert_null(bare->uri);
    assert_placements(&facts, "predictor v1 live 100 pending 10..- t10..- d10 r-\n"
                              "router - live - pending 10..- t10..- d10 r-\n");
    static const char key[] = "predictor\0fraud\0v1\0s3://models/fraud/v1\0";
    uint8_t digest[DIGEST_BYTES];
    digest_sha256(key, sizeof(key), digest); // the last NUL is the revision's
    assert_memory_equal(facts.out.placements[0].row_key, digest, DIGEST_BYTES);

    char hex[DIGEST_HEX];
    hex_encode(digest, DIGEST_BYTES, hex);
    SCOPED_BUFFER id = {0};
    static const char scope[] = "c1\0things.example.com\0" UID;
    buffer_append(&id, scope, sizeof(scope));
    buffer_append(&id, hex, DIGEST_HEX);
    buffer_append(&id, "10", 3);
    digest_sha256(id.data, id.length, digest);
    hex_encode(digest, 8, hex);
    assert_string_equal(facts.out.placements[0].placement_id + 2, hex);
    assert_memory_equal(facts.out.placements[0].placement_id, "d-", 2);
}

static void r12_kinds_of_change(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1);
    observe(&facts, 20, 2, 20, V2);
    struct reading *both = observe(&facts, 30, 3, 30, V1);
    place(&facts, both, "canary", "canary", V2, 10);
    struct reading *stopped = observe_nothing(&facts, 40, 4, 40);
    place(&facts, stopped, "predictor", "live", V1, 100)->stopped = true;
    place(&facts, stopped, "canary", "shadow", V1, 10); // the canary never served v1
    observe(&facts, 50, 5, 50, V1);
    assert_changes(&facts, "10 predictor deployed initial -->v1 -->100 t10\n"
                           "20 predictor upgraded - v1->v2 100->100 t20\n"
                           "30 canary deployed - -->v2 -->10 t30\n"
                           "30 predictor rolled_back - v2->v1 100->100 t30\n"
                           "40 canary upgraded - v2->v1 10->10 t40\n"
                           "40 predictor reconfigured - v1->v1 100->100 t40\n"
                           "50 canary removed - v1->- 10->- t50\n"
                           "50 predictor reconfigured - v1->v1 100->100 t50\n");
}

static void r12_status_and_replicas_are_no_change(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1);
    struct reading *scaled = observe_nothing(&facts, 20, 2, 20);
    struct raw_placement *raw = place(&facts, scaled, "predictor", "live", V1, 100);
    raw->replicas = 3;
    set_ready(observe(&facts, 30, 2, 30, V1), true, 2);
    assert_changes(&facts, "10 predictor deployed initial -->v1 -->100 t10\n");
    assert_int_equal(facts.out.placement_count, 1);
    assert_int_equal(facts.out.placements[0].replicas, FOLD_NONE); // as at the last position
    facts.reading_count = 2;
    fold_facts(&facts);
    assert_int_equal(facts.out.placements[0].replicas, 3);
}

static struct reading *observe_revisioned(struct facts *facts, int64_t position, int64_t generation,
                                          const char *uri)
{
    struct reading *reading = observe_nothing(facts, position, generation, position);
    place(facts, reading, "predictor", "live", uri, 100)->revisioned = true;
    return reading;
}

static void r13_lingering_until_status_lets_go(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    struct reading *reading = observe_revisioned(&facts, 10, 1, V1);
    set_ready(reading, true, 1);
    set_revisions(&facts, reading, "r1", "r1", TRAFFIC("r1"));
    reading = observe_revisioned(&facts, 20, 2, V2);
    set_ready(reading, true, 1);
    set_revisions(&facts, reading, "r1", "r1", TRAFFIC("r1"));
    assert_placements(&facts, "predictor v1 live 100 lingering 10..- t10..- d10 r10\n"
                              "predictor v2 live 100 pending 20..- t20..- d20 r-\n");
    // Its end is no change, and traffic that status does not give means nothing lingers (R14).
    set_revisions(&facts, observe_revisioned(&facts, 30, 2, V2), "r2", "r2", NULL);
    assert_placements(&facts, "predictor v1 live 100 lingering 10..30 t10..30 d10 r10\n"
                              "predictor v2 live 100 pending 20..- t20..- d20 r-\n");
    assert_string_equal(change_lines(&facts), "10 predictor deployed initial -->v1 -->100 t10\n"
                                              "20 predictor upgraded - v1->v2 100->100 t20\n");
}

static void r14_unknown_revision_is_never_guessed(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    struct reading *reading = observe_revisioned(&facts, 10, 7, V2);
    set_ready(reading, false, 7);
    set_revisions(&facts, reading, "r7", "r6", TRAFFIC("r6"));
    assert_placements(&facts, "predictor -r6 live - lingering 10..- t10..- d10 r-\n"
                              "predictor v2 live 100 pending 10..- t10..- d10 r-\n");
    for (size_t i = 0; i < facts.out.placement_count; i++) {
        const struct fold_placement *row = &facts.out.placements[i];
        if (row->unknown_revision == NULL)
            continue;
        assert_string_equal(row->model, "fraud");
        assert_null(row->artifact);
        assert_string_equal(row->identity_source, "unknown");
    }
    // Late evidence tells which artifact it was.
    reading = observe_revisioned(&facts, 5, 6, V1);
    set_ready(reading, true, 6);
    set_revisions(&facts, reading, "r6", "r6", TRAFFIC("r6"));
    assert_placements(&facts, "predictor v1 live 100 lingering 5..- t5..- d5 r5\n"
                              "predictor v2 live 100 pending 10..- t10..- d10 r-\n");
}

static void r14_only_a_status_of_this_generation_maps(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    struct reading *reading = observe_revisioned(&facts, 10, 2, V2);
    set_ready(reading, true, 1); // r1 was made of the spec before
    set_revisions(&facts, reading, "r1", "r1", TRAFFIC("r1"));
    // r1 is the newest that status knows and belongs to no spec seen: it says nothing yet (R13).
    assert_placements(&facts, "predictor v2 live 100 pending 10..- t10..- d10 r-\n");
    reading = observe_revisioned(&facts, 20, 2, V2);
    set_ready(reading, false, 2);
    set_revisions(&facts, reading, "r2", "r1", TRAFFIC("r1"));
    assert_placements(&facts, "predictor v2 live 100 pending 10..- t10..- d10 r-\n"
                              "predictor -r1 live - lingering 20..- t20..- d20 r-\n");
}

static void r15_routes_are_runs(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    static const struct raw_route half[] = {
        {.target = "b", .target_kind = "Model", .role = "candidate", .percent = 50 * PERCENT},
        {.target = "a", .target_kind = "Model", .role = "candidate", .percent = 50 * PERCENT},
        {.target = "a", .target_kind = "Model", .role = "candidate", .percent = 1 * PERCENT}};
    static const struct raw_route tilted[] = {
        {.target = "a", .target_kind = "Model", .role = "candidate", .percent = 50 * PERCENT},
        {.target = "b", .target_kind = "Model", .role = "candidate", .percent = 20 * PERCENT}};
    struct reading *reading = observe_nothing(&facts, 10, 1, 10);
    reading->routes = half;
    reading->route_count = 3;
    reading = observe_nothing(&facts, 20, 2, 20);
    reading->routes = tilted;
    reading->route_count = 2;
    observe_nothing(&facts, 30, 3, 30)->removed = true;
    const struct fold_output *out = fold_facts(&facts);
    assert_int_equal(out->placement_count, 0);
    assert_int_equal(out->change_count, 0);
    assert_int_equal(out->route_count, 3);
    assert_string_equal(out->routes[0].target, "a");
    assert_int_equal(out->routes[0].percent, 50 * PERCENT);
    assert_int_equal(out->routes[0].valid_to, 30 * SECOND);
    assert_string_equal(out->routes[1].target, "b");
    assert_int_equal(out->routes[1].valid_to, 20 * SECOND);
    assert_int_equal(out->routes[2].from_position, 20);
    assert_int_equal(out->routes[2].percent, 20 * PERCENT);
}

static const char *state_of(struct facts *facts)
{
    fold_facts(facts);
    return facts->out.placements[facts->out.placement_count - 1].state;
}

static void r16_states(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    struct reading *reading = observe(&facts, 10, 2, 10, V1);
    assert_string_equal(state_of(&facts), "pending");
    set_ready(reading, true, 1);
    assert_string_equal(state_of(&facts), "pending");
    set_ready(reading, true, 2);
    assert_string_equal(state_of(&facts), "serving");
    reading->failed = true;
    assert_string_equal(state_of(&facts), "failed");
    struct reading *stopped = observe_nothing(&facts, 20, 3, 20);
    stopped->failed = true;
    place(&facts, stopped, "predictor", "live", V1, 100)->stopped = true;
    assert_string_equal(state_of(&facts), "stopped");
}

static void r16_without_observed_generation_the_first_position_waits(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    set_ready(observe(&facts, 10, 1, 10, V1), true, FOLD_NONE); // found so: it serves
    assert_string_equal(state_of(&facts), "serving");
    set_ready(observe(&facts, 20, 2, 20, V2), true, FOLD_NONE); // still the status of v1
    assert_string_equal(state_of(&facts), "pending");
    set_ready(observe(&facts, 30, 2, 30, V2), true, FOLD_NONE);
    assert_placements(&facts, "predictor v1 live 100 serving 10..20 t10..20 d10 r10\n"
                              "predictor v2 live 100 serving 20..- t20..- d20 r30\n");
}

static void r16_ready_at_is_of_the_generation_that_brought_the_version(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1);
    set_ready(observe(&facts, 20, 2, 20, V2), true, 1);
    struct reading *reading = observe(&facts, 30, 2, 30, V2);
    set_ready(reading, true, 2);
    reading->ready_since = 5 * SECOND; // of another version: not within
    assert_placements(&facts, "predictor v1 live 100 pending 10..20 t10..20 d10 r-\n"
                              "predictor v2 live 100 serving 20..- t20..- d20 r30\n");
    reading->ready_since = 28 * SECOND;
    assert_placements(&facts, "predictor v1 live 100 pending 10..20 t10..20 d10 r-\n"
                              "predictor v2 live 100 serving 20..- t20..- d20 r28\n");
}

static void r25_revised_index_names_what_decided(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1); // #1
    observe(&facts, 20, 1, 20, V1); // #2: decides nothing
    fold_facts(&facts);
    assert_int_equal(facts.out.placements[0].revised_index, 1);
    observe(&facts, 10, 1, 9, V1)->at_source = TIME_AUDIT; // #3: a better time
    fold_facts(&facts);
    assert_int_equal(facts.out.placements[0].revised_index, 3);
    assert_int_equal(facts.out.placements[0].recorded_index, 1);
    set_ready(observe(&facts, 30, 1, 30, V1), true, 1); // #4: readiness
    fold_facts(&facts);
    assert_int_equal(facts.out.placements[0].revised_index, 4);
    request(&facts, "create", 9, 10, 1); // #5: who
    fold_facts(&facts);
    assert_int_equal(facts.out.placements[0].revised_index, 5);
    assert_int_equal(facts.out.changes[0].revised_index, 5);
    observe(&facts, 40, 2, 40, V2); // #6: its end
    fold_facts(&facts);
    assert_int_equal(facts.out.placements[0].revised_index, 6);
    assert_int_equal(facts.out.changes[0].revised_index, 5);
    observe(&facts, 50, 2, 50, V2); // #7: touched last, decides nothing
    fold_facts(&facts);
    assert_int_equal(facts.out.placements[0].revised_index, 6);
}

static void r25_naming_rules_count_where_they_named(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    observe(&facts, 10, 1, 10, V1);
    observe(&facts, 20, 2, 20, "gs://elsewhere/v2");
    cJSON *central = cJSON_Parse("{\"artifacts\":[\"s3://models/{model}/{version}\"]}");
    assert_true(naming_rules_apply(&facts.rules, central, 9));
    assert_false(naming_rules_apply(&facts.rules, central, 10)); // the same patterns
    cJSON_Delete(central);
    fold_facts(&facts);
    assert_int_equal(facts.out.placements[0].revised_index, 9);
    assert_int_equal(facts.out.placements[1].revised_index, 2);
    assert_string_equal(facts.out.placements[0].identity_source, "pattern");
}

static void no_readings_no_rows(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    list_scope(&facts, 10, 10, true);
    request(&facts, "delete", 20, FOLD_NONE, FOLD_NONE)->removes = true;
    const struct fold_output *out = fold_facts(&facts);
    assert_int_equal(out->placement_count + out->change_count + out->attribution_count, 0);
    assert_null(out->checkpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(r1_order_is_by_position_not_by_arrival),
        cmocka_unit_test(r2_newest_extractor_has_the_content_and_the_earliest_time_counts),
        cmocka_unit_test(r4_listing_above_life_removes),
        cmocka_unit_test(r4_without_a_listing_that_had_it_the_last_reading_bounds),
        cmocka_unit_test(r4_later_evidence_voids_and_lower_only_bounds),
        cmocka_unit_test(r5_deleted_is_terminal),
        cmocka_unit_test(r5_delete_request_sorts_last_until_a_position_is_known),
        cmocka_unit_test(r5_finalizers_dry_runs_and_refusals_remove_nothing),
        cmocka_unit_test(r8_time_is_the_least_upper_bound_of_later_positions),
        cmocka_unit_test(r8_never_below_its_own_lower_bound),
        cmocka_unit_test(r8_better_source_wins_a_tie),
        cmocka_unit_test(r8_spec_time_speaks_for_the_position_that_raised_the_generation),
        cmocka_unit_test(r10_renaming_and_traffic_do_not_move_deployed_at),
        cmocka_unit_test(r10_absence_ends_a_presence),
        cmocka_unit_test(r11_one_component_once_and_keys_by_digest),
        cmocka_unit_test(r12_kinds_of_change),
        cmocka_unit_test(r12_status_and_replicas_are_no_change),
        cmocka_unit_test(r13_lingering_until_status_lets_go),
        cmocka_unit_test(r14_unknown_revision_is_never_guessed),
        cmocka_unit_test(r14_only_a_status_of_this_generation_maps),
        cmocka_unit_test(r15_routes_are_runs),
        cmocka_unit_test(r16_states),
        cmocka_unit_test(r16_without_observed_generation_the_first_position_waits),
        cmocka_unit_test(r16_ready_at_is_of_the_generation_that_brought_the_version),
        cmocka_unit_test(r25_revised_index_names_what_decided),
        cmocka_unit_test(r25_naming_rules_count_where_they_named),
        cmocka_unit_test(no_readings_no_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
