// Cuts a list of audit events into its items. The list was checked as a whole before the first item
// is taken, so that a place in it is all that has to be remembered between two steps.

#include "collector/audit_event_list.h"

#include <string.h>

#include "common/json_scan.h"

bool audit_event_list_read(const char *bytes, size_t length, size_t *place, struct error *err)
{
    enum { API_VERSION, KIND, ITEMS, MEMBERS };
    static const char *const keys[MEMBERS] = {"apiVersion", "kind", "items"};
    struct span member[MEMBERS];
    if (!span_members((struct span){bytes, length}, keys, member, MEMBERS, err))
        return false;
    if (!span_is(member[KIND], "EventList") || !span_is(member[API_VERSION], "audit.k8s.io/v1"))
        return fail(err, REACT_REJECT, "not an EventList of audit.k8s.io/v1");
    if (member[ITEMS].bytes == NULL || member[ITEMS].bytes[0] != '[')
        return fail(err, REACT_REJECT, "EventList without items");
    *place = (size_t)(member[ITEMS].bytes - bytes) + 1;
    return true;
}

bool audit_event_list_next(const char *bytes, size_t length, size_t *place, struct span *item)
{
    struct json_scan scan;
    struct json_token token;
    struct error unused;
    size_t end;
    size_t at = *place;
    // strchr finds a NUL too, but a list that was checked has none.
    while (at < length && strchr(" \t\r\n,", bytes[at]) != NULL)
        at++;
    if (at >= length || bytes[at] == ']')
        return false;
    json_scan_init(&scan, bytes + at, length - at, JSON_MAX_DEPTH);
    if (!json_scan_next(&scan, &token, &unused) || !json_scan_skip(&scan, &token, &end, &unused))
        return false; // cannot happen: the list was checked
    *item = (struct span){bytes + at, end};
    *place = at + end;
    return true;
}
