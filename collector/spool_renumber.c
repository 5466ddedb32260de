// An event under a new number: the envelope is written anew, its data is copied byte for byte.

#include "collector/spool_renumber.h"

#include "collector/span.h"
#include "common/event.h"
#include "common/memory.h"
#include "common/timestamp.h"

enum { MEMBER_TYPE, MEMBER_SUBJECT, MEMBER_TIME, MEMBER_DATA, MEMBERS };

bool spool_renumber(const char *collector, const char *cluster, int64_t epoch, int64_t seq,
                    const char *line, size_t length, struct buffer *out, struct error *err)
{
    static const char *const keys[MEMBERS] = {"type", "subject", "time", "data"};
    struct span members[MEMBERS];
    if (!span_members((struct span){line, length}, keys, members, MEMBERS, err))
        return false;
    SCOPED(xfree_char) char *type = span_text(members[MEMBER_TYPE]);
    SCOPED(xfree_char) char *subject = span_text(members[MEMBER_SUBJECT]);
    SCOPED(xfree_char) char *time = span_text(members[MEMBER_TIME]);
    struct event_head head = {.collector = collector,
                              .epoch = epoch,
                              .seq = seq,
                              .type = type,
                              .cluster = cluster,
                              .subject = subject,
                              .time = TIMESTAMP_NONE};
    if (time != NULL && !timestamp_parse(time, &head.time))
        return fail(err, REACT_STOP, "an event in the spool has a bad time");
    if (type == NULL || members[MEMBER_DATA].bytes == NULL)
        return fail(err, REACT_STOP, "an event in the spool lacks its type or data");
    buffer_clear(out);
    event_write(out, &head, members[MEMBER_DATA].bytes, members[MEMBER_DATA].length);
    return true;
}
