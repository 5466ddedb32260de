// Chooses among audit, object, managedFields and the clock. Knows nothing of models.

#include "collector/object_times.h"

#include <string.h>

#include "common/json.h"
#include "common/timestamp.h"

#define SECOND_US 1000000

bool time_range_read(const char *text, struct time_range *range)
{
    int64_t at;
    // Go's zero time (year 1) and everything else before 1970 says "never".
    if (text == NULL || !timestamp_parse(text, &at) || at < 0)
        return false;
    range->from = at;
    range->to = timestamp_is_whole_second(text) ? at + SECOND_US - 1 : at;
    return true;
}

// Keeps the later of two ranges. `best` is untouched when the text is no time.
static bool take_later(const char *text, struct time_range *best, bool known)
{
    struct time_range range;
    if (!time_range_read(text, &range))
        return known;
    if (!known || range.to > best->to)
        *best = range;
    return true;
}

static bool newest_managed(const cJSON *metadata, bool with_status, struct time_range *newest)
{
    bool known = false;
    const cJSON *entry;
    cJSON_ArrayForEach(entry, json_get(metadata, "managedFields"))
    {
        const char *subresource = json_text(entry, "subresource");
        bool status = subresource != NULL && strcmp(subresource, "status") == 0;
        if (with_status || !status)
            known = take_later(json_text(entry, "time"), newest, known);
    }
    return known;
}

static bool is_fresh(const cJSON *object, const cJSON *metadata)
{
    int64_t generation;
    return json_int64(metadata, "generation", &generation) && generation == 1 &&
           cJSON_GetArraySize(json_get(object, "status")) == 0;
}

// The object's own time of this position, by the sources' order in docs/events.md.
static bool own_time(const cJSON *object, bool removed, struct time_range *range,
                     const char **source)
{
    const cJSON *metadata = json_get(object, "metadata");
    struct time_range deletion;
    bool deleting = time_range_read(json_text(metadata, "deletionTimestamp"), &deletion);
    *source = "object";
    if (removed) {
        *range = deleting ? deletion : *range;
        return deleting;
    }
    bool managed = newest_managed(metadata, true, range);
    if (deleting && (!managed || deletion.to > range->to)) {
        *range = deletion;
        return true;
    }
    if (managed) {
        *source = "managed_fields";
        return true;
    }
    return is_fresh(object, metadata) &&
           time_range_read(json_text(metadata, "creationTimestamp"), range);
}

static void read_position_time(const cJSON *object, const struct object_seen *seen,
                               struct object_times *times)
{
    times->at = seen->at;
    times->at_source = seen->source;
    times->not_before = seen->not_before;
    bool request = strcmp(seen->source, "audit") == 0 || strcmp(seen->source, "admission") == 0;
    struct time_range range = {0};
    const char *source;
    if (request || !own_time(object, seen->removed, &range, &source))
        return;
    bool stale = seen->not_before != TIMESTAMP_NONE && range.to < seen->not_before;
    if (stale || range.from > seen->at)
        return;
    // Within one second the moment of seeing can be the better upper bound of the two.
    if (range.to <= seen->at) {
        times->at = range.to;
        times->at_source = source;
    }
    if (seen->not_before == TIMESTAMP_NONE && range.from < range.to)
        times->not_before = range.from;
}

static void read_spec_time(const cJSON *object, const struct object_seen *seen,
                           struct object_times *times)
{
    const cJSON *metadata = json_get(object, "metadata");
    int64_t generation;
    struct time_range range;
    times->spec_at = TIMESTAMP_NONE;
    times->spec_source = NULL;
    bool first = json_int64(metadata, "generation", &generation) && generation == 1;
    const char *source = first ? "object" : "managed_fields";
    bool known = first ? time_range_read(json_text(metadata, "creationTimestamp"), &range)
                       : newest_managed(metadata, false, &range);
    if (!known)
        return;
    bool later = range.to > seen->at;
    times->spec_at = later ? seen->at : range.to;
    times->spec_source = later ? seen->source : source;
}

void object_times_read(const cJSON *object, const struct object_seen *seen,
                       struct object_times *times)
{
    read_position_time(object, seen, times);
    read_spec_time(object, seen, times);
}
