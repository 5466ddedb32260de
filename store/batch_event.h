#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/event.h"
#include "common/json.h"
#include "store/allow_list.h"

// One event line as the store sees it: read, checked, and either usable or quarantined with a
// reason.

#define EVENT_ID_BYTES (NAME_MAX_BYTES + 48)
#define EVENT_TYPE_BYTES 128

struct batch_event {
    const struct allowed *allowed; // NULL for "_store"
    const char *collector;
    int64_t epoch;
    int64_t seq;
    const char *line; // borrowed, without newline
    size_t length;
    int64_t log_index;
    int64_t recorded_at;

    char id[EVENT_ID_BYTES];
    char type[EVENT_TYPE_BYTES]; // what the line claims, or "unknown"
    int64_t occurred_at;         // TIMESTAMP_NONE when not told
    cJSON *data;                 // without the raw object; NULL when the line could not be read
    char quarantined[256];       // why it cannot be used; "" when it can
};

// Reads the line of which the caller has filled the first group, up to and including `recorded_at`.
// Never fails: what is wrong with the line becomes its `quarantined`. Free with batch_event_reset.
void batch_event_read(struct batch_event *event);

// Marks the event as one that cannot be used; the first reason stays.
void batch_event_quarantine(struct batch_event *event, const char *reason);

void batch_event_reset(struct batch_event *event);
