// Events on disk: numbering, chain, bounds, acknowledgement. Each transaction works on a copy of
// the state that becomes the state by commit. Where events go from here is the publisher's
// business.

#include "collector/spool.h"

#include <stdlib.h>
#include <string.h>

#include "collector/clock.h"
#include "collector/spool_file.h"
#include "collector/spool_renumber.h"
#include "collector/spool_wal.h"
#include "common/event.h"
#include "common/text.h"
#include "common/timestamp.h"

#define TRIM_ROWS 4000        // deleted at once, so that a turn of the loop stays short
#define TRIM_SLACK_EVENTS 500 // deletions wait until they are worth a write
#define TRIM_SLACK_BYTES (1 << 20)
#define MILESTONES "10000" // more than a year of them
#define MILESTONE_EVERY_MS (3600 * (int64_t)1000)
#define GAPS 2 // events that a new epoch begins with
// The last millisecond of the year 9999. Epochs are read as times, so none lies behind it.
#define EPOCH_MAX INT64_C(253402300799999)
#define VACUUM_PAGES "256"
#define SPARE_PAGES 2048 // free pages that stay in the file
#define SAVE_EVERY_MS 1000

struct state {
    int64_t epoch;
    int64_t next_seq;
    uint8_t chain[DIGEST_BYTES];
    int64_t acked;
    int64_t base_seq;
    uint8_t base_chain[DIGEST_BYTES];
    int64_t total_bytes;   // lines on disk
    int64_t waiting_bytes; // of them, behind acked
    int64_t milestone_ms;  // by the monotonic clock; 0 = none yet
};

struct spool {
    sqlite3 *db;
    struct spool_wal wal;
    struct spool_options options;
    char *collector;
    char *cluster;
    struct state state;
    struct state before; // as of begin
    struct state marked; // as of mark
    bool dirty;
    bool marked_dirty;
    bool refused;        // something was taken back since spool_tend
    int64_t saved_acked; // as on disk
    int64_t saved_ms;
    struct buffer line;
    sqlite3_stmt *insert;
    sqlite3_stmt *read;
    sqlite3_stmt *chain_at;
    sqlite3_stmt *sum;
    sqlite3_stmt *lengths;
    sqlite3_stmt *remove;
    sqlite3_stmt *save;
    sqlite3_stmt *clock;
};

const char *spool_collector(const struct spool *spool)
{
    return spool->collector;
}

const char *spool_cluster(const struct spool *spool)
{
    return spool->cluster;
}

sqlite3 *spool_database(const struct spool *spool)
{
    return spool->db;
}

int64_t spool_epoch(const struct spool *spool)
{
    return spool->state.epoch;
}

int64_t spool_last(const struct spool *spool)
{
    return spool->state.next_seq - 1;
}

int64_t spool_acked(const struct spool *spool)
{
    return spool->state.acked;
}

int64_t spool_base(const struct spool *spool)
{
    return spool->state.base_seq;
}

int64_t spool_waiting_bytes(const struct spool *spool)
{
    return spool->state.waiting_bytes;
}

void spool_touch(struct spool *spool)
{
    spool->dirty = true;
}

static bool copy_chain(sqlite3_stmt *row, int column, uint8_t chain[DIGEST_BYTES])
{
    if (sqlite3_column_bytes(row, column) != DIGEST_BYTES)
        return false;
    memcpy(chain, sqlite3_column_blob(row, column), DIGEST_BYTES);
    return true;
}

static bool damaged(const struct spool *spool, const char *what, struct error *err)
{
    return fail(err, REACT_STOP,
                "spool %s is damaged: %s; hint: move it away, a new one begins with a full list",
                spool->options.path, what);
}

static bool prepare_statements(struct spool *spool, struct error *err)
{
    sqlite3 *db = spool->db;
    return spool_file_prepare(db, "INSERT INTO event (seq, chain, line) VALUES (?1, ?2, ?3)",
                              &spool->insert, err) &&
           spool_file_prepare(db, "SELECT seq, line FROM event WHERE seq >= ?1 ORDER BY seq",
                              &spool->read, err) &&
           spool_file_prepare(db, "SELECT chain FROM event WHERE seq = ?1", &spool->chain_at,
                              err) &&
           spool_file_prepare(db,
                              "SELECT coalesce(sum(length(line)), 0), count(*) FROM event"
                              " WHERE seq > ?1 AND seq <= ?2",
                              &spool->sum, err) &&
           spool_file_prepare(db,
                              "SELECT seq, length(line), chain FROM event ORDER BY seq LIMIT ?1",
                              &spool->lengths, err) &&
           spool_file_prepare(db, "DELETE FROM event WHERE seq <= ?1", &spool->remove, err) &&
           spool_file_prepare(db,
                              "INSERT OR REPLACE INTO spool VALUES"
                              " (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                              &spool->save, err) &&
           spool_file_prepare(db,
                              "SELECT coalesce(sum(by_us), 0), coalesce(min(seq) - ?1, ?2)"
                              " FROM clock_set WHERE seq > ?1",
                              &spool->clock, err);
}

// The state goes with every transaction that wrote something, so that file and numbers never
// differ.
static bool save_state(struct spool *spool, struct error *err)
{
    const struct state *state = &spool->state;
    sqlite3_stmt *save = spool->save;
    sqlite3_bind_text(save, 1, spool->collector, -1, SQLITE_STATIC);
    sqlite3_bind_text(save, 2, spool->cluster, -1, SQLITE_STATIC);
    sqlite3_bind_int64(save, 3, state->epoch);
    sqlite3_bind_int64(save, 4, state->next_seq);
    sqlite3_bind_blob(save, 5, state->chain, DIGEST_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(save, 6, state->acked);
    sqlite3_bind_int64(save, 7, state->base_seq);
    sqlite3_bind_blob(save, 8, state->base_chain, DIGEST_BYTES, SQLITE_STATIC);
    return spool_file_run(save, err);
}

// Two collectors on one spool would send each other's events under a wrong name.
static bool check_owner(const struct spool *spool, const char *what, const char *found,
                        const char *wanted, struct error *err)
{
    if (text_equal(found, wanted))
        return true;
    return fail(
        err, REACT_STOP,
        "spool %s belongs to %s '%.64s', not to '%.64s'; hint: give each its own spool file",
        spool->options.path, what, found ? found : "", wanted);
}

static bool load_state(struct spool *spool, sqlite3_stmt *row, struct error *err)
{
    struct state *state = &spool->state;
    if (!check_owner(spool, "collector", (const char *)sqlite3_column_text(row, 0),
                     spool->collector, err) ||
        !check_owner(spool, "cluster", (const char *)sqlite3_column_text(row, 1), spool->cluster,
                     err))
        return false;
    state->epoch = sqlite3_column_int64(row, 2);
    state->next_seq = sqlite3_column_int64(row, 3);
    state->acked = sqlite3_column_int64(row, 5);
    state->base_seq = sqlite3_column_int64(row, 6);
    spool->saved_acked = state->acked;
    if (!copy_chain(row, 4, state->chain) || !copy_chain(row, 7, state->base_chain))
        return damaged(spool, "its state is unreadable", err);
    return true;
}

// A new file is a new epoch, named by the time of its birth.
static bool read_or_create_state(struct spool *spool, struct error *err)
{
    SCOPED(spool_statement_free) sqlite3_stmt *select = NULL;
    bool row;
    if (!spool_file_prepare(spool->db,
                            "SELECT collector, cluster, epoch, next_seq, chain, acked, base_seq,"
                            " base_chain FROM spool",
                            &select, err) ||
        !spool_file_row(select, &row, err))
        return false;
    if (row)
        return load_state(spool, select, err);
    spool->state = (struct state){.epoch = clock_now() / 1000, .next_seq = 1};
    return save_state(spool, err);
}

static bool sum_lengths(struct spool *spool, int64_t above, int64_t to, int64_t *bytes,
                        int64_t *count, struct error *err)
{
    SCOPED(spool_statement_reset) sqlite3_stmt *sum = spool->sum;
    sqlite3_bind_int64(sum, 1, above);
    sqlite3_bind_int64(sum, 2, to);
    bool row;
    if (!spool_file_row(sum, &row, err))
        return false;
    *bytes = sqlite3_column_int64(sum, 0);
    *count = sqlite3_column_int64(sum, 1);
    return true;
}

// A file that lost or gained rows must not be sent from: the store would see a gap or a fork.
static bool check_rows(struct spool *spool, struct error *err)
{
    struct state *state = &spool->state;
    int64_t last = state->next_seq - 1;
    int64_t count;
    if (!sum_lengths(spool, state->base_seq, last, &state->total_bytes, &count, err) ||
        count != last - state->base_seq)
        return damaged(spool, "events are missing", err);
    int64_t acked_count;
    int64_t acked_bytes;
    if (!sum_lengths(spool, state->base_seq, state->acked, &acked_bytes, &acked_count, err))
        return false;
    state->waiting_bytes = state->total_bytes - acked_bytes;
    uint8_t chain[DIGEST_BYTES];
    bool known;
    if (!spool_chain_at(spool, last, chain, &known, err))
        return false;
    if (!known || memcmp(chain, state->chain, DIGEST_BYTES) != 0)
        return damaged(spool, "its chain does not end where it should", err);
    return true;
}

bool spool_open(const struct spool_options *options, struct spool **out, struct error *err)
{
    SCOPED(spool_close) struct spool *spool = xcalloc(1, sizeof(*spool));
    spool->options = *options;
    spool->options.path = xstrdup(options->path);
    spool->collector = xstrdup(options->collector);
    spool->cluster = xstrdup(options->cluster);
    if (!spool_file_open(options->path, &spool->db, err) ||
        !spool_wal_open(&spool->wal, spool->db, err) || !prepare_statements(spool, err) ||
        !read_or_create_state(spool, err) || !check_rows(spool, err))
        return false;
    *out = spool;
    spool = NULL;
    return true;
}

void spool_close(struct spool *spool)
{
    if (spool == NULL)
        return;
    sqlite3_stmt *statements[] = {spool->insert,  spool->read,   spool->chain_at, spool->sum,
                                  spool->lengths, spool->remove, spool->save,     spool->clock};
    for (size_t i = 0; i < sizeof(statements) / sizeof(*statements); i++)
        sqlite3_finalize(statements[i]);
    spool_wal_close(&spool->wal);
    spool_file_close(spool->db);
    buffer_reset(&spool->line);
    xfree_char(spool->collector);
    xfree_char(spool->cluster);
    free((void *)(uintptr_t)spool->options.path);
    free(spool);
}

bool spool_begin(struct spool *spool, struct error *err)
{
    spool->before = spool->state;
    spool->dirty = false;
    return spool_file_execute(spool->db, "BEGIN", err);
}

void spool_rollback(struct spool *spool)
{
    // SQLite may have rolled back by itself; an error of this ROLLBACK says just that.
    sqlite3_exec(spool->db, "ROLLBACK", NULL, NULL, NULL);
    spool->state = spool->before;
    spool->dirty = false;
    spool->refused = true;
}

// Everything seen before `at` has a number up to `seq`: if a store still has that one, what it lost
// happened later.
static bool note_milestone(struct spool *spool, struct error *err)
{
    int64_t now_ms = monotonic_ms();
    if (spool->state.milestone_ms != 0 && now_ms - spool->state.milestone_ms < MILESTONE_EVERY_MS)
        return true;
    SCOPED(spool_statement_free) sqlite3_stmt *insert = NULL;
    if (!spool_file_prepare(spool->db, "INSERT OR IGNORE INTO milestone VALUES (?1, ?2)", &insert,
                            err))
        return false;
    sqlite3_bind_int64(insert, 1, spool->state.next_seq - 1);
    sqlite3_bind_int64(insert, 2, clock_now());
    spool->state.milestone_ms = now_ms;
    static const char forget_old[] =
        "DELETE FROM milestone WHERE seq <= (SELECT seq FROM milestone ORDER BY seq DESC"
        " LIMIT 1 OFFSET " MILESTONES ")";
    return spool_file_run(insert, err) && spool_file_execute(spool->db, forget_old, err);
}

bool spool_commit(struct spool *spool, struct error *err)
{
    bool done = !spool->dirty || (note_milestone(spool, err) && save_state(spool, err) &&
                                  spool_wal_reserve(&spool->wal, err));
    if (!done || !spool_file_execute(spool->db, "COMMIT", err)) {
        spool_rollback(spool);
        return false;
    }
    if (spool->dirty) {
        spool->saved_acked = spool->state.acked;
        spool->saved_ms = monotonic_ms();
    }
    spool->dirty = false;
    return true;
}

bool spool_savepoint(struct spool *spool, struct error *err)
{
    spool->marked = spool->state;
    spool->marked_dirty = spool->dirty;
    return spool_file_execute(spool->db, "SAVEPOINT step", err);
}

bool spool_release(struct spool *spool, struct error *err)
{
    return spool_file_execute(spool->db, "RELEASE step", err);
}

bool spool_take_back(struct spool *spool, struct error *err)
{
    spool->state = spool->marked;
    spool->dirty = spool->marked_dirty;
    spool->refused = true;
    // On a full disk SQLite may have given up the whole transaction already.
    if (sqlite3_get_autocommit(spool->db))
        return fail(err, REACT_RETRY, "spool %s lost its transaction", spool->options.path);
    return spool_file_execute(spool->db, "ROLLBACK TO step; RELEASE step", err);
}

bool spool_clock_set(struct spool *spool, int64_t by_us, struct error *err)
{
    SCOPED(spool_statement_free) sqlite3_stmt *insert = NULL;
    SCOPED(spool_statement_free) sqlite3_stmt *forget = NULL;
    if (!spool_file_prepare(spool->db, "INSERT INTO clock_set VALUES (?1, ?2)", &insert, err) ||
        !spool_file_prepare(spool->db, "DELETE FROM clock_set WHERE seq <= ?1", &forget, err))
        return false;
    sqlite3_bind_int64(insert, 1, spool->state.next_seq);
    sqlite3_bind_int64(insert, 2, by_us);
    sqlite3_bind_int64(forget, 1, spool->state.base_seq);
    spool->dirty = true;
    return spool_file_run(forget, err) && spool_file_run(insert, err);
}

bool spool_clock_of(struct spool *spool, int64_t first, int64_t most, int64_t *now, int64_t *count,
                    struct error *err)
{
    SCOPED(spool_statement_reset) sqlite3_stmt *clock = spool->clock;
    bool row;
    sqlite3_bind_int64(clock, 1, first);
    sqlite3_bind_int64(clock, 2, most);
    if (!spool_file_row(clock, &row, err))
        return false;
    *now = clock_now() - sqlite3_column_int64(clock, 0);
    *count = sqlite3_column_int64(clock, 1);
    if (*count > most)
        *count = most;
    return true;
}

// Deletes up to `rows` of the oldest acknowledged events, as long as more than keep_events and
// keep_bytes of them stay.
static bool delete_acked(struct spool *spool, int64_t rows, int64_t keep_events, int64_t keep_bytes,
                         struct error *err)
{
    SCOPED(spool_statement_reset) sqlite3_stmt *lengths = spool->lengths;
    struct state *state = &spool->state;
    int64_t from = state->base_seq;
    sqlite3_bind_int64(lengths, 1, rows);
    for (;;) {
        bool row;
        if (!spool_file_row(lengths, &row, err))
            return false;
        bool keeps = state->acked - state->base_seq <= keep_events &&
                     state->total_bytes - state->waiting_bytes <= keep_bytes;
        if (!row || keeps || sqlite3_column_int64(lengths, 0) > state->acked)
            break;
        state->base_seq = sqlite3_column_int64(lengths, 0);
        state->total_bytes -= sqlite3_column_int64(lengths, 1);
        if (!copy_chain(lengths, 2, state->base_chain))
            return damaged(spool, "an event has no chain", err);
    }
    if (state->base_seq == from)
        return true;
    sqlite3_reset(lengths);
    spool->dirty = true;
    sqlite3_bind_int64(spool->remove, 1, state->base_seq);
    return spool_file_run(spool->remove, err);
}

bool spool_wants_save(const struct spool *spool)
{
    return spool->state.acked != spool->saved_acked &&
           monotonic_ms() - spool->saved_ms >= SAVE_EVERY_MS;
}

bool spool_wants_trim(const struct spool *spool)
{
    const struct state *state = &spool->state;
    return state->acked - state->base_seq > spool->options.retain_events + TRIM_SLACK_EVENTS ||
           state->total_bytes - state->waiting_bytes >
               spool->options.retain_bytes + TRIM_SLACK_BYTES;
}

// Gives room back to the file system once a backlog is gone; before that it would be taken again at
// once.
static bool shrink_file(struct spool *spool, struct error *err)
{
    SCOPED(spool_statement_free) sqlite3_stmt *free_pages = NULL;
    bool row;
    if (!spool_file_prepare(spool->db, "PRAGMA freelist_count", &free_pages, err) ||
        !spool_file_row(free_pages, &row, err))
        return false;
    bool is_much = row && sqlite3_column_int64(free_pages, 0) > SPARE_PAGES;
    sqlite3_reset(free_pages);
    return !is_much ||
           spool_file_execute(spool->db, "PRAGMA incremental_vacuum(" VACUUM_PAGES ")", err);
}

bool spool_trim(struct spool *spool, struct error *err)
{
    return delete_acked(spool, TRIM_ROWS, spool->options.retain_events, spool->options.retain_bytes,
                        err) &&
           (spool->state.waiting_bytes > 0 || shrink_file(spool, err));
}

// One transaction of up to `rows` deletions that leaves half of what is acknowledged.
static bool delete_half(struct spool *spool, int64_t rows, struct error *err)
{
    if (!spool_begin(spool, err))
        return false;
    int64_t keep_bytes = (spool->state.total_bytes - spool->state.waiting_bytes) / 2;
    if (delete_acked(spool, rows, INT64_MAX, keep_bytes, err))
        return spool_commit(spool, err);
    spool_rollback(spool);
    return false;
}

// The disk was full, or we think so. The fewer events, the less the log must take for them.
static bool make_way(struct spool *spool, struct error *err)
{
    bool done = false;
    for (int64_t rows = TRIM_ROWS; !done && rows > 0; rows /= 16) {
        done = delete_half(spool, rows, err);
        if (!done && err->react != REACT_RETRY)
            return false;
    }
    return true;
}

bool spool_write_back(struct spool *spool, struct error *err)
{
    return spool_wal_write_back(&spool->wal, err);
}

bool spool_tend(struct spool *spool, struct error *err)
{
    bool refused = spool->refused;
    if (!refused && !spool_wal_is_long(&spool->wal))
        return true;
    if (!spool_wal_write_back(&spool->wal, err) && err->react != REACT_RETRY)
        return false;
    bool tended = !refused || make_way(spool, err);
    spool->refused = false;
    return tended;
}

// Acknowledged events are kept for rare days only: they make room before anything has to wait.
static bool make_room(struct spool *spool, size_t length, struct error *err)
{
    struct state *state = &spool->state;
    int64_t needed = (int64_t)length;
    while (state->total_bytes + needed > spool->options.max_bytes) {
        int64_t before = state->base_seq;
        int64_t spare = spool->options.max_bytes - state->waiting_bytes - needed;
        if (!delete_acked(spool, TRIM_ROWS, INT64_MAX, spare > 0 ? spare / 2 : 0, err))
            return false;
        if (state->base_seq == before)
            return fail(err, REACT_RETRY,
                        "spool %s is full: %lld bytes wait for the store; hint: bring the store "
                        "back, or raise spool_max_bytes",
                        spool->options.path, (long long)state->waiting_bytes);
    }
    return true;
}

// The number, the chain and the line are one row: none can be there without the others.
static bool insert_line(struct spool *spool, struct error *err)
{
    struct state *state = &spool->state;
    uint8_t chain[DIGEST_BYTES];
    digest_chain(state->chain, spool->line.data, spool->line.length, chain);
    sqlite3_bind_int64(spool->insert, 1, state->next_seq);
    sqlite3_bind_blob(spool->insert, 2, chain, DIGEST_BYTES, SQLITE_STATIC);
    sqlite3_bind_blob64(spool->insert, 3, spool->line.data, spool->line.length, SQLITE_STATIC);
    if (!spool_file_run(spool->insert, err))
        return false;
    memcpy(state->chain, chain, DIGEST_BYTES);
    state->next_seq++;
    state->total_bytes += (int64_t)spool->line.length;
    state->waiting_bytes += (int64_t)spool->line.length;
    spool->dirty = true;
    return true;
}

bool spool_append(struct spool *spool, const char *type, const char *subject, int64_t time,
                  const char *data, size_t length, struct error *err)
{
    struct event_head head = {.collector = spool->collector,
                              .epoch = spool->state.epoch,
                              .seq = spool->state.next_seq,
                              .type = type,
                              .cluster = spool->cluster,
                              .subject = subject,
                              .time = time};
    buffer_clear(&spool->line);
    event_write(&spool->line, &head, data, length);
    if (spool->line.length > EVENT_MAX_BYTES)
        return fail(err, REACT_REJECT, "event of %zu bytes is larger than %d", spool->line.length,
                    EVENT_MAX_BYTES);
    return make_room(spool, spool->line.length, err) && insert_line(spool, err);
}

bool spool_chain_at(struct spool *spool, int64_t seq, uint8_t chain[DIGEST_BYTES], bool *known,
                    struct error *err)
{
    *known = seq == spool->state.base_seq;
    if (*known) {
        memcpy(chain, spool->state.base_chain, DIGEST_BYTES);
        return true;
    }
    SCOPED(spool_statement_reset) sqlite3_stmt *select = spool->chain_at;
    sqlite3_bind_int64(select, 1, seq);
    if (!spool_file_row(select, known, err))
        return false;
    if (*known && !copy_chain(select, 0, chain))
        return damaged(spool, "an event has no chain", err);
    return true;
}

bool spool_read(struct spool *spool, int64_t first, int64_t max_events, size_t max_bytes,
                struct buffer *out, int64_t *count, struct error *err)
{
    SCOPED(spool_statement_reset) sqlite3_stmt *read = spool->read;
    sqlite3_bind_int64(read, 1, first);
    size_t start = out->length;
    *count = 0;
    while (*count < max_events) {
        bool row;
        if (!spool_file_row(read, &row, err))
            return false;
        if (!row)
            break;
        if (sqlite3_column_int64(read, 0) != first + *count)
            return damaged(spool, "an event is missing", err);
        size_t length = (size_t)sqlite3_column_bytes(read, 1);
        if (*count > 0 && out->length - start + length + 1 > max_bytes)
            break;
        buffer_append(out, sqlite3_column_blob(read, 1), length);
        buffer_append_char(out, '\n');
        ++*count;
    }
    return true;
}

bool spool_acknowledge(struct spool *spool, int64_t acked, struct error *err)
{
    struct state *state = &spool->state;
    bool forward = acked >= state->acked;
    int64_t bytes;
    int64_t count;
    if (!sum_lengths(spool, forward ? state->acked : acked, forward ? acked : state->acked, &bytes,
                     &count, err))
        return false;
    state->waiting_bytes += forward ? -bytes : bytes;
    state->acked = acked;
    return true;
}

// The latest time before which nothing was lost by a store that still has `seq`. One that lies
// ahead was noted while the clock was fast: the one before it is earlier than needed, and true.
// Before the first, the birth of the spool; an epoch that was moved is none.
static bool read_milestone(struct spool *spool, int64_t seq, int64_t *at, struct error *err)
{
    SCOPED(spool_statement_free) sqlite3_stmt *select = NULL;
    if (!spool_file_prepare(spool->db,
                            "SELECT coalesce((SELECT at FROM milestone WHERE seq <= ?1 AND at <= ?2"
                            " ORDER BY seq DESC LIMIT 1),"
                            " (SELECT min(at, ?2, ?3) FROM milestone ORDER BY seq LIMIT 1), ?3)",
                            &select, err))
        return false;
    sqlite3_bind_int64(select, 1, seq);
    sqlite3_bind_int64(select, 2, clock_now());
    sqlite3_bind_int64(select, 3, spool->state.epoch * 1000);
    bool row;
    if (!spool_file_row(select, &row, err))
        return false;
    *at = sqlite3_column_int64(select, 0);
    return true;
}

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
// an epoch before one that is known.
static bool begin_epoch(struct spool *spool, int64_t above, struct error *err)
{
    static const char aside[] =
        "ALTER TABLE event RENAME TO old_event;"
        "CREATE TABLE event (seq INTEGER PRIMARY KEY, chain BLOB NOT NULL, line BLOB NOT NULL);"
        "DELETE FROM milestone;";
    int64_t epoch = clock_now() / 1000;
    if (epoch <= above)
        epoch = above + 1;
    spool->state = (struct state){.epoch = epoch, .next_seq = 1};
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
        if (!spool_renumber(spool->collector, spool->cluster, spool->state.epoch,
                            spool->state.next_seq, sqlite3_column_blob(old, 0),
                            (size_t)sqlite3_column_bytes(old, 0), &spool->line, err) ||
            !insert_line(spool, err))
            return false;
    }
    sqlite3_reset(old);
    return spool_file_execute(spool->db, "DROP TABLE old_event", err);
}

// The events of a clock keep it under their new numbers.
static bool move_clock_steps(struct spool *spool, int64_t by, struct error *err)
{
    SCOPED(spool_statement_free) sqlite3_stmt *update = NULL;
    if (!spool_file_prepare(spool->db, "UPDATE clock_set SET seq = seq + ?1", &update, err))
        return false;
    sqlite3_bind_int64(update, 1, by);
    return spool_file_run(update, err);
}

// Behind a gap of either aspect, and with everything read anew.
static bool rewrite_events(struct spool *spool, int64_t gap_from, struct error *err)
{
    int64_t now = clock_now();
    int64_t base = spool->state.base_seq;
    return begin_epoch(spool, spool->state.epoch, err) &&
           move_clock_steps(spool, GAPS - base, err) &&
           spool_file_execute(spool->db, "DELETE FROM cursor; DELETE FROM known", err) &&
           append_gap(spool, "state", gap_from, now, err) &&
           append_gap(spool, "actor", gap_from, now, err) && bring_back_events(spool, err);
}

bool spool_may_move(const struct spool *spool, int64_t newest)
{
    const struct state *state = &spool->state;
    return state->acked == 0 && state->base_seq == 0 && newest >= state->epoch &&
           newest < EPOCH_MAX;
}

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

bool spool_new_epoch(struct spool *spool, int64_t store_acked, struct error *err)
{
    int64_t gap_from;
    if (!read_milestone(spool, store_acked, &gap_from, err) || !spool_begin(spool, err))
        return false;
    spool->dirty = true;
    if (!rewrite_events(spool, gap_from, err)) {
        spool_rollback(spool);
        return fail_in(err, "cannot begin a new epoch");
    }
    return spool_commit(spool, err);
}
