// One transaction from frames to committed rows: the table of contents of what the store does.

#include "store/batch.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "store/batch_log.h"
#include "store/batch_part.h"
#include "store/batch_transaction.h"
#include "store/belief.h"
#include "store/central.h"
#include "store/conflict.h"
#include "store/facts.h"
#include "store/mark.h"

// The server's own bound, for a statement that outlives our wait for it.
#define STATEMENT_TIMEOUT_MS 60000
#define CONFLICT_TRIES 5 // one is enough unless other stores write in between

// What one transaction works on.
struct batch {
    struct database *db;
    struct batch_part *parts;
    size_t count;
    const char *quarantine; // when set, every new event is stored as quarantined for this reason
    struct conflicts *conflicts; // of the last try
    bool has_conflicts;          // new ones were found; nothing was stored
    struct marks marks;
    struct batch_log log;
    struct facts facts;
    struct belief_round round; // zeroed while it is not open
    struct database_idle idle; // the caller's
    int64_t *repeats;          // of each part, how many of its first lines are stored already
    int64_t new_count;         // lines that are new
    int64_t first_index;       // of the batch's first new event
    int64_t next_index;
    int64_t recorded_at; // Unix microseconds, one for the whole batch; facts are cut to it (D26)
};

// The rules outlive the batch, so that the central file is read once and not per batch.
// What one database says cannot pass for another's: central_rules_read compares leaf hashes.
static struct central_rules central_rules;

// A line always takes its place in the log, usable or not; only its facts depend on what it says.
static bool store_line(struct batch *batch, const struct batch_part *part, int64_t index,
                       const struct part_line *line, struct error *err)
{
    struct batch_event event = {0};
    bool is_read = (size_t)index < part->read_count;
    if (is_read)
        event = part->read[index]; // may be needed again: what it points to stays the part's
    event.allowed = part->allowed;
    event.collector = part->collector;
    event.epoch = part->epoch;
    event.seq = part->first + index;
    event.line = line->bytes;
    event.length = line->length;
    event.log_index = batch->next_index++;
    event.recorded_at = batch->recorded_at;
    event.lag_us = part->lag_us;
    if (!is_read)
        batch_event_read(&event);
    if (batch->quarantine != NULL)
        batch_event_quarantine(&event, batch->quarantine);
    conflicts_apply(batch->conflicts, &event);
    facts_add(&batch->facts, &event);
    bool added = batch_log_add(&batch->log, &event, err);
    if (!is_read)
        batch_event_reset(&event);
    return added;
}

// Says how the part stands and moves its mark over the lines that are new; *repeats are before
// them.
static bool place_part(struct batch *batch, struct batch_part *part, int64_t *repeats,
                       struct error *err)
{
    struct mark *mark = marks_find(&batch->marks, part->collector, part->epoch);
    struct part_line line;
    size_t at = 0;
    if (!part_check(batch->db, part, mark, repeats, err))
        return false;
    // A part that is refused stops neither the others nor the batch: its collector is told, and
    // sends again or starts a new epoch.
    if (part->outcome != PART_STORED)
        *repeats = part->count; // nothing of it is taken
    for (int64_t i = 0; part_next_line(part, &at, &line); i++) {
        if (i < *repeats)
            continue;
        digest_chain(mark->chain, line.bytes, line.length, mark->chain);
        mark->seq = part->first + i;
        mark->moved = true;
        batch->new_count++;
    }
    if (mark->moved)
        // A later part of the same collector in this batch must see the epoch that this one began.
        marks_raise(&batch->marks, mark);
    part->acked = mark->seq;
    memcpy(part->acked_chain, mark->chain, DIGEST_BYTES);
    return true;
}

// Repeats were compared with what is stored and are passed over.
static bool store_lines(struct batch *batch, const struct batch_part *part, int64_t repeats,
                        struct error *err)
{
    struct part_line line;
    size_t at = 0;
    for (int64_t i = 0; part_next_line(part, &at, &line); i++) {
        if (i >= repeats && !store_line(batch, part, i, &line, err))
            return false;
    }
    return true;
}

// The bodies of the log first: they travel while the events are read.
static bool store_bodies(struct batch *batch, struct error *err)
{
    if (!batch_log_open(&batch->log, batch->db, batch->first_index,
                        batch->first_index + batch->new_count - 1, err))
        return false;
    for (size_t i = 0; i < batch->count; i++) {
        if (!store_lines(batch, &batch->parts[i], batch->repeats[i], err))
            return false;
    }
    return batch_log_close(&batch->log, err);
}

// Our own folding first, since the transaction waits for it; then what the caller has to do.
static bool fold_meanwhile(void *context)
{
    struct batch *batch = context;
    return belief_round_work(&batch->round) ||
           (batch->idle.work != NULL && batch->idle.work(batch->idle.context));
}

// While PostgreSQL takes these rows we fold.
static bool send_rows(struct batch *batch, struct error *err)
{
    batch->idle = database_set_idle(batch->db, (struct database_idle){fold_meanwhile, batch});
    bool sent =
        batch_log_send_events(&batch->log, err) && facts_send(&batch->facts, batch->db, err);
    database_set_idle(batch->db, batch->idle);
    return sent;
}

// Usually the first round holds all workloads, and what it needs is known before the facts are
// sent. Listings may yet touch others, and what the central file says is not in force yet.
static bool open_round(struct batch *batch, struct error *err)
{
    const struct facts *facts = &batch->facts;
    // In these cases everything waits for update_beliefs.
    if (facts->listing_count > 0 || facts->central_count > 0 || facts->touched.count == 0)
        return true;
    return belief_round_open(&batch->round, batch->db, &facts->touched, 0, &central_rules.rules,
                             batch->first_index, err);
}

// Requests that name no uid find their workloads in the tables.
static bool touch_by_requests(struct batch *batch, struct error *err)
{
    struct touched *touched = &batch->facts.touched;
    size_t known = touched->count;
    return belief_touch_requests(batch->db, &batch->facts, touched, err) &&
           belief_load_heads(batch->db, touched, known, err);
}

// New patterns may rename anything, so they fold everything anew in the transaction that brings
// them: no reader ever sees half of it renamed.
static bool update_beliefs(struct batch *batch, struct error *err)
{
    struct facts *facts = &batch->facts;
    int64_t patterns_since = central_rules.rules.log_index;
    if (facts->central_count > 0) {
        if (!central_rules_read(&central_rules, batch->db, err))
            return false;
        if (central_rules.rules.log_index != patterns_since)
            return belief_refold_all(batch->db, &central_rules.rules, 0, err);
    }
    size_t known = facts->touched.count;
    return belief_round_close(&batch->round, batch->db, err) &&
           belief_touch_listings(batch->db, facts, &facts->touched, err) &&
           belief_load_heads(batch->db, &facts->touched, known, err) &&
           belief_update(batch->db, &facts->touched, batch->round.jobs.count, &central_rules.rules,
                         batch->first_index, err);
}

// The order is given by what each needs: heads before conflicts, conflicts before facts are sent,
// facts before beliefs, and the marks at the end, over all of it.
static bool store_rows(struct batch *batch, struct error *err)
{
    struct touched *touched = &batch->facts.touched;
    // The rules are read before the batch's own central events are there.
    if (!store_bodies(batch, err) || !central_rules_read(&central_rules, batch->db, err) ||
        !belief_load_heads(batch->db, touched, 0, err))
        return false;
    // Before anything but bodies was sent, so that a batch that is tried again has lost little.
    batch->has_conflicts =
        conflicts_find(batch->conflicts, touched, batch->first_index, (size_t)batch->new_count);
    if (batch->has_conflicts)
        return fail(err, REACT_RETRY, "events claim uids of other namespaces");
    // Marks last: they say that all above is there.
    return touch_by_requests(batch, err) && open_round(batch, err) && send_rows(batch, err) &&
           update_beliefs(batch, err) && marks_write(batch->db, &batch->marks, err);
}

// Marks before anything else: they decide which lines are new, and the lock on them keeps another
// store from deciding the same at the same time.
static bool in_transaction(struct batch *batch, struct error *err)
{
    if (!marks_lock(batch->db, batch->parts, batch->count, &batch->marks, err) ||
        !batch_log_head(batch->db, &batch->first_index, &batch->recorded_at, err))
        return false;
    batch->next_index = ++batch->first_index;
    // Somebody else wrote since: these are other events, or the same at other places.
    if (batch->conflicts->first_index != batch->first_index)
        conflicts_reset(batch->conflicts);
    batch->repeats = xcalloc(batch->count, sizeof(*batch->repeats));
    for (size_t i = 0; i < batch->count; i++) {
        if (!place_part(batch, &batch->parts[i], &batch->repeats[i], err))
            return false;
    }
    return batch->new_count == 0 || store_rows(batch, err);
}

static void batch_reset(struct batch *batch)
{
    marks_reset(&batch->marks);
    free(batch->repeats);
    batch_log_reset(&batch->log);
    belief_round_reset(&batch->round);
    facts_reset(&batch->facts);
}

// One whole transaction. Nothing of it is remembered when it fails, except the conflicts, so it can
// be tried again as it is.
static bool attempt_once(struct database *db, struct batch_part *parts, size_t count,
                         const char *quarantine, struct conflicts *conflicts, bool *has_conflicts,
                         struct error *err)
{
    struct batch batch = {
        .db = db, .parts = parts, .count = count, .quarantine = quarantine, .conflicts = conflicts};
    bool done =
        batch_transaction_begin(db, STATEMENT_TIMEOUT_MS, err) && in_transaction(&batch, err);
    // Beyond this point a failure leaves the outcome open; the marks settle it when the caller
    // retries.
    done = done && batch_transaction_commit(db, err);
    if (!done)
        batch_transaction_abandon(db);
    *has_conflicts = batch.has_conflicts;
    batch_reset(&batch);
    return done;
}

// A conflict is found only when the batch is half way (D25); it rolls back and comes again with the
// events named. It can find new ones then only when another store wrote in between.
static bool attempt(struct database *db, struct batch_part *parts, size_t count,
                    const char *quarantine, struct error *err)
{
    struct conflicts conflicts = {0};
    bool again = true;
    bool done = false;
    for (int i = 0; again && i < CONFLICT_TRIES; i++)
        done = attempt_once(db, parts, count, quarantine, &conflicts, &again, err);
    conflicts_reset(&conflicts);
    return done;
}

// The part's lines from the given one on become a part of their own.
// Both halves keep their chain and their share of what was read ahead, so each is a part that could
// have come from the wire.
static struct batch_part split_off(struct batch_part *part, int64_t from)
{
    struct batch_part rest = *part;
    struct part_line line;
    size_t at = 0;
    for (int64_t i = 0; i < from && part_next_line(part, &at, &line); i++)
        digest_chain(rest.chain, line.bytes, line.length, rest.chain);
    rest.first += from;
    rest.count -= from;
    rest.lines += at;
    rest.length -= at;
    size_t kept = (size_t)from < part->read_count ? (size_t)from : part->read_count;
    rest.read += kept;
    rest.read_count -= kept;
    part->read_count = kept;
    part->count = from;
    part->length = at;
    return rest;
}

static bool store_or_bisect(struct database *db, struct batch_part *parts, size_t count,
                            unsigned depth, struct error *err);

// The outcome of the whole is that of its first half that was not stored, else of the second.
// The left half is committed before the right one is tried: what is stored stays stored when the
// right half has to wait for the database.
static bool bisect_part(struct database *db, struct batch_part *part, unsigned depth,
                        struct error *err)
{
    struct batch_part left = *part;
    struct batch_part right = split_off(&left, part->count / 2);
    if (!store_or_bisect(db, &left, 1, depth, err))
        return false;
    struct batch_part *last = &left;
    if (left.outcome == PART_STORED) {
        last = &right;
        if (!store_or_bisect(db, &right, 1, depth, err))
            return false;
    }
    part->outcome = last->outcome;
    part->acked = last->acked;
    memcpy(part->acked_chain, last->acked_chain, DIGEST_BYTES);
    memcpy(part->message, last->message, sizeof(part->message));
    return true;
}

// Content that PostgreSQL refuses although we took it: halves find the one event, which is then
// stored as quarantined. Depth is the logarithm of the batch's size, bounded anyway.
// One bad event among thousands is found in a dozen levels. All other reactions go to the caller: a
// lost connection says nothing about the content.
static bool store_or_bisect(struct database *db, struct batch_part *parts, size_t count,
                            unsigned depth, struct error *err)
{
    if (attempt(db, parts, count, NULL, err))
        return true;
    if (err->react != REACT_REJECT || depth == 0)
        return false;
    // Parts first, then lines: with many collectors in a batch the fault is of one of them.
    if (count > 1)
        return store_or_bisect(db, parts, count / 2, depth - 1, err) &&
               store_or_bisect(db, parts + count / 2, count - count / 2, depth - 1, err);
    if (parts[0].count > 1)
        return bisect_part(db, parts, depth - 1, err);
    // A single event that fails alone: it is its content.
    struct error reason = *err;
    log_line(LOG_ERROR, "event quarantined: the database refused it", "collector",
             parts[0].collector, "error", reason.text, NULL);
    // The event's bytes are stored all the same (bytea takes anything); only its data and facts,
    // which the server refused, are left out.
    return attempt(db, parts, 1, reason.text, err);
}

bool batch_store(struct database *db, struct batch_part *parts, size_t count, struct error *err)
{
    return count == 0 || store_or_bisect(db, parts, count, 64, err);
}
