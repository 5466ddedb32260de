// Which events claim a uid for a namespace that it does not belong to. Whose a uid is, the database
// says only after the batch was read; then the batch is tried again without those events, so that
// honest batches pay nothing for the check.

#include "store/conflict.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/memory.h"
#include "common/text.h"

// The list is made when it is needed, which is hardly ever.
static void refuse(struct conflicts *conflicts, int64_t log_index)
{
    size_t place = (size_t)(log_index - conflicts->first_index);
    if (conflicts->refused == NULL)
        conflicts->refused = xcalloc(conflicts->count, sizeof(*conflicts->refused));
    if (place < conflicts->count)
        conflicts->refused[place] = true;
}

// A request that came before anybody observed its uid stays a fact, whatever the batches were cut
// to; it is only never credited (touched_request_fits).
// Of a workload that the database does not know, the first observation in this batch settles the
// namespace, and only what came behind it can err.
static void find_of(struct conflicts *conflicts, const struct touched_workload *workload)
{
    bool is_known = workload->name != NULL;
    const struct touched_object *object = workload->object;
    if (!is_known && object == NULL)
        return;
    const char *namespace = is_known ? workload->namespace : object->namespace;
    // Requests before the first observation are let through, as they would be when it came a batch
    // later: how batches were cut must not change what is stored.
    int64_t since = is_known ? INT64_MIN : object->log_index;
    for (const struct touched_reading *r = workload->readings; r != NULL; r = r->next) {
        if (!text_equal(r->namespace, namespace))
            refuse(conflicts, r->reading.log_index);
    }
    for (const struct touched_request *r = workload->requests; r != NULL; r = r->next) {
        if (r->request.log_index > since && !touched_request_fits(r->namespace, namespace))
            refuse(conflicts, r->request.log_index);
    }
}

bool conflicts_find(struct conflicts *conflicts, const struct touched *touched, int64_t first_index,
                    size_t count)
{
    struct conflicts found = {.first_index = first_index, .count = count};
    for (size_t i = 0; i < touched->count; i++)
        find_of(&found, touched->items[i]);
    if (found.refused == NULL)
        return false;
    // Something new is found only when another store has written in between, and then the list of
    // before was dropped already (batch.c): it spoke of other log indexes.
    conflicts_reset(conflicts);
    *conflicts = found;
    return true;
}

// An empty list refuses nothing: every place lies behind its end.
void conflicts_apply(const struct conflicts *conflicts, struct batch_event *event)
{
    char reason[128];
    size_t place = (size_t)(event->log_index - conflicts->first_index);
    if (place >= conflicts->count || !conflicts->refused[place])
        return;
    const char *uid = json_text(event->data, "uid");
    snprintf(reason, sizeof(reason), "uid %.36s is a workload of another namespace",
             uid ? uid : "?");
    batch_event_quarantine(event, reason);
}

void conflicts_reset(struct conflicts *conflicts)
{
    free(conflicts->refused);
    *conflicts = (struct conflicts){0};
}
