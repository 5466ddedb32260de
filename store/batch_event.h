#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/event.h"
#include "common/json.h"
#include "store/allow_list.h"
#include "store/envelope.h"

// One event line as the store sees it: read, checked, and either usable or quarantined with a
// reason.

// A name, two colons, two numbers of up to 20 characters, and NUL.
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
    int64_t recorded_at; // microseconds; the batch's
    int64_t lag_us;      // the part's

    char id[EVENT_ID_BYTES];
    char type[EVENT_TYPE_BYTES]; // what the line claims, or "unknown"
    int64_t occurred_at;         // TIMESTAMP_NONE when not told
    cJSON *data;                 // without the raw object; NULL when the line could not be read
    char *text;                  // the data, printed; NULL when it was quarantined while read
    size_t memory_bytes;         // of both, at most and about
    uint8_t salt[SALT_BYTES];    // new ones
    uint8_t body_digest[DIGEST_BYTES]; // SHA-256(salt || line)
    char quarantined[256];             // why it cannot be used; "" when it can
};

// Reads the line of which the caller has filled collector, epoch, seq, line and length: all that
// depends on nothing but the line, so that it can be done ahead. Never fails: what is wrong with
// the line becomes its `quarantined`. Free with batch_event_reset.
void batch_event_read(struct batch_event *event);

// Marks the event as one that cannot be used; the first reason stays.
void batch_event_quarantine(struct batch_event *event, const char *reason);

// Frees the data and its text; the caller's fields stay the caller's.
void batch_event_reset(struct batch_event *event);

// Frees an array of events that were read.
void batch_events_free(struct batch_event *events, size_t count);
