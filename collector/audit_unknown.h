#pragma once

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/kinds.h"
#include "collector/outbox.h"
#include "common/error.h"

// Objects whose state an audit log hides for a time: from a write that does not show what it led
// to, until the object is seen as a whole again.

#define UNKNOWN_MAX 32

struct unknown_object {
    const struct kind *kind;
    int64_t from;
    char namespace[64];
    char name[254];
};

struct audit_unknown {
    size_t count;
    struct unknown_object objects[UNKNOWN_MAX];
};

// One object of an audit log; namespace and name may be NULL.
struct audit_object {
    const struct kind *kind;
    const char *namespace;
    const char *name;
};

// Opens a state gap of the object's namespace and kind, unless this object has one. An object that
// cannot be remembered leaves its gap open for good.
bool audit_unknown_begin(struct audit_unknown *unknown, struct outbox *outbox,
                         const struct audit_object *object, int64_t at, const char *reason,
                         struct error *err) WARN_UNUSED;

// Ends the object's gap, if it has one that began before `at`.
bool audit_unknown_end(struct audit_unknown *unknown, struct outbox *outbox,
                       const struct audit_object *object, int64_t at,
                       struct error *err) WARN_UNUSED;

// Adds the list to a cursor, and reads it back; entries that cannot be read are left out.
void audit_unknown_print(const struct audit_unknown *unknown, cJSON *cursor);
void audit_unknown_parse(const cJSON *cursor, struct audit_unknown *unknown);
