// The outbox on the spool: events go to spool_event.c, cursors and known objects to their own
// tables, all inside the transaction that the loop has open.

#include "collector/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "collector/spool_file.h"
#include "collector/spool_outbox.h"
#include "common/buffer.h"

struct outbox {
    struct spool *spool;
    sqlite3_stmt *set_cursor;
    sqlite3_stmt *delete_cursor;
    sqlite3_stmt *get_cursor;
    sqlite3_stmt *set_known;
    sqlite3_stmt *forget_known;
    sqlite3_stmt *get_known;
    sqlite3_stmt *list_known;
};

static bool prepare_statements(struct outbox *outbox, struct error *err)
{
    sqlite3 *db = spool_database(outbox->spool);
    return spool_file_prepare(db, "INSERT OR REPLACE INTO cursor VALUES (?1, ?2)",
                              &outbox->set_cursor, err) &&
           spool_file_prepare(db, "DELETE FROM cursor WHERE key = ?1", &outbox->delete_cursor,
                              err) &&
           spool_file_prepare(db, "SELECT value FROM cursor WHERE key = ?1", &outbox->get_cursor,
                              err) &&
           spool_file_prepare(db, "INSERT OR REPLACE INTO known VALUES (?1, ?2, ?3)",
                              &outbox->set_known, err) &&
           spool_file_prepare(db, "DELETE FROM known WHERE scope = ?1 AND uid = ?2",
                              &outbox->forget_known, err) &&
           spool_file_prepare(db, "SELECT position FROM known WHERE scope = ?1 AND uid = ?2",
                              &outbox->get_known, err) &&
           spool_file_prepare(db,
                              "SELECT uid FROM known WHERE scope = ?1 AND uid >= ?2"
                              " AND (?3 = '' OR uid <= ?3) AND position <= ?4",
                              &outbox->list_known, err);
}

bool outbox_open(struct spool *spool, struct outbox **out, struct error *err)
{
    SCOPED(outbox_close) struct outbox *outbox = xcalloc(1, sizeof(*outbox));
    outbox->spool = spool;
    if (!prepare_statements(outbox, err))
        return false;
    *out = outbox;
    outbox = NULL;
    return true;
}

void outbox_close(struct outbox *outbox)
{
    if (outbox == NULL)
        return;
    sqlite3_finalize(outbox->set_cursor);
    sqlite3_finalize(outbox->delete_cursor);
    sqlite3_finalize(outbox->get_cursor);
    sqlite3_finalize(outbox->set_known);
    sqlite3_finalize(outbox->forget_known);
    sqlite3_finalize(outbox->get_known);
    sqlite3_finalize(outbox->list_known);
    free(outbox);
}

const char *outbox_cluster(const struct outbox *outbox)
{
    return spool_cluster(outbox->spool);
}

bool outbox_event(struct outbox *outbox, const char *type, const char *subject, int64_t time,
                  const char *data, size_t length, struct error *err)
{
    return spool_append(outbox->spool, type, subject, time, data, length, err);
}

static void bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

bool outbox_set_cursor(struct outbox *outbox, const char *key, const char *value, struct error *err)
{
    sqlite3_stmt *statement = value ? outbox->set_cursor : outbox->delete_cursor;
    bind_text(statement, 1, key);
    if (value != NULL)
        bind_text(statement, 2, value);
    spool_touch(outbox->spool);
    return spool_file_run(statement, err);
}

bool outbox_get_cursor(struct outbox *outbox, const char *key, char **value, struct error *err)
{
    SCOPED(spool_statement_reset) sqlite3_stmt *statement = outbox->get_cursor;
    bool row;
    bind_text(statement, 1, key);
    if (!spool_file_row(statement, &row, err))
        return false;
    *value = row ? xstrdup((const char *)sqlite3_column_text(statement, 0)) : NULL;
    return true;
}

bool outbox_set_known(struct outbox *outbox, const char *scope, const char *uid, int64_t position,
                      struct error *err)
{
    bind_text(outbox->set_known, 1, scope);
    bind_text(outbox->set_known, 2, uid);
    sqlite3_bind_int64(outbox->set_known, 3, position);
    spool_touch(outbox->spool);
    return spool_file_run(outbox->set_known, err);
}

bool outbox_forget_known(struct outbox *outbox, const char *scope, const char *uid,
                         struct error *err)
{
    bind_text(outbox->forget_known, 1, scope);
    bind_text(outbox->forget_known, 2, uid);
    spool_touch(outbox->spool);
    return spool_file_run(outbox->forget_known, err);
}

// Appends the uids to forget, each with its zero byte: rows must not go while they are walked.
static bool list_unnamed(struct outbox *outbox, const char *scope, const struct known_range *range,
                         struct buffer *uids, struct error *err)
{
    SCOPED(spool_statement_reset) sqlite3_stmt *statement = outbox->list_known;
    bind_text(statement, 1, scope);
    bind_text(statement, 2, range->uid_from);
    bind_text(statement, 3, range->uid_to);
    sqlite3_bind_int64(statement, 4, range->position);
    for (;;) {
        bool row;
        if (!spool_file_row(statement, &row, err))
            return false;
        if (!row)
            return true;
        const char *uid = (const char *)sqlite3_column_text(statement, 0);
        if (!range->names(range->context, uid))
            buffer_append(uids, uid, strlen(uid) + 1);
    }
}

bool outbox_forget_unnamed(struct outbox *outbox, const char *scope,
                           const struct known_range *range, struct error *err)
{
    SCOPED_BUFFER uids = {0};
    if (!list_unnamed(outbox, scope, range, &uids, err))
        return false;
    for (size_t at = 0; at < uids.length; at += strlen(uids.data + at) + 1) {
        if (!outbox_forget_known(outbox, scope, uids.data + at, err))
            return false;
    }
    return true;
}

bool outbox_get_known(struct outbox *outbox, const char *scope, const char *uid, int64_t *position,
                      struct error *err)
{
    SCOPED(spool_statement_reset) sqlite3_stmt *statement = outbox->get_known;
    bool row;
    bind_text(statement, 1, scope);
    bind_text(statement, 2, uid);
    if (!spool_file_row(statement, &row, err))
        return false;
    *position = row ? sqlite3_column_int64(statement, 0) : 0;
    return true;
}
