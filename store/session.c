// The table of connected collectors: a plain array, since there are hundreds of them, not millions.

#include "store/session.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "common/text.h"
#include "common/timestamp.h"

// Microseconds. What a clock may be behind before its times are raised; frames that were long on
// their way look like it.
#define LAG_LEAST_US (60 * INT64_C(1000000))

static bool same_peer(const struct peer *left, const struct peer *right)
{
    return left->listener == right->listener && left->length == right->length &&
           memcmp(left->routing_id, right->routing_id, left->length) == 0;
}

struct session *session_find(struct session_table *table, const struct peer *peer)
{
    for (size_t i = 0; i < table->count; i++) {
        if (same_peer(&table->items[i].peer, peer))
            return &table->items[i];
    }
    return NULL;
}

// The last one moves into the gap: callers that drop while they walk go backwards.
static void drop_at(struct session_table *table, size_t index)
{
    table->items[index] = table->items[--table->count];
}

void session_end(struct session_table *table, const struct peer *peer)
{
    for (size_t i = 0; i < table->count; i++) {
        if (same_peer(&table->items[i].peer, peer)) {
            drop_at(table, i);
            return;
        }
    }
}

// One session a collector (R26): the newer hello wins, since the older connection may be one that
// is dead and not yet known to be.
struct session *session_begin(struct session_table *table, const struct peer *peer,
                              const char *collector)
{
    for (size_t i = table->count; i-- > 0;) {
        if (strcmp(table->items[i].collector, collector) == 0 ||
            same_peer(&table->items[i].peer, peer))
            drop_at(table, i);
    }
    table->items = xgrow(table->items, &table->capacity, table->count + 1, sizeof(*table->items));
    struct session *session = &table->items[table->count++];
    *session = (struct session){.peer = *peer};
    // It fits: names of the allow-list have at most NAME_MAX_BYTES.
    memcpy(session->collector, collector, strlen(collector) + 1);
    return session;
}

bool session_advance(struct session *session, const struct frame *data)
{
    uint8_t chain[DIGEST_BYTES];
    if (data->body == NULL) // nothing behind the header
        return false;
    memcpy(chain, data->chain, DIGEST_BYTES);
    const char *at = data->body;
    const char *end = data->body + data->body_length;
    for (int64_t i = 0; i < data->count; i++) {
        const char *newline = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        if (newline == NULL)
            return false;
        digest_chain(chain, at, (size_t)(newline - at), chain);
        at = newline + 1;
    }
    if (at != end)
        return false;
    session->received = data->seq + data->count - 1;
    memcpy(session->chain, chain, DIGEST_BYTES);
    return true;
}

// Two must say that the clock is behind, the database's and this machine's, since either may itself
// be the wrong one. The lag stays the same until it is another by far, so that the beginning of an
// observation is raised to the same instant each time.
int64_t session_lag(struct session *session, int64_t at)
{
    int64_t lag_us = timestamp_now() - at;
    if (session->database_ahead_us < 0)
        lag_us += session->database_ahead_us;
    if (at == 0 || lag_us < LAG_LEAST_US)
        lag_us = 0;
    if (lag_us == 0 || llabs(lag_us - session->lag_us) > LAG_LEAST_US)
        session->lag_us = lag_us;
    return session->lag_us;
}

size_t session_count_old(const struct session_table *table, const char *but_collector)
{
    size_t count = 0;
    for (size_t i = 0; i < table->count; i++)
        count += table->items[i].wire == 1 && !text_equal(table->items[i].collector, but_collector);
    return count;
}

void session_table_reset(struct session_table *table)
{
    free(table->items);
    *table = (struct session_table){0};
}
