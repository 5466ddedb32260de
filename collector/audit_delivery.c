// The formats by name, and what they share. What a vendor's wrapping means is the business of
// audit_delivery_NAME.c.

#include "collector/audit_delivery.h"

#include <string.h>

#include "collector/audit_line.h"
#include "common/json_scan.h"
#include "common/timestamp.h"

#define MINUTE_US (60 * (int64_t)1000000)

static bool decode_plain(struct span line, const struct audit_taker *taker, struct error *err)
{
    return taker->take(taker->context, &(struct audit_delivered){.event = line}, err);
}

struct first_time {
    int64_t at;
    bool found;
};

// False with any reaction: one event is enough.
static bool take_time(void *context, const struct audit_delivered *delivered, struct error *err)
{
    struct first_time *first = context;
    if (delivered->problem != NULL)
        return true;
    first->found = audit_line_time(delivered->event.bytes, delivered->event.length, &first->at);
    return !first->found || fail(err, REACT_RETRY, "found");
}

// A file is known to begin at its first event, so that a line is decoded no further than that.
static bool find_time(bool (*decode)(struct span, const struct audit_taker *, struct error *),
                      const char *bytes, size_t length, int64_t *at)
{
    struct error unused;
    struct first_time first = {0};
    if (!decode((struct span){bytes, length}, &(struct audit_taker){take_time, &first}, &unused) &&
        !first.found)
        return false;
    if (first.found)
        *at = first.at;
    return first.found;
}

static bool eks_time(const char *bytes, size_t length, int64_t *at)
{
    return find_time(audit_delivery_eks, bytes, length, at);
}

static bool gke_time(const char *bytes, size_t length, int64_t *at)
{
    return find_time(audit_delivery_gke, bytes, length, at);
}

static bool aks_time(const char *bytes, size_t length, int64_t *at)
{
    return find_time(audit_delivery_aks, bytes, length, at);
}

static bool openshift_time(const char *bytes, size_t length, int64_t *at)
{
    return find_time(audit_delivery_openshift, bytes, length, at);
}

// The vendors promise no order, and speak of minutes at worst: their lag is a bound of ours.
static const struct audit_delivery deliveries[] = {
    {"kubernetes", decode_plain, audit_line_time, 0},
    {"eks", audit_delivery_eks, eks_time, 15 * MINUTE_US},
    {"gke", audit_delivery_gke, gke_time, 15 * MINUTE_US},
    {"aks", audit_delivery_aks, aks_time, 15 * MINUTE_US},
    {"openshift", audit_delivery_openshift, openshift_time, 15 * MINUTE_US},
};

const struct audit_delivery *audit_delivery_find(const char *name)
{
    for (size_t i = 0; i < sizeof(deliveries) / sizeof(*deliveries); i++) {
        if (strcmp(deliveries[i].name, name) == 0)
            return &deliveries[i];
    }
    return NULL;
}

// Between values; JSON inside of them is the scanner's business.
static size_t skip_space(struct span text, size_t at)
{
    while (at < text.length && strchr(" \t\r\n", text.bytes[at]) != NULL && text.bytes[at] != '\0')
        at++;
    return at;
}

// The value that begins at `at`; *end is behind it. What follows is not looked at.
static bool find_value(struct span text, size_t at, struct span *value, size_t *end,
                       struct error *err)
{
    struct json_scan scan;
    struct json_token token;
    size_t length;
    json_scan_init(&scan, text.bytes + at, text.length - at, JSON_MAX_DEPTH - 1);
    if (!json_scan_next(&scan, &token, err) || !json_scan_skip(&scan, &token, &length, err))
        return false;
    *value = (struct span){text.bytes + at + token.from, length - token.from};
    *end = at + length;
    return true;
}

// An array's commas are between its items, and a line's objects need nothing between them.
static bool take_values(struct span text, size_t at, bool in_array, size_t *index,
                        audit_object_taker *take_object, void *context, struct error *err)
{
    for (at = skip_space(text, at); at < text.length;) {
        struct span value;
        if (in_array && text.bytes[at] == ']')
            break;
        if (text.bytes[at] != '{')
            return fail(err, REACT_REJECT, "something else than a JSON object at byte %zu", at);
        if (!find_value(text, at, &value, &at, err) ||
            !take_object(value, (*index)++, context, err))
            return false;
        at = skip_space(text, at);
        if (in_array && at < text.length && text.bytes[at] == ',')
            at = skip_space(text, at + 1);
    }
    return true;
}

bool audit_delivery_objects(struct span text, audit_object_taker *take_object, void *context,
                            struct error *err)
{
    size_t index = 0;
    size_t at = skip_space(text, 0);
    if (at == text.length || text.bytes[at] != '[')
        return take_values(text, at, false, &index, take_object, context, err);
    struct span array;
    size_t end;
    // The whole array first: of one that is cut off nothing is taken twice later.
    if (!find_value(text, at, &array, &end, err))
        return false;
    if (skip_space(text, end) != text.length)
        return fail(err, REACT_REJECT, "something follows the array");
    return take_values(array, 1, true, &index, take_object, context, err);
}
