// The cursor of an audit log as JSON. Older versions' cursors lack members, and are read all the
// same.

#include "collector/audit_progress.h"

#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/timestamp.h"

void audit_progress_init(struct audit_progress *progress)
{
    *progress = (struct audit_progress){.since = TIMESTAMP_NONE,
                                        .through = TIMESTAMP_NONE,
                                        .lost_from = TIMESTAMP_NONE,
                                        .torn_from = TIMESTAMP_NONE};
}

void audit_progress_restart(struct audit_progress *progress)
{
    progress->place = (struct tail_place){0};
    progress->since = progress->through = progress->lost_from = TIMESTAMP_NONE;
}

char *audit_progress_print(const struct audit_progress *progress)
{
    const struct tail_place *place = &progress->place;
    SCOPED(cJSON_Delete) cJSON *cursor = cJSON_CreateObject();
    json_add_int64(cursor, "offset", place->offset);
    json_add_int64(cursor, "head_length", place->head_length);
    json_add_text(cursor, "head", place->head);
    json_add_int64(cursor, "inode", place->inode);
    json_add_int64(cursor, "device", place->device);
    json_add_int64(cursor, "first_at", place->first_at);
    json_add_int64(cursor, "since", progress->since);
    json_add_int64(cursor, "through", progress->through);
    json_add_int64(cursor, "lost_from", progress->lost_from);
    json_add_int64(cursor, "torn_from", progress->torn_from);
    json_add_text(cursor, "vendor_cluster", progress->vendor_cluster);
    audit_unknown_print(&progress->gaps.unknown, cursor);
    return json_print(cursor);
}

bool audit_progress_parse(const char *text, struct audit_progress *progress, struct error *err)
{
    SCOPED(cJSON_Delete) cJSON *cursor = json_parse(text, strlen(text), 8, err);
    struct tail_place *place = &progress->place;
    const char *head = json_text(cursor, "head");
    if (head == NULL || strlen(head) >= sizeof(place->head) ||
        !json_int64(cursor, "offset", &place->offset) ||
        !json_int64(cursor, "head_length", &place->head_length) ||
        !json_int64(cursor, "inode", &place->inode) ||
        !json_int64(cursor, "device", &place->device) ||
        !json_int64(cursor, "first_at", &place->first_at) ||
        !json_int64(cursor, "since", &progress->since) ||
        !json_int64(cursor, "through", &progress->through) ||
        !json_int64(cursor, "lost_from", &progress->lost_from))
        return fail(err, REACT_STOP, "the spool's cursor of an audit log cannot be read");
    memcpy(place->head, head, strlen(head) + 1);
    if (!json_int64(cursor, "torn_from", &progress->torn_from)) // an older version's cursor
        progress->torn_from = TIMESTAMP_NONE;
    const char *vendor_cluster = json_text(cursor, "vendor_cluster");
    snprintf(progress->vendor_cluster, sizeof(progress->vendor_cluster), "%s",
             vendor_cluster ? vendor_cluster : "");
    audit_unknown_parse(cursor, &progress->gaps.unknown);
    return true;
}
