// A KServe canary by revision, written by hand with the status writes between: upgrade, pending,
// 10 %, 50 %, promoted; and one aborted at 10 %. Every row, change and attribution is compared.

#include "tests/unit/fold/facts.h"

#define V1 "s3://models/fraud/v1"
#define V2 "s3://models/fraud/v2"

static struct reading *spec_live(struct facts *facts, int64_t position, int64_t generation,
                                 int64_t at, const char *uri)
{
    struct reading *reading = observe_nothing(facts, position, generation, at);
    place(facts, reading, "predictor", "live", uri, 100)->revisioned = true;
    return reading;
}

static struct reading *spec_canary(struct facts *facts, int64_t position, int64_t generation,
                                   int64_t at, int64_t percent)
{
    struct reading *reading = observe_nothing(facts, position, generation, at);
    place(facts, reading, "canary", "canary", V2, percent)->revisioned = true;
    return reading;
}

// Positions 1 to 5: v1 runs, v2 is asked for at 10 % (request #3), waits, and answers.
static void begin_canary(struct facts *facts)
{
    struct reading *reading = spec_live(facts, 1, 1, 10, V1); // #1
    request(facts, "create", 10, 1, 1);                       // #2
    reading = spec_live(facts, 2, 1, 12, V1);                 // #3
    set_ready(reading, true, 1);
    reading->ready_since = 11 * SECOND;
    set_revisions(facts, reading, "r1", "r1", TRAFFIC("r1"));

    reading = spec_canary(facts, 3, 2, 20, 10); // #4: status is still that of generation 1
    set_ready(reading, true, 1);
    set_revisions(facts, reading, "r1", "r1", TRAFFIC("r1"));
    request(facts, "patch", 20, 3, 2); // #5

    reading = spec_canary(facts, 4, 2, 22, 10); // #6: r2 exists and is not ready
    set_ready(reading, false, 2);
    set_revisions(facts, reading, "r2", "r1", TRAFFIC("r1"));

    reading = spec_canary(facts, 5, 2, 25, 10); // #7: r2 answers
    set_ready(reading, true, 2);
    reading->ready_since = 24 * SECOND;
    set_revisions(facts, reading, "r2", "r1", TRAFFIC("r1", "r2"));
}

static void pending_until_its_revision_is_ready(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    begin_canary(&facts);
    facts.reading_count = 3; // up to the spec's write
    assert_placements(&facts, "predictor v1 live 100 serving 1..3 t10..20 d10 r11\n"
                              "canary v2 canary 10 pending 3..- t20..- d20 r-\n"
                              "predictor v1 live 90 pending 3..- t20..- d10 r11\n");
    facts.reading_count = 4; // and the revision that is not ready
    assert_placements(&facts, "predictor v1 live 100 serving 1..3 t10..20 d10 r11\n"
                              "canary v2 canary 10 pending 3..- t20..- d20 r-\n"
                              "predictor v1 live 90 pending 3..- t20..- d10 r11\n");
    facts.reading_count = 5;
    assert_placements(&facts, "predictor v1 live 100 serving 1..3 t10..20 d10 r11\n"
                              "canary v2 canary 10 serving 3..- t20..- d20 r24\n"
                              "predictor v1 live 90 serving 3..- t20..- d10 r11\n");
}

static void promoted(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    begin_canary(&facts);
    struct reading *reading = spec_canary(&facts, 6, 3, 30, 50); // #8
    set_ready(reading, true, 2);
    set_revisions(&facts, reading, "r2", "r1", TRAFFIC("r1", "r2"));
    request(&facts, "patch", 30, 6, 3); // #9
    reading = spec_canary(&facts, 7, 3, 32, 50);
    set_ready(reading, true, 3);
    set_revisions(&facts, reading, "r2", "r1", TRAFFIC("r1", "r2"));
    reading = spec_live(&facts, 8, 4, 40, V2); // #11: v1 still has its share, says status
    set_ready(reading, true, 3);
    set_revisions(&facts, reading, "r2", "r1", TRAFFIC("r1", "r2"));
    request(&facts, "update", 40, 8, 4); // #12

    assert_placements(&facts, "predictor v1 live 100 serving 1..3 t10..20 d10 r11\n"
                              "canary v2 canary 10 serving 3..6 t20..30 d20 r24\n"
                              "predictor v1 live 90 serving 3..6 t20..30 d10 r11\n"
                              "canary v2 canary 50 serving 6..8 t30..40 d20 r24\n"
                              "predictor v1 live 50 lingering 6..- t30..- d10 r11\n"
                              "predictor v2 live 100 pending 8..- t40..- d20 r24\n");

    reading = spec_live(&facts, 9, 4, 43, V2); // status has let go of r1
    set_ready(reading, true, 4);
    set_revisions(&facts, reading, "r2", "r2", TRAFFIC("r2"));
    assert_placements(&facts, "predictor v1 live 100 serving 1..3 t10..20 d10 r11\n"
                              "canary v2 canary 10 serving 3..6 t20..30 d20 r24\n"
                              "predictor v1 live 90 serving 3..6 t20..30 d10 r11\n"
                              "canary v2 canary 50 serving 6..8 t30..40 d20 r24\n"
                              "predictor v1 live 50 lingering 6..9 t30..43 d10 r11\n"
                              "predictor v2 live 100 serving 8..- t40..- d20 r24\n");
    assert_changes(&facts, "1 predictor deployed initial -->v1 -->100 t10\n"
                           "3 canary deployed - -->v2 -->10 t20\n"
                           "3 predictor reconfigured - v1->v1 100->90 t20\n"
                           "6 canary reconfigured - v2->v2 10->50 t30\n"
                           "6 predictor reconfigured - v1->v1 90->50 t30\n"
                           "8 canary removed - v2->- 50->- t40\n"
                           "8 predictor upgraded - v1->v2 50->100 t40\n");
    assert_attributions(&facts, "1 #2 exact\n"
                                "3 #5 exact\n"
                                "6 #9 exact\n"
                                "8 #12 exact\n");
}

static void aborted(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    begin_canary(&facts);
    struct reading *reading = spec_live(&facts, 6, 3, 30, V1); // #8
    set_ready(reading, true, 2);
    set_revisions(&facts, reading, "r2", "r1", TRAFFIC("r1", "r2"));
    request(&facts, "patch", 30, 6, 3);        // #9
    reading = spec_live(&facts, 7, 3, 33, V1); // KServe makes a third revision of the old artifact
    set_ready(reading, true, 3);
    set_revisions(&facts, reading, "r3", "r3", TRAFFIC("r3"));

    assert_placements(&facts, "predictor v1 live 100 serving 1..3 t10..20 d10 r11\n"
                              "canary v2 canary 10 lingering 3..7 t20..33 d20 r24\n"
                              "predictor v1 live 90 serving 3..6 t20..30 d10 r11\n"
                              "predictor v1 live 100 serving 6..- t30..- d10 r11\n");
    assert_changes(&facts, "1 predictor deployed initial -->v1 -->100 t10\n"
                           "3 canary deployed - -->v2 -->10 t20\n"
                           "3 predictor reconfigured - v1->v1 100->90 t20\n"
                           "6 canary removed - v2->- 10->- t30\n"
                           "6 predictor reconfigured - v1->v1 90->100 t30\n");
    assert_attributions(&facts, "1 #2 exact\n"
                                "3 #5 exact\n"
                                "6 #9 exact\n");
}

// A plain upgrade, no canary: the old revision answers until the new one is ready.
static void upgraded_without_canary(void **unused)
{
    (void)unused;
    SCOPED_FACTS facts = {0};
    struct reading *reading = spec_live(&facts, 1, 1, 10, V1);
    set_ready(reading, true, 1);
    set_revisions(&facts, reading, "r1", "r1", TRAFFIC("r1"));
    reading = spec_live(&facts, 2, 2, 20, V2);
    set_ready(reading, true, 1);
    set_revisions(&facts, reading, "r1", "r1", TRAFFIC("r1"));
    assert_placements(&facts, "predictor v1 live 100 lingering 1..- t10..- d10 r10\n"
                              "predictor v2 live 100 pending 2..- t20..- d20 r-\n");
    reading = spec_live(&facts, 3, 2, 25, V2);
    set_ready(reading, true, 2);
    set_revisions(&facts, reading, "r2", "r2", TRAFFIC("r2"));
    assert_placements(&facts, "predictor v1 live 100 lingering 1..3 t10..25 d10 r10\n"
                              "predictor v2 live 100 serving 2..- t20..- d20 r25\n");
    assert_changes(&facts, "1 predictor deployed initial -->v1 -->100 t10\n"
                           "2 predictor upgraded - v1->v2 100->100 t20\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pending_until_its_revision_is_ready),
        cmocka_unit_test(promoted),
        cmocka_unit_test(aborted),
        cmocka_unit_test(upgraded_without_canary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
