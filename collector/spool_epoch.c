// A new epoch: the events that are here get new numbers in it, behind a gap if a store has lost
// some that are not. Each change is one transaction, so that a crash leaves the old epoch or the
// new one whole.

#include <string.h>

#include "collector/clock.h"
#include "collector/spool_file.h"
#include "collector/spool_parts.h"
#include "collector/spool_renumber.h"
#include "common/event.h"
#include "common/timestamp.h"

#define GAPS 2 // events that a new epoch begins with
// The last millisecond of the year 9999. Epochs are read as times, so none lies behind it.
#define EPOCH_MAX INT64_C(253402300799999)

// What was lost is not known, so the gap is of everything this collector may speak for.
static bool append_gap(struct spool *spool, const char *aspect, int64_t from, int64_t to,
                       struct error *err)
{
    char from_text[TIMESTAMP_TEXT];
    char to_text[TIMESTAMP_TEXT];
    timestamp_format(from, from_text);
    timestamp_format(to, to_text);
    SCOPED_BUFFER data = {0};
    buffer_append_text(&data, "{\"cluster\":");
    buffer_append_json_string(&data, spool->cluster, strlen(spool->cluster));
    buffer_printf(&data,
                  ",\"aspect\":\"%s\",\"namespace\":null,\"resource\":null,\"from\":\"%s\","
                  "\"to\":\"%s\",\"reason\":\"the store lost events that this collector no longer "
                  "had\"}",
                  aspect, from_text, to_text);
    return spool_append(spool, TYPE_SCOPE_GAP, NULL, from, data.data, data.length, err);
}

// The kept events move aside: the epoch is empty after it. A clock that was set back must not name
// an epoch before one that is known. Milestones speak of the old numbers.
static bool begin_epoch(struct spool *spool, int64_t above, struct error *err)
{
    static const char aside[] =
        "ALTER TABLE event RENAME TO old_event;"
        "CREATE TABLE event (seq INTEGER PRIMARY KEY, chain BLOB NOT NULL, line BLOB NOT NULL);"
        "DELETE FROM milestone;";
    int64_t epoch = clock_now() / 1000;
    if (epoch <= above)
        epoch = above + 1;
    spool->state = (struct spool_state){.epoch = epoch, .next_seq = 1};
    return spool_file_execute(spool->db, aside, err);
}

// They come back behind what the new epoch has begun with, under its numbers.
static bool bring_back_events(struct spool *spool, struct error *err)
{
    SCOPED(spool_statement_free) sqlite3_stmt *old = NULL;
    if (!spool_file_prepare(spool->db, "SELECT line FROM old_event ORDER BY seq", &old, err))
        return false;
    for (;;) {
        bool row;
        if (!spool_file_row(old, &row, err))
            return false;
        if (!row)
            break;
        // No room is asked for: these lines were within the bound before, and as nothing of the new
        // epoch is acknowledged, none could be made.
        if (!spool_renumber(spool->collector, spool->cluster, spool->state.epoch,
                            spool->state.next_seq, sqlite3_column_blob(old, 0),
                            (size_t)sqlite3_column_bytes(old, 0), &spool->line, err) ||
            !spool_event_insert(spool, err))
            return false;
    }
    sqlite3_reset(old); // a table that is being read cannot be dropped
    return spool_file_execute(spool->db, "DROP TABLE old_event", err);
}

// Behind a gap of either aspect, and with everything read anew: without cursors and known objects
// the sources begin as if nothing had ever been seen.
static bool rewrite_events(struct spool *spool, int64_t gap_from, struct error *err)
{
    int64_t now = clock_now();
    int64_t base = spool->state.base_seq;
    return begin_epoch(spool, spool->state.epoch, err) &&
           spool_clock_renumber(spool, GAPS - base, err) &&
           spool_file_execute(spool->db, "DELETE FROM cursor; DELETE FROM known", err) &&
           append_gap(spool, "state", gap_from, now, err) &&
           append_gap(spool, "actor", gap_from, now, err) && bring_back_events(spool, err);
}

// An epoch of which something is stored must not be renamed: the store would hold it twice.
bool spool_may_move(const struct spool *spool, int64_t newest)
{
    const struct spool_state *state = &spool->state;
    return state->acked == 0 && state->base_seq == 0 && newest >= state->epoch &&
           newest < EPOCH_MAX;
}

// Nothing was deleted from it and nothing stands before its events, so numbers and steps of the
// clock stay; only the epoch in each line is another.
bool spool_move_epoch(struct spool *spool, int64_t newest, struct error *err)
{
    if (!spool_begin(spool, err))
        return false;
    spool->dirty = true;
    if (!begin_epoch(spool, newest, err) || !bring_back_events(spool, err)) {
        spool_rollback(spool);
        return fail_in(err, "cannot move to a later epoch");
    }
    return spool_commit(spool, err);
}

// The milestone is looked for first: the old numbers, which it goes by, end with their epoch.
bool spool_new_epoch(struct spool *spool, int64_t store_acked, struct error *err)
{
    int64_t gap_from;
    if (!spool_milestone_find(spool, store_acked, &gap_from, err) || !spool_begin(spool, err))
        return false;
    spool->dirty = true;
    if (!rewrite_events(spool, gap_from, err)) {
        spool_rollback(spool);
        return fail_in(err, "cannot begin a new epoch");
    }
    return spool_commit(spool, err);
}
