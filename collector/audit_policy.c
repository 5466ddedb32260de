// The attribution policy's annotations. A patch that meets another write is tried again, admission
// and all, and of an annotation that is set twice the API server keeps the first value: so the
// policy has one key for a create and one for each of sixteen remainders of the generation that it
// found, and the last try is the one that found the highest.

#include "collector/audit_policy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "common/text.h"

#define NAME "attribution.modeltrail.io/"
#define SLOT_COUNT 16
#define SLOT(n) NAME "generation-" #n

enum {
    NOTE_UID,
    NOTE_CREATED_UID,
    NOTE_CREATED_GENERATION,
    NOTE_DRY_RUN,
    NOTE_SLOTS,
    NOTE_MEMBERS = NOTE_SLOTS + SLOT_COUNT
};

static const char *const note_keys[NOTE_MEMBERS] = {
    [NOTE_UID] = NAME "uid",
    [NOTE_CREATED_UID] = NAME "created-uid",
    [NOTE_CREATED_GENERATION] = NAME "created-generation",
    [NOTE_DRY_RUN] = NAME "dry-run",
    [NOTE_SLOTS] = SLOT(0),
    SLOT(1),
    SLOT(2),
    SLOT(3),
    SLOT(4),
    SLOT(5),
    SLOT(6),
    SLOT(7),
    SLOT(8),
    SLOT(9),
    SLOT(10),
    SLOT(11),
    SLOT(12),
    SLOT(13),
    SLOT(14),
    SLOT(15),
};

// "6>7": found generation 6, and leads to 7. Anything else is nobody's business of ours.
static bool read_step(struct span value, int64_t *before, int64_t *after)
{
    SCOPED(xfree_char) char *text = span_text(value);
    char *sign = text ? strchr(text, '>') : NULL;
    if (sign == NULL)
        return false;
    *sign = '\0';
    return text_to_int64(text, before) && text_to_int64(sign + 1, after) && *before > 0 &&
           *after >= *before;
}

// A step from a generation to itself changed labels or nothing at all: it raises none.
static int64_t last_raised(const struct span note[NOTE_MEMBERS])
{
    int64_t newest = 0;
    int64_t raised = 0;
    size_t steps = 0;
    for (size_t i = NOTE_SLOTS; i < NOTE_MEMBERS; i++) {
        int64_t before;
        int64_t after;
        if (!read_step(note[i], &before, &after))
            continue;
        steps++;
        if (before > newest)
            raised = after > before ? after : 0;
        newest = before > newest ? before : newest;
    }
    // All taken: there may have been more tries than keys, and the last one is not known.
    return steps < SLOT_COUNT ? raised : 0;
}

// A create leads to generation 1; what the policy wrote is read all the same.
static int64_t read_generation(struct span value)
{
    SCOPED(xfree_char) char *text = span_text(value);
    int64_t number;
    return text != NULL && text_to_int64(text, &number) && number > 0 ? number : 0;
}

bool audit_policy_read(struct span annotations, bool created, struct audit_policy *policy,
                       struct error *err)
{
    struct span note[NOTE_MEMBERS];
    *policy = (struct audit_policy){0};
    if (annotations.bytes == NULL || annotations.bytes[0] != '{')
        return true;
    if (!span_members(annotations, note_keys, note, NOTE_MEMBERS, err))
        return false;
    bool tried_create = note[NOTE_CREATED_UID].bytes != NULL;
    policy->applied = tried_create || note[NOTE_UID].bytes != NULL;
    policy->created = tried_create && (created || note[NOTE_UID].bytes == NULL);
    policy->uid = span_text(note[policy->created ? NOTE_CREATED_UID : NOTE_UID]);
    policy->generation =
        policy->created ? read_generation(note[NOTE_CREATED_GENERATION]) : last_raised(note);
    policy->dry_run = span_is(note[NOTE_DRY_RUN], "true");
    return true;
}

void audit_policy_reset(struct audit_policy *policy)
{
    free(policy->uid);
    *policy = (struct audit_policy){0};
}
