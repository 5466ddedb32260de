// Who is turned away, in a control table (docs/rules.md 28). The log line (refusal_log.c) is for
// the store's operator; this is for whoever asks why a scope is not covered.

#include "store/refusal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "common/text.h"
#include "common/timestamp.h"

#define WRITE_EVERY_MS 10000

struct refusal {
    char collector[NAME_MAX_BYTES + 1];
    enum nack_reason reason; // as written
    int64_t written_ms;
    int64_t unwritten; // since then
};

// A gap is mended by the next hello, and a store that drains by another store.
static bool is_lasting(enum nack_reason reason)
{
    return reason == NACK_FORK || reason == NACK_NOT_ALLOWED || reason == NACK_TOO_LARGE;
}

// As many as the allow-list has names.
static struct refusal *find(struct refusals *refusals, const char *collector)
{
    for (size_t i = 0; i < refusals->count; i++) {
        if (strcmp(refusals->items[i].collector, collector) == 0)
            return &refusals->items[i];
    }
    refusals->items =
        xgrow(refusals->items, &refusals->capacity, refusals->count + 1, sizeof(*refusals->items));
    struct refusal *refusal = &refusals->items[refusals->count++];
    *refusal = (struct refusal){.written_ms = INT64_MIN};
    snprintf(refusal->collector, sizeof(refusal->collector), "%s", collector);
    return refusal;
}

// Another reason is news.
static bool is_due(const struct refusal *refusal, enum nack_reason reason, int64_t now_ms)
{
    return refusal->written_ms == INT64_MIN || refusal->reason != reason ||
           now_ms - refusal->written_ms >= WRITE_EVERY_MS;
}

// A collector that was heard after its last refusal, and then not refused for three minutes, was
// well meanwhile: what comes now begins anew.
#define WAS_WELL                                                                                   \
    "(r.last_at < now() - interval '3 minutes' AND EXISTS (SELECT FROM modeltrail.mark m"          \
    " WHERE m.log = r.log AND m.collector = r.collector AND m.seen_at > r.last_at))"
static const char upsert_sql[] =
    "INSERT INTO modeltrail.refusal AS r"
    " (collector, kind, reason, epoch, first_at, last_at, count)"
    " VALUES ($1::text, $2::text, $3::text, $4::bigint, now(), now(), $5::bigint)"
    " ON CONFLICT (log, collector) DO UPDATE SET"
    " kind = excluded.kind, reason = excluded.reason, epoch = excluded.epoch,"
    " last_at = excluded.last_at,"
    " first_at = CASE WHEN " WAS_WELL " THEN excluded.first_at ELSE r.first_at END,"
    " count = CASE WHEN " WAS_WELL " THEN 0 ELSE r.count END + excluded.count";

bool refusal_note(struct refusals *refusals, struct database *db, const char *collector,
                  enum nack_reason reason, int64_t epoch, const char *message, struct error *err)
{
    if (!is_lasting(reason))
        return true;
    struct refusal *refusal = find(refusals, collector);
    int64_t now_ms = monotonic_ms();
    refusal->unwritten++;
    if (!is_due(refusal, reason, now_ms))
        return true;
    char epoch_text[24];
    char count[24];
    snprintf(epoch_text, sizeof(epoch_text), "%" PRId64, epoch);
    snprintf(count, sizeof(count), "%" PRId64, refusal->unwritten);
    const char *params[] = {collector, nack_reason_name(reason),
                            text_is_utf8(message, strlen(message)) ? message : "",
                            epoch != 0 ? epoch_text : NULL, count};
    if (!database_query(db, upsert_sql, 5, params, NULL, err))
        return fail_in(err, "refusal of %s", collector);
    refusal->reason = reason;
    refusal->written_ms = now_ms;
    refusal->unwritten = 0;
    return true;
}

void refusals_reset(struct refusals *refusals)
{
    free(refusals->items);
    *refusals = (struct refusals){0};
}
