// When a fact repeats older ones. Which older ones there are, and what follows, is for others: this
// compares, member by member, by the rule with which the fold chooses between them.

#include "store/fold_repeat.h"

#include "common/text.h"
#include "store/fold_history.h"

static bool is_as_good(const struct fold_evidence *older, const struct fold_evidence *evidence)
{
    return evidence->instant == FOLD_NONE || fold_evidence_is_better(older, evidence);
}

// Each member by itself, since each may be decided by another reading: content by the highest
// extractor, then the lowest log index (R2); times by the best evidence and the greatest lower
// bound (R8), of equal ones by the lowest log index; the end by the first that tells it (R5).
// So the same object read later, by a collector's clock, is a repeat: its time is worse.
bool fold_reading_repeats(const struct reading *reading, const struct reading *older, size_t count)
{
    struct fold_evidence at = {reading->at, reading->at_source, reading->log_index};
    struct fold_evidence spec = {reading->spec_at, reading->spec_source, reading->log_index};
    bool has_content = false;
    bool has_end = !reading->removed;
    bool has_at = false;
    bool has_spec = reading->spec_at == FOLD_NONE;
    bool has_bound = reading->not_before == FOLD_NONE;
    for (size_t i = 0; i < count; i++) {
        const struct reading *old = &older[i];
        struct fold_evidence old_at = {old->at, old->at_source, old->log_index};
        struct fold_evidence old_spec = {old->spec_at, old->spec_source, old->log_index};
        has_content = has_content || old->extractor >= reading->extractor;
        has_end = has_end || old->removed;
        has_at = has_at || is_as_good(&old_at, &at);
        has_spec = has_spec || is_as_good(&old_spec, &spec);
        // FOLD_NONE is below every instant.
        has_bound = has_bound || old->not_before >= reading->not_before;
    }
    return has_content && has_end && has_at && has_spec && has_bound;
}

// All that the fold reads. An equal instant, too: the older of two requests decides (R17), and of
// equally old ones the one with the lower log index.
bool fold_request_repeats(const struct fold_request *request, const struct fold_request *older)
{
    return request->position == older->position && request->generation == older->generation &&
           request->at == older->at && request->code == older->code &&
           request->dry_run == older->dry_run && request->removes == older->removes &&
           request->role == older->role && request->is_admission == older->is_admission &&
           text_equal(request->verb, older->verb) &&
           text_equal(request->subresource, older->subresource) &&
           text_equal(request->audit_id, older->audit_id) &&
           text_equal(request->principal, older->principal) &&
           text_equal(request->impersonated_by, older->impersonated_by);
}
