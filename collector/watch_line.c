// Finds type and object of a watch line by byte ranges; the object is read by others.

#include "collector/watch_line.h"

#include <string.h>

#include "common/json_scan.h"

struct range {
    size_t from;
    size_t to;
};

static bool range_equals(const char *bytes, struct range range, const char *text)
{
    size_t length = strlen(text);
    return range.to - range.from == length + 2 && memcmp(bytes + range.from + 1, text, length) == 0;
}

// Reads one member of the outermost object; *more is false at its end.
static bool read_member(struct json_scan *scan, struct range *key, struct range *value, bool *more,
                        struct error *err)
{
    struct json_token token;
    if (!json_scan_next(scan, &token, err))
        return false;
    *more = token.kind == JSON_KEY;
    if (!*more)
        return true;
    *key = (struct range){token.from, token.to};
    if (!json_scan_next(scan, &token, err))
        return false;
    value->from = token.from;
    return json_scan_skip(scan, &token, &value->to, err);
}

static bool read_type(const char *bytes, struct range value, enum watch_type *type,
                      struct error *err)
{
    static const char *const names[] = {
        [WATCH_ADDED] = "ADDED",       [WATCH_MODIFIED] = "MODIFIED", [WATCH_DELETED] = "DELETED",
        [WATCH_BOOKMARK] = "BOOKMARK", [WATCH_ERROR] = "ERROR",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (range_equals(bytes, value, names[i])) {
            *type = (enum watch_type)i;
            return true;
        }
    }
    return fail(err, REACT_REJECT, "watch line of an unknown type");
}

bool watch_line_parse(const char *bytes, size_t length, struct watch_line *line, struct error *err)
{
    struct json_scan scan;
    struct json_token token;
    struct range key = {0, 0};
    struct range value = {0, 0};
    struct range type = {0, 0};
    struct range object = {0, 0};
    json_scan_init(&scan, bytes, length, JSON_MAX_DEPTH);
    if (!json_scan_next(&scan, &token, err))
        return false;
    if (token.kind != JSON_OBJECT_BEGIN)
        return fail(err, REACT_REJECT, "watch line is no object");
    for (bool more = true; more;) {
        if (!read_member(&scan, &key, &value, &more, err))
            return false;
        if (more && range_equals(bytes, key, "type"))
            type = value;
        else if (more && range_equals(bytes, key, "object"))
            object = value;
    }
    if (!json_scan_next(&scan, &token, err)) // nothing may follow
        return false;
    if (type.to == 0 || object.to == 0 || bytes[object.from] != '{')
        return fail(err, REACT_REJECT, "watch line without type or object");
    line->object = bytes + object.from;
    line->object_length = object.to - object.from;
    return read_type(bytes, type, &line->type, err);
}
