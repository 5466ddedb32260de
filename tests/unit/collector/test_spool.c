// The spool: numbering and chain, what a commit keeps and a rollback does not, bounds, owners,
// damage, and the new epoch after a store that lost events.

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector/spool.h"
#include "collector/spool_outbox.h"
#include "common/event.h"
#include "common/json.h"
#include "common/timestamp.h"

#define DATA "{\"n\":1}"

static char folder[64];
static char path[96];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/modeltrail-spool-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/spool.db", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < 4; i++) {
        char name[128];
        snprintf(name, sizeof(name), "%s%s", path, endings[i]);
        unlink(name);
    }
    return rmdir(folder);
}

static struct spool_options options(void)
{
    return (struct spool_options){.path = path,
                                  .collector = "eu-1",
                                  .cluster = "c1",
                                  .max_bytes = 1 << 20,
                                  .retain_events = 10,
                                  .retain_bytes = 1 << 20};
}

static struct spool *open_with(struct spool_options wanted)
{
    struct spool *spool = NULL;
    struct error err = {0};
    if (!spool_open(&wanted, &spool, &err))
        fail_msg("cannot open: %s", err.text);
    return spool;
}

static void ok(bool done, const struct error *err)
{
    if (!done)
        fail_msg("%s", err->text);
}

static bool append(struct spool *spool, const char *data, struct error *err)
{
    return spool_append(spool, TYPE_WORKLOAD_OBSERVED, "dev/Model/m", 1000000, data, strlen(data),
                        err);
}

static void commit_events(struct spool *spool, int count)
{
    struct error err;
    ok(spool_begin(spool, &err), &err);
    for (int i = 0; i < count; i++)
        ok(append(spool, DATA, &err), &err);
    ok(spool_commit(spool, &err), &err);
}

// Reads all events that are there and checks ids and chain on its own; gives their number.
static int64_t check_events(struct spool *spool, int64_t first)
{
    SCOPED_BUFFER lines = {0};
    struct error err;
    int64_t count;
    uint8_t chain[DIGEST_BYTES];
    bool known;
    ok(spool_chain_at(spool, first - 1, chain, &known, &err), &err);
    assert_true(known);
    ok(spool_read(spool, first, 100000, SIZE_MAX, &lines, &count, &err), &err);
    const char *line = lines.data;
    for (int64_t i = 0; i < count; i++) {
        const char *end = strchr(line, '\n');
        digest_chain(chain, line, (size_t)(end - line), chain);
        SCOPED(cJSON_Delete) cJSON *event = json_parse(line, (size_t)(end - line), 64, &err);
        assert_non_null(event);
        char id[96];
        snprintf(id, sizeof(id), "eu-1:%lld:%lld", (long long)spool_epoch(spool),
                 (long long)(first + i));
        assert_string_equal(json_text(event, "id"), id);
        line = end + 1;
    }
    uint8_t stored[DIGEST_BYTES];
    ok(spool_chain_at(spool, first + count - 1, stored, &known, &err), &err);
    assert_true(known);
    assert_memory_equal(stored, chain, DIGEST_BYTES);
    return count;
}

static void numbers_and_chains(void **state)
{
    (void)state;
    struct spool *spool = open_with(options());
    assert_int_equal(spool_last(spool), 0);
    commit_events(spool, 3);
    commit_events(spool, 2);
    assert_int_equal(spool_last(spool), 5);
    assert_int_equal(check_events(spool, 1), 5);
    assert_int_equal(check_events(spool, 4), 2);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 077, 0);
    spool_close(spool);
}

static void forgets_what_was_rolled_back(void **state)
{
    (void)state;
    struct error err;
    struct spool *spool = open_with(options());
    commit_events(spool, 2);
    ok(spool_begin(spool, &err), &err);
    ok(append(spool, DATA, &err), &err);
    spool_rollback(spool);
    assert_int_equal(spool_last(spool), 2);
    commit_events(spool, 1);
    assert_int_equal(check_events(spool, 1), 3);
    spool_close(spool);
}

static void takes_back_one_step_only(void **state)
{
    (void)state;
    struct error err;
    struct spool *spool = open_with(options());
    struct outbox *outbox;
    ok(outbox_open(spool, &outbox, &err), &err);
    ok(spool_begin(spool, &err), &err);
    ok(spool_savepoint(spool, &err) && append(spool, DATA, &err), &err);
    ok(outbox_set_cursor(outbox, "a", "1", &err) && spool_release(spool, &err), &err);
    ok(spool_savepoint(spool, &err) && append(spool, DATA, &err), &err);
    ok(outbox_set_cursor(outbox, "b", "1", &err) && spool_take_back(spool, &err), &err);
    ok(spool_commit(spool, &err), &err);
    SCOPED(xfree_char) char *first = NULL;
    SCOPED(xfree_char) char *second = NULL;
    ok(outbox_get_cursor(outbox, "a", &first, &err), &err);
    ok(outbox_get_cursor(outbox, "b", &second, &err), &err);
    assert_string_equal(first, "1");
    assert_null(second);
    assert_int_equal(spool_last(spool), 1);
    assert_int_equal(check_events(spool, 1), 1);
    outbox_close(outbox);
    spool_close(spool);
}

// What commit said is there after the process died without another word; what it did not say, is
// not.
static void survives_a_crash(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct error err;
        struct spool *spool = open_with(options());
        commit_events(spool, 7);
        ok(spool_begin(spool, &err) && append(spool, DATA, &err), &err);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    struct spool *spool = open_with(options());
    assert_int_equal(spool_last(spool), 7);
    assert_int_equal(check_events(spool, 1), 7);
    spool_close(spool);
}

static void refuses(struct spool_options wanted, const char *words)
{
    struct spool *spool = NULL;
    struct error err;
    assert_false(spool_open(&wanted, &spool, &err));
    assert_int_equal(err.react, REACT_STOP);
    if (strstr(err.text, words) == NULL)
        fail_msg("'%s' is not in '%s'", words, err.text);
}

static void refuses_other_owners(void **state)
{
    (void)state;
    struct spool *spool = open_with(options());
    commit_events(spool, 1);
    refuses(options(), "in use");
    spool_close(spool);
    struct spool_options other = options();
    other.collector = "eu-2";
    refuses(other, "belongs to collector 'eu-1'");
    other = options();
    other.cluster = "c2";
    refuses(other, "belongs to cluster 'c1'");
}

static void execute(struct spool *spool, const char *sql)
{
    assert_int_equal(sqlite3_exec(spool_database(spool), sql, NULL, NULL, NULL), SQLITE_OK);
}

static void notices_damage(void **state)
{
    (void)state;
    struct spool *spool = open_with(options());
    commit_events(spool, 5);
    execute(spool, "DELETE FROM event WHERE seq = 3");
    spool_close(spool);
    refuses(options(), "events are missing");
}

static void notices_a_changed_chain(void **state)
{
    (void)state;
    struct spool *spool = open_with(options());
    commit_events(spool, 5);
    execute(spool, "UPDATE event SET chain = zeroblob(32) WHERE seq = 5");
    spool_close(spool);
    refuses(options(), "chain");
}

static void says_retry_when_full(void **state)
{
    (void)state;
    struct error err;
    struct spool_options small = options();
    small.max_bytes = 2000;
    struct spool *spool = open_with(small);
    ok(spool_begin(spool, &err), &err);
    int64_t fitted = 0;
    while (append(spool, DATA, &err))
        fitted++;
    assert_int_equal(err.react, REACT_RETRY);
    assert_non_null(strstr(err.text, "full"));
    assert_in_range(fitted, 2, 20);
    ok(spool_commit(spool, &err), &err);
    assert_int_equal(check_events(spool, 1), fitted);
    // The store takes one: its room is free again, and its chain is remembered.
    ok(spool_acknowledge(spool, 1, &err), &err);
    commit_events(spool, 1);
    assert_int_equal(spool_base(spool), 1);
    assert_int_equal(check_events(spool, 2), fitted);
    spool_close(spool);
}

static void survives_a_full_disk(void **state)
{
    (void)state;
    struct error err = {0};
    struct spool *spool = open_with(options());
    commit_events(spool, 3);
    execute(spool, "PRAGMA max_page_count = 20");
    char big[20000];
    memset(big, ' ', sizeof(big));
    memcpy(big, "{}", 2);
    bool going = true;
    for (int i = 0; going && i < 100; i++) {
        ok(spool_begin(spool, &err) && spool_savepoint(spool, &err), &err);
        going = spool_append(spool, TYPE_WORKLOAD_OBSERVED, NULL, 0, big, sizeof(big), &err);
        if (going)
            going = spool_release(spool, &err) && spool_commit(spool, &err);
        else
            spool_rollback(spool);
    }
    assert_false(going);
    assert_int_equal(err.react, REACT_RETRY);
    execute(spool, "PRAGMA max_page_count = 100000");
    commit_events(spool, 2);
    assert_int_equal(check_events(spool, 1), spool_last(spool));
    spool_close(spool);
}

// What the store has taken makes room on a full disk, half of it each time; what waits never does.
static void makes_way_after_a_refusal(void **state)
{
    (void)state;
    struct error err;
    struct spool *spool = open_with(options());
    commit_events(spool, 100);
    ok(spool_acknowledge(spool, 64, &err) && spool_tend(spool, &err), &err);
    assert_int_equal(spool_base(spool), 0);
    for (int i = 0; i < 9; i++) {
        int64_t acked = 64 - spool_base(spool);
        ok(spool_begin(spool, &err), &err);
        spool_rollback(spool);
        ok(spool_tend(spool, &err), &err);
        assert_in_range(64 - spool_base(spool), 0, acked / 2);
        int64_t base = spool_base(spool);
        ok(spool_tend(spool, &err), &err);
        assert_int_equal(spool_base(spool), base);
    }
    assert_int_equal(spool_base(spool), 64);
    assert_int_equal(check_events(spool, 65), 36);
    spool_close(spool);
}

static void rejects_a_large_event(void **state)
{
    (void)state;
    struct error err;
    struct spool *spool = open_with(options());
    size_t length = EVENT_MAX_BYTES;
    char *data = xmalloc(length);
    memset(data, ' ', length);
    ok(spool_begin(spool, &err), &err);
    assert_false(spool_append(spool, TYPE_WORKLOAD_OBSERVED, NULL, 0, data, length, &err));
    assert_int_equal(err.react, REACT_REJECT);
    ok(append(spool, DATA, &err), &err);
    ok(spool_commit(spool, &err), &err);
    assert_int_equal(check_events(spool, 1), 1);
    free(data);
    spool_close(spool);
}

static void retains_some_acknowledged(void **state)
{
    (void)state;
    struct error err;
    struct spool *spool = open_with(options());
    commit_events(spool, 2000);
    ok(spool_acknowledge(spool, 1800, &err), &err);
    assert_true(spool_wants_trim(spool));
    ok(spool_begin(spool, &err) && spool_trim(spool, &err) && spool_commit(spool, &err), &err);
    assert_int_equal(spool_base(spool), 1790);
    assert_false(spool_wants_trim(spool));
    assert_int_equal(check_events(spool, 1791), 210);
    spool_close(spool);
    spool = open_with(options());
    assert_int_equal(spool_base(spool), 1790);
    assert_int_equal(spool_acked(spool), 1800);
    // Back again: what was acknowledged waits once more.
    int64_t waiting = spool_waiting_bytes(spool);
    ok(spool_acknowledge(spool, 1790, &err), &err);
    assert_true(spool_waiting_bytes(spool) > waiting);
    ok(spool_acknowledge(spool, 1800, &err), &err);
    assert_int_equal(spool_waiting_bytes(spool), waiting);
    spool_close(spool);
}

static void begins_a_new_epoch(void **state)
{
    (void)state;
    struct error err;
    struct spool *spool = open_with(options());
    struct outbox *outbox;
    ok(outbox_open(spool, &outbox, &err), &err);
    commit_events(spool, 1500);
    ok(spool_acknowledge(spool, 1400, &err), &err);
    ok(spool_begin(spool, &err) && spool_trim(spool, &err), &err);
    ok(outbox_set_cursor(outbox, "k", "v", &err), &err);
    ok(outbox_set_known(outbox, "s", "u", 5, &err) && spool_commit(spool, &err), &err);
    int64_t old_epoch = spool_epoch(spool);
    ok(spool_new_epoch(spool, 1000, &err), &err);
    assert_true(spool_epoch(spool) > old_epoch);
    // Two gaps (state, actor), then the 110 events that were still here.
    assert_int_equal(spool_last(spool), 112);
    assert_int_equal(spool_acked(spool), 0);
    assert_int_equal(check_events(spool, 1), 112);
    SCOPED_BUFFER lines = {0};
    int64_t count;
    ok(spool_read(spool, 1, 3, SIZE_MAX, &lines, &count, &err), &err);
    const char *third = strchr(strchr(lines.data, '\n') + 1, '\n') + 1;
    assert_non_null(strstr(lines.data, TYPE_SCOPE_GAP));
    assert_non_null(strstr(lines.data, "\"aspect\":\"state\""));
    assert_non_null(strstr(third, "\"subject\":\"dev/Model/m\",\"time\":\"1970-01-01T00:00:01Z\""));
    assert_non_null(strstr(third, "\"data\":" DATA "}"));
    char *cursor;
    int64_t position;
    ok(outbox_get_cursor(outbox, "k", &cursor, &err), &err);
    ok(outbox_get_known(outbox, "s", "u", &position, &err), &err);
    assert_null(cursor);
    assert_int_equal(position, 0);
    outbox_close(outbox);
    spool_close(spool);
    spool = open_with(options());
    assert_int_equal(check_events(spool, 1), 112);
    spool_close(spool);
}

// Born while the clock stood before an earlier spool's birth: numbers, data and cursors stay, and
// no gap is told.
static void moves_to_a_later_epoch(void **state)
{
    (void)state;
    struct error err;
    struct spool *spool = open_with(options());
    struct outbox *outbox;
    ok(outbox_open(spool, &outbox, &err), &err);
    ok(spool_begin(spool, &err), &err);
    ok(outbox_set_cursor(outbox, "k", "here", &err), &err);
    ok(append(spool, DATA, &err), &err);
    ok(spool_commit(spool, &err), &err);
    commit_events(spool, 4);
    int64_t later = spool_epoch(spool) + 1000000;
    assert_false(spool_may_move(spool, spool_epoch(spool) - 1));
    assert_false(spool_may_move(spool, INT64_MAX));
    assert_true(spool_may_move(spool, later));
    ok(spool_move_epoch(spool, later, &err), &err);
    assert_true(spool_epoch(spool) == later + 1);
    assert_int_equal(check_events(spool, 1), 5);
    char *cursor;
    ok(outbox_get_cursor(outbox, "k", &cursor, &err), &err);
    assert_string_equal(cursor, "here");
    free(cursor);
    // What was acknowledged once is known somewhere: such a spool stays what it is.
    ok(spool_acknowledge(spool, 1, &err), &err);
    assert_false(spool_may_move(spool, later + 5));
    outbox_close(outbox);
    spool_close(spool);
    spool = open_with(options());
    assert_true(spool_epoch(spool) == later + 1);
    assert_int_equal(check_events(spool, 1), 5);
    spool_close(spool);
}

static int64_t clock_ahead(struct spool *spool, int64_t first, int64_t *count)
{
    struct error err;
    int64_t now;
    ok(spool_clock_of(spool, first, 100, &now, count, &err), &err);
    return (now - timestamp_now()) / 1000000; // towards zero
}

// Each event is told with what its own clock says now, and a frame holds events of one clock.
static void knows_each_events_clock(void **state)
{
    (void)state;
    struct error err;
    struct spool *spool = open_with(options());
    commit_events(spool, 3);
    for (int i = 0; i < 2; i++) { // +100 s, then +10 s
        ok(spool_begin(spool, &err), &err);
        ok(spool_clock_set(spool, i == 0 ? 100000000 : 10000000, &err), &err);
        ok(append(spool, DATA, &err), &err);
        ok(append(spool, DATA, &err), &err);
        ok(spool_commit(spool, &err), &err);
    }
    spool_close(spool);
    spool = open_with(options());
    int64_t count;
    assert_int_equal(clock_ahead(spool, 1, &count), -110);
    assert_int_equal(count, 3);
    assert_int_equal(clock_ahead(spool, 3, &count), -110);
    assert_int_equal(count, 1);
    assert_int_equal(clock_ahead(spool, 4, &count), -10);
    assert_int_equal(count, 2);
    assert_int_equal(clock_ahead(spool, 6, &count), 0);
    assert_int_equal(count, 100);
    spool_close(spool);
}

static void remembers_known_objects(void **state)
{
    (void)state;
    struct error err;
    int64_t position;
    struct spool *spool = open_with(options());
    struct outbox *outbox;
    ok(outbox_open(spool, &outbox, &err), &err);
    ok(spool_begin(spool, &err), &err);
    ok(outbox_set_known(outbox, "a", "u", 5, &err), &err);
    ok(outbox_set_known(outbox, "a", "u", 7, &err), &err);
    ok(outbox_set_known(outbox, "b", "u", 9, &err), &err);
    ok(outbox_forget_known(outbox, "b", "u", &err), &err);
    ok(spool_commit(spool, &err), &err);
    ok(outbox_get_known(outbox, "a", "u", &position, &err), &err);
    assert_int_equal(position, 7);
    ok(outbox_get_known(outbox, "b", "u", &position, &err), &err);
    assert_int_equal(position, 0);
    outbox_close(outbox);
    spool_close(spool);
}

static bool is_kept(const void *context, const char *uid)
{
    return strcmp(uid, context) == 0;
}

static int64_t known_position(struct outbox *outbox, const char *scope, const char *uid)
{
    struct error err;
    int64_t position;
    ok(outbox_get_known(outbox, scope, uid, &position, &err), &err);
    return position;
}

static void forgets_what_a_list_lacks(void **state)
{
    (void)state;
    struct error err;
    struct spool *spool = open_with(options());
    struct outbox *outbox;
    ok(outbox_open(spool, &outbox, &err), &err);
    ok(spool_begin(spool, &err), &err);
    static const char *const uids[] = {"a", "b", "c", "d", "e"};
    for (int i = 0; i < 5; i++)
        ok(outbox_set_known(outbox, "s", uids[i], 5 + (i == 3), &err), &err);
    ok(outbox_set_known(outbox, "other", "b", 5, &err), &err);
    struct known_range range = {
        .uid_from = "b", .uid_to = "d", .position = 5, .names = is_kept, .context = "c"};
    ok(outbox_forget_unnamed(outbox, "s", &range, &err), &err);
    assert_int_equal(known_position(outbox, "s", "a"), 5); // outside
    assert_int_equal(known_position(outbox, "s", "b"), 0);
    assert_int_equal(known_position(outbox, "s", "c"), 5); // named
    assert_int_equal(known_position(outbox, "s", "d"), 6); // newer than the list
    assert_int_equal(known_position(outbox, "s", "e"), 5);
    assert_int_equal(known_position(outbox, "other", "b"), 5);
    range.uid_from = range.uid_to = "";
    ok(outbox_forget_unnamed(outbox, "s", &range, &err), &err);
    assert_int_equal(known_position(outbox, "s", "a"), 0);
    assert_int_equal(known_position(outbox, "s", "c"), 5);
    assert_int_equal(known_position(outbox, "s", "e"), 0);
    ok(spool_commit(spool, &err), &err);
    outbox_close(outbox);
    spool_close(spool);
}

static void milestones_do_not_pile_up(void **state)
{
    (void)state;
    struct spool *spool = open_with(options());
    sqlite3 *db = spool_database(spool);
    static const char years[] =
        "WITH RECURSIVE n(i) AS (SELECT -12000 UNION ALL SELECT i + 1 FROM n"
        " WHERE i < 0) INSERT INTO milestone SELECT i, i FROM n";
    assert_int_equal(sqlite3_exec(db, years, NULL, NULL, NULL), SQLITE_OK);
    commit_events(spool, 1);
    sqlite3_stmt *count;
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT count(*), max(seq) FROM milestone", -1, &count, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(count), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(count, 0), 10000);
    assert_int_equal(sqlite3_column_int(count, 1), 1);
    sqlite3_finalize(count);
    spool_close(spool);
}

#define SPOOL_TEST(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SPOOL_TEST(numbers_and_chains),        SPOOL_TEST(forgets_what_was_rolled_back),
        SPOOL_TEST(takes_back_one_step_only),  SPOOL_TEST(survives_a_crash),
        SPOOL_TEST(refuses_other_owners),      SPOOL_TEST(notices_damage),
        SPOOL_TEST(notices_a_changed_chain),   SPOOL_TEST(says_retry_when_full),
        SPOOL_TEST(survives_a_full_disk),      SPOOL_TEST(makes_way_after_a_refusal),
        SPOOL_TEST(rejects_a_large_event),     SPOOL_TEST(retains_some_acknowledged),
        SPOOL_TEST(begins_a_new_epoch),        SPOOL_TEST(remembers_known_objects),
        SPOOL_TEST(milestones_do_not_pile_up), SPOOL_TEST(forgets_what_a_list_lacks),
        SPOOL_TEST(moves_to_a_later_epoch),    SPOOL_TEST(knows_each_events_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
