// Where the spool stood, and when, noted now and then. A store that went back says only which event
// it still has; the milestone says since when it may have lost something, which is where the gap
// begins.

#include "collector/clock.h"
#include "collector/spool_file.h"
#include "collector/spool_parts.h"
#include "common/timestamp.h"

#define MILESTONES "10000" // more than a year of them
#define MILESTONE_EVERY_MS (3600 * (int64_t)1000)

// Everything seen before `at` has a number up to `seq`: if a store still has that one, what it lost
// happened later.
bool spool_milestone_note(struct spool *spool, struct error *err)
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
    // In the state, so that a rollback takes this back as it does the row.
    spool->state.milestone_ms = now_ms;
    static const char forget_old[] =
        "DELETE FROM milestone WHERE seq <= (SELECT seq FROM milestone ORDER BY seq DESC"
        " LIMIT 1 OFFSET " MILESTONES ")";
    return spool_file_run(insert, err) && spool_file_execute(spool->db, forget_old, err);
}

// One that lies ahead was noted while the clock was fast: the one before it is earlier than needed,
// and true. Before the first, the birth of the spool; an epoch that was moved is none.
bool spool_milestone_find(struct spool *spool, int64_t seq, int64_t *at, struct error *err)
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
