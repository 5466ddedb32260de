// A body that somebody sends to a webhook: as an AdmissionReview to the request that it becomes and
// to its answer, and as an EventList to its items. Of the objects in a review nothing goes into an
// event, so a secret that was planted in one must not come out.

#include <stdlib.h>

#include "collector/admission_review.h"
#include "collector/audit_event_list.h"
#include "collector/audit_line.h"
#include "tests/fuzz/outbox.h"
#include "tests/fuzz/planted.h"

static void check_answer(const struct admission_review *review)
{
    SCOPED_BUFFER answer = {0};
    struct error err = {0};
    admission_review_allow(review, &answer);
    MUST(json_check(answer.data, answer.length, 8, &err));
}

static void take_review(struct outbox *outbox, const char *bytes, size_t length, uint32_t number)
{
    static const char *const namespaces[] = {"risk", "risk-dev"};
    const struct audit_coverage coverage = {.namespaces = namespaces,
                                            .namespace_count = number & 1 ? 2 : 0};
    struct admission_review review;
    struct error err = {0};
    if (!admission_review_read(bytes, length, &review, &err)) {
        MUST(err.react == REACT_REJECT);
        return;
    }
    check_answer(&review);
    bool emitted = admission_review_emit(outbox, &review, &coverage, 1700000000000000, &err);
    MUST(emitted ? outbox->count <= 1 : outbox->count == 0 && err.react == REACT_REJECT);
}

// Each item lies within the list, behind the one before it.
static void take_list(const char *bytes, size_t length)
{
    struct error err = {0};
    struct audit_line line;
    struct span item;
    size_t place = 0;
    if (!audit_event_list_read(bytes, length, &place, &err)) {
        MUST(err.react == REACT_REJECT);
        return;
    }
    for (size_t before = place; audit_event_list_next(bytes, length, &place, &item);
         before = place) {
        MUST(place > before && place <= length && item.bytes + item.length == bytes + place);
        MUST(json_check(item.bytes, item.length, JSON_MAX_DEPTH, &err));
        MUST(audit_item_read(item.bytes, item.length, &line, &err) || err.react == REACT_REJECT);
    }
    while (place < length && bytes[place] != ']')
        place++;
    MUST(place < length);
}

// Who asked, and for which name, is told as it is; what is planted lies in objects beside those.
static void take_body(const char *bytes, size_t length, uint32_t number, bool planted)
{
    OUTBOX outbox = {0};
    take_review(&outbox, bytes, length, number);
    check_clean(planted ? bytes : NULL, length, &outbox.lines);
    take_list(bytes, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    take_planted(bytes, length, take_body);
    return 0;
}
