#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

// What an object's own times prove about when it changed (docs/events.md, docs/rules.md 8).

// A Kubernetes time as the interval that it stands for: whole seconds mean "some time in this
// second".
struct time_range {
    int64_t from;
    int64_t to;
};

// Reads a Kubernetes time; false when it is none.
bool time_range_read(const char *text, struct time_range *range);

struct object_times {
    int64_t at;            // upper bound of when this position began
    const char *at_source; // docs/events.md
    int64_t not_before;    // lower bound, or TIMESTAMP_NONE
    int64_t spec_at;       // upper bound of when this generation began, or TIMESTAMP_NONE
    const char *spec_source;
};

// How the object came to be seen: when, by what (source name of docs/events.md), the lower bound
// that the source knows (or TIMESTAMP_NONE), and whether this is its end.
struct object_seen {
    int64_t at;
    const char *source;
    int64_t not_before;
    bool removed;
};

// Chooses the best evidence. The object's own times count only while they lie between the lower
// bound and the moment it was seen: a write that changes no field's owner leaves managedFields as
// they were, and such a time would be older than the write.
void object_times_read(const cJSON *object, const struct object_seen *seen,
                       struct object_times *times);
