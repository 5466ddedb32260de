// Between which events the clock was set, and by how much. The store measures how slow a
// collector's clock is by what it says when it sends; events of a clock that was set since are sent
// with what that clock would say.

#include "collector/clock.h"
#include "collector/spool_file.h"
#include "collector/spool_parts.h"

bool spool_clock_prepare(struct spool *spool, struct error *err)
{
    // All steps behind the event, and how many events there are before the first of them.
    return spool_file_prepare(spool->db,
                              "SELECT coalesce(sum(by_us), 0), coalesce(min(seq) - ?1, ?2)"
                              " FROM clock_set WHERE seq > ?1",
                              &spool->clock, err);
}

// Steps before the oldest event say nothing of any that is here, and are forgotten with it.
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

// The events of a clock keep it under their new numbers.
bool spool_clock_renumber(struct spool *spool, int64_t by, struct error *err)
{
    SCOPED(spool_statement_free) sqlite3_stmt *update = NULL;
    if (!spool_file_prepare(spool->db, "UPDATE clock_set SET seq = seq + ?1", &update, err))
        return false;
    sqlite3_bind_int64(update, 1, by);
    return spool_file_run(update, err);
}
