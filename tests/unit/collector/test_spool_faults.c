// The spool when SQLite fails: at every single point of an ordinary life, and on files that
// somebody else has touched. Whatever fails is said, and the file is whole when it is opened again.

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/spool.h"
#include "collector/spool_file.h"
#include "collector/spool_outbox.h"
#include "collector/spool_renumber.h"
#include "common/event.h"

#define DATA "{\"n\":1}"

static char folder[64];
static char path[96];

static int make_folder(void **state)
{
    (void)state;
    // Hundreds of spools are made: in memory, where there is such a folder.
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(folder, sizeof(folder), "%s/modeltrail-faults-XXXXXX", parent);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/spool.db", folder);
    return 0;
}

static void remove_spool(void)
{
    static const char *const endings[] = {"", "-wal", "-journal"};
    for (size_t i = 0; i < 3; i++) {
        char name[128];
        snprintf(name, sizeof(name), "%s%s", path, endings[i]);
        unlink(name);
    }
}

static int remove_folder(void **state)
{
    (void)state;
    remove_spool();
    return rmdir(folder);
}

static struct spool_options options_at(const char *file)
{
    return (struct spool_options){.path = file,
                                  .collector = "eu-1",
                                  .cluster = "c1",
                                  .max_bytes = 1 << 20,
                                  .retain_events = 2,
                                  .retain_bytes = 1 << 20};
}

static struct spool *open_spool(void)
{
    struct spool_options options = options_at(path);
    struct spool *spool = NULL;
    struct error err = {0};
    if (!spool_open(&options, &spool, &err))
        fail_msg("cannot open: %s", err.text);
    return spool;
}

static bool append(struct spool *spool, struct error *err)
{
    return spool_append(spool, TYPE_SCOPE_GAP, NULL, 0, DATA, strlen(DATA), err);
}

static bool commit_events(struct spool *spool, int count, struct error *err)
{
    bool done = spool_begin(spool, err);
    for (int i = 0; done && i < count; i++)
        done = append(spool, err);
    return done && spool_commit(spool, err);
}

static struct spool *open_with_events(int count)
{
    struct error err;
    struct spool *spool = open_spool();
    assert_true(commit_events(spool, count, &err));
    return spool;
}

static bool is_named(const void *context, const char *uid)
{
    return strcmp(context, uid) == 0;
}

// ---- every point of a life ----------------------------------------------------------------------

// Lets the n-th look of SQLite's at its progress handler end the statement that runs.
struct fault {
    int left;
    bool happened;
};

static int interrupt(void *context)
{
    struct fault *fault = context;
    bool now = !fault->happened && --fault->left == 0;
    fault->happened = fault->happened || now;
    return now;
}

static bool write_cursors(struct outbox *outbox, struct error *err)
{
    static const struct known_range range = {
        .uid_from = "", .uid_to = "", .position = 9, .names = is_named, .context = "u1"};
    int64_t position;
    SCOPED(xfree_char) char *cursor = NULL;
    return outbox_set_cursor(outbox, "k", "v", err) && outbox_set_cursor(outbox, "l", NULL, err) &&
           outbox_get_cursor(outbox, "k", &cursor, err) &&
           outbox_set_known(outbox, "s", "u1", 5, err) &&
           outbox_set_known(outbox, "s", "u2", 6, err) &&
           outbox_get_known(outbox, "s", "u1", &position, err) &&
           outbox_forget_unnamed(outbox, "s", &range, err);
}

static bool take_a_step_back(struct spool *spool, struct error *err)
{
    return spool_savepoint(spool, err) && append(spool, err) && spool_take_back(spool, err) &&
           spool_savepoint(spool, err) && append(spool, err) && spool_release(spool, err);
}

static bool read_back(struct spool *spool, struct error *err)
{
    SCOPED_BUFFER lines = {0};
    int64_t count;
    uint8_t chain[DIGEST_BYTES];
    bool known;
    return spool_read(spool, spool_base(spool) + 1, 100, SIZE_MAX, &lines, &count, err) &&
           spool_chain_at(spool, spool_last(spool) - 1, chain, &known, err);
}

static bool acknowledge_and_trim(struct spool *spool, struct error *err)
{
    return spool_acknowledge(spool, spool_last(spool), err) && spool_begin(spool, err) &&
           spool_trim(spool, err) && spool_commit(spool, err);
}

static bool live(struct spool *spool, struct outbox *outbox, struct error *err)
{
    return spool_begin(spool, err) && append(spool, err) && write_cursors(outbox, err) &&
           take_a_step_back(spool, err) && spool_commit(spool, err) && read_back(spool, err) &&
           acknowledge_and_trim(spool, err) && spool_new_epoch(spool, 1, err) &&
           commit_events(spool, 2, err);
}

// spool_open checks that count, numbers and chain are whole. Of the four transactions of a life all
// of one is there, or nothing: 5 + 2 events, and in the new epoch 2 gaps with the 2 that were kept,
// + 2.
static void check_reopened(int64_t old_epoch)
{
    struct error err;
    struct spool *spool = open_spool();
    int64_t last = spool_last(spool);
    if (spool_epoch(spool) == old_epoch)
        assert_true(last == 5 || last == 7);
    else
        assert_true(last == 4 || last == 6);
    assert_true(commit_events(spool, 1, &err) && read_back(spool, &err));
    spool_close(spool);
}

static bool live_with_fault(int point)
{
    struct error err = {0};
    struct outbox *outbox;
    struct fault fault = {.left = point};
    struct spool *spool = open_with_events(5);
    int64_t epoch = spool_epoch(spool);
    assert_true(outbox_open(spool, &outbox, &err));
    sqlite3_progress_handler(spool_database(spool), 1, interrupt, &fault);
    bool lived = live(spool, outbox, &err);
    sqlite3_progress_handler(spool_database(spool), 0, NULL, NULL);
    if (fault.happened && !lived)
        assert_int_equal(err.react, REACT_STOP);
    assert_true(lived || fault.happened);
    outbox_close(outbox);
    spool_close(spool);
    check_reopened(epoch);
    remove_spool();
    return fault.happened;
}

static void fails_at_every_point_and_stays_whole(void **state)
{
    (void)state;
    int point = 1;
    while (live_with_fault(point))
        point += point < 200 ? 1 : 7; // the copying of old events repeats itself
    assert_true(point > 200);
}

// A transaction that cannot be committed is taken back in memory as well.
static void a_commit_that_fails_changes_nothing(void **state)
{
    (void)state;
    struct error err;
    struct spool *spool = open_with_events(3);
    assert_int_equal(sqlite3_exec(spool_database(spool), "DROP TABLE spool", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_false(commit_events(spool, 2, &err));
    assert_int_equal(err.react, REACT_STOP);
    assert_int_equal(spool_last(spool), 3);
    spool_close(spool);
}

static void a_lost_transaction_is_tried_again(void **state)
{
    (void)state;
    struct error err;
    struct spool *spool = open_with_events(3);
    assert_true(spool_begin(spool, &err) && spool_savepoint(spool, &err) && append(spool, &err));
    assert_true(spool_file_execute(spool_database(spool), "ROLLBACK", &err)); // as SQLite does
    assert_false(spool_take_back(spool, &err));
    assert_int_equal(err.react, REACT_RETRY);
    assert_int_equal(spool_last(spool), 3);
    spool_rollback(spool);
    assert_true(commit_events(spool, 1, &err));
    spool_close(spool);
}

// ---- files that somebody else has touched -------------------------------------------------------

static void says(const struct error *err, const char *words)
{
    assert_int_equal(err->react, REACT_STOP);
    if (strstr(err->text, words) == NULL)
        fail_msg("'%s' is not in '%s'", words, err->text);
}

static void refuses(const char *file, const char *words)
{
    struct spool_options options = options_at(file);
    struct spool *spool = NULL;
    struct error err = {0};
    assert_false(spool_open(&options, &spool, &err));
    assert_null(spool);
    says(&err, words);
}

// Opens and refuses after somebody ran this SQL in a spool of five events.
static void refuses_after(const char *sql, const char *words)
{
    struct spool *spool = open_with_events(5);
    assert_int_equal(sqlite3_exec(spool_database(spool), sql, NULL, NULL, NULL), SQLITE_OK);
    spool_close(spool);
    refuses(path, words);
    remove_spool();
}

static void refuses_what_is_not_its_own(void **state)
{
    (void)state;
    refuses_after("UPDATE spool SET chain = x'00'", "its state is unreadable");
    refuses_after("UPDATE spool SET base_chain = x'00'", "its state is unreadable");
    refuses_after("UPDATE event SET chain = x'00' WHERE seq = 5", "an event has no chain");
    refuses_after("PRAGMA user_version = 9", "has format 9, this program knows 1");
    refuses_after("DROP TABLE event", "no such table");
    refuses_after("DROP TABLE spool", "no such table");
}

static void refuses_what_is_no_spool(void **state)
{
    (void)state;
    char name[1024];
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 2000; i++)
        fputs("not a database ", file);
    assert_int_equal(fclose(file), 0);
    refuses(path, "file is not a database; hint: name the file that this collector made");
    refuses(folder, "is a folder; hint: name a file in it");
    snprintf(name, sizeof(name), "%s/none/spool.db", folder);
    refuses(name, "its folder must exist and be writable");
}

// The kernel takes it, SQLite does not.
static void refuses_a_path_that_is_too_long_for_sqlite(void **state)
{
    (void)state;
    char name[1024];
    size_t ends[3];
    size_t length = (size_t)snprintf(name, sizeof(name), "%s", folder);
    for (size_t i = 0; i < 3; i++) {
        length += (size_t)snprintf(name + length, sizeof(name) - length, "/%0200d", 0);
        ends[i] = length;
        assert_int_equal(mkdir(name, 0700), 0);
    }
    snprintf(name + length, sizeof(name) - length, "/spool.db");
    refuses(name, ": unable to open database file");
    unlink(name);
    for (size_t i = 3; i > 0; i--) {
        name[ends[i - 1]] = '\0';
        assert_int_equal(rmdir(name), 0);
    }
}

// While it is open nobody else can write; a file system that loses pages can.
static void notices_what_is_gone_while_it_runs(void **state)
{
    (void)state;
    struct error err;
    SCOPED_BUFFER lines = {0};
    int64_t count;
    uint8_t chain[DIGEST_BYTES];
    bool known;
    struct spool *spool = open_with_events(5);
    sqlite3 *db = spool_database(spool);
    assert_true(spool_file_execute(db, "UPDATE event SET chain = x'00' WHERE seq <= 2", &err));
    assert_false(spool_chain_at(spool, 2, chain, &known, &err));
    says(&err, "an event has no chain");
    assert_true(spool_acknowledge(spool, 5, &err) && spool_begin(spool, &err));
    assert_false(spool_trim(spool, &err));
    says(&err, "an event has no chain");
    spool_rollback(spool);
    assert_true(spool_file_execute(db, "DELETE FROM event WHERE seq = 3", &err));
    assert_false(spool_read(spool, 1, 100, SIZE_MAX, &lines, &count, &err));
    says(&err, "an event is missing");
    assert_int_equal(count, 2);
    spool_close(spool);
}

static void a_table_that_is_gone_is_said(void **state)
{
    (void)state;
    struct error err;
    int64_t position;
    struct outbox *outbox = NULL;
    struct spool *spool = open_with_events(5);
    assert_true(spool_file_execute(spool_database(spool), "DROP TABLE known", &err));
    assert_false(outbox_open(spool, &outbox, &err));
    says(&err, "no such table: known");
    spool_close(spool);
    remove_spool();
    spool = open_with_events(5);
    assert_true(outbox_open(spool, &outbox, &err));
    assert_true(spool_file_execute(spool_database(spool), "DROP TABLE known", &err));
    assert_false(outbox_get_known(outbox, "s", "u", &position, &err));
    says(&err, "no such table: known");
    assert_true(spool_file_execute(spool_database(spool), "DROP TABLE milestone", &err));
    assert_false(spool_new_epoch(spool, 1, &err));
    says(&err, "no such table: milestone");
    outbox_close(outbox);
    spool_close(spool);
}

// ---- the new epoch ------------------------------------------------------------------------------

static void begins_two_epochs_in_a_millisecond(void **state)
{
    (void)state;
    struct error err;
    struct spool *spool = open_with_events(5);
    int64_t epoch = spool_epoch(spool);
    for (int i = 0; i < 50; i++) {
        assert_true(spool_new_epoch(spool, 1, &err));
        assert_true(spool_epoch(spool) > epoch);
        epoch = spool_epoch(spool);
    }
    // Two gaps each time, before all that was there.
    assert_int_equal(spool_last(spool), 5 + 2 * 50);
    spool_close(spool);
    spool_close(open_spool());
}

// The gap begins when the spool was last seen to hold no more than what the store still has.
static void a_gap_begins_at_its_milestone(void **state)
{
    (void)state;
    struct error err;
    SCOPED_BUFFER lines = {0};
    int64_t count;
    struct spool *spool = open_with_events(5);
    assert_true(spool_file_execute(spool_database(spool),
                                   "INSERT INTO milestone VALUES (1, 1767225600000000),"
                                   " (3, 1767225601000000)",
                                   &err));
    assert_true(spool_new_epoch(spool, 2, &err));
    assert_true(spool_read(spool, 1, 1, SIZE_MAX, &lines, &count, &err));
    assert_non_null(strstr(lines.data, "\"from\":\"2026-01-01T00:00:00Z\""));
    spool_close(spool);
}

static void an_old_event_that_cannot_be_read_stops_the_new_epoch(void **state)
{
    (void)state;
    struct error err;
    struct spool *spool = open_with_events(5);
    int64_t epoch = spool_epoch(spool);
    assert_true(spool_file_execute(spool_database(spool),
                                   "UPDATE event SET line = x'7b7d' WHERE seq = 4", &err));
    assert_false(spool_new_epoch(spool, 1, &err));
    says(&err, "cannot begin a new epoch");
    says(&err, "lacks its type or data");
    assert_int_equal(spool_epoch(spool), epoch);
    assert_int_equal(spool_last(spool), 5);
    spool_close(spool);
}

static void renumbers_only_what_it_understands(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *words;
    } bad[] = {{"[1]", "object"},
               {"{\"type\":\"t\",\"time\":\"noon\",\"data\":{}}", "bad time"},
               {"{\"type\":\"t\"}", "lacks its type or data"},
               {"{\"data\":{}}", "lacks its type or data"}};
    struct error err;
    SCOPED_BUFFER out = {0};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_false(
            spool_renumber("eu-1", "c1", 5, 7, bad[i].line, strlen(bad[i].line), &out, &err));
        if (strstr(err.text, bad[i].words) == NULL)
            fail_msg("'%s' is not in '%s'", bad[i].words, err.text);
    }
    assert_int_equal(out.length, 0);
    const char *good = "{\"data\":{\"a\":1e3},\"type\":\"t\"}";
    assert_true(spool_renumber("eu-1", "c1", 5, 7, good, strlen(good), &out, &err));
    assert_non_null(strstr(out.data, "\"id\":\"eu-1:5:7\""));
    assert_non_null(strstr(out.data, "\"data\":{\"a\":1e3}}"));
}

// ---- room ---------------------------------------------------------------------------------------

// A file that was large once gives its pages back, some at a time, when all is acknowledged.
static void gives_room_back(void **state)
{
    (void)state;
    enum { EVENTS = 60, BYTES = 700000 };
    struct error err;
    struct stat before;
    struct stat after;
    char *data = xmalloc(BYTES);
    struct spool_options options = options_at(path);
    options.max_bytes = options.retain_bytes = 1 << 26;
    struct spool *spool = NULL;
    assert_true(spool_open(&options, &spool, &err));
    memset(data, ' ', BYTES);
    memcpy(data, "{}", 2);
    assert_true(spool_begin(spool, &err));
    for (int i = 0; i < EVENTS; i++)
        assert_true(spool_append(spool, TYPE_SCOPE_GAP, NULL, 0, data, BYTES, &err));
    assert_true(spool_commit(spool, &err));
    assert_true(sqlite3_wal_checkpoint(spool_database(spool), NULL) == SQLITE_OK);
    assert_int_equal(stat(path, &before), 0);
    assert_true(acknowledge_and_trim(spool, &err));
    assert_true(acknowledge_and_trim(spool, &err));
    assert_true(sqlite3_wal_checkpoint(spool_database(spool), NULL) == SQLITE_OK);
    assert_int_equal(stat(path, &after), 0);
    assert_true(after.st_size < before.st_size);
    spool_close(spool);
    spool_close(open_spool());
    free(data);
}

#define FAULT_TEST(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(fails_at_every_point_and_stays_whole),
        FAULT_TEST(a_commit_that_fails_changes_nothing),
        FAULT_TEST(a_lost_transaction_is_tried_again),
        FAULT_TEST(refuses_what_is_not_its_own),
        FAULT_TEST(refuses_what_is_no_spool),
        FAULT_TEST(refuses_a_path_that_is_too_long_for_sqlite),
        FAULT_TEST(notices_what_is_gone_while_it_runs),
        FAULT_TEST(a_table_that_is_gone_is_said),
        FAULT_TEST(begins_two_epochs_in_a_millisecond),
        FAULT_TEST(a_gap_begins_at_its_milestone),
        FAULT_TEST(an_old_event_that_cannot_be_read_stops_the_new_epoch),
        FAULT_TEST(renumbers_only_what_it_understands),
        FAULT_TEST(gives_room_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
