// Two raw events, and what their objects have that differs. Every reason for which there is nothing
// to compare is said: an empty list would read as "nothing changed".

#include "query/comparison.h"

#include <stdio.h>
#include <string.h>

#include "query/object_diff.h"

// clang-format off
// The text of the object as it was sent, for json keeps it.
#define OBJECT_OF(event)                                                                           \
    "(SELECT (r.body::json #> '{data,object}')::text FROM modeltrail_v1.raw_events AS r,"          \
    " regexp_match(" event ", '^(.*):([0-9]+):([0-9]+)$') AS id (part)"                            \
    " WHERE r.collector = id.part[1] AND r.epoch = id.part[2]::bigint"                             \
    " AND r.seq = id.part[3]::bigint LIMIT 1)"
#define READINGS(object, object_before)                                                            \
    "SELECT event_id, before_event_id, note, " object ", " object_before                           \
    " FROM modeltrail_v1.readings($1::text) AS told"
// clang-format on

static const char with_raw_sql[] =
    READINGS(OBJECT_OF("told.event_id"), OBJECT_OF("told.before_event_id"));
static const char without_raw_sql[] = READINGS("NULL", "NULL");

// One row of either statement; NULL for SQL NULL.
struct readings {
    const char *event;
    const char *before;
    const char *note;
    const char *object;
    const char *object_before;
};

static const char *cell(const PGresult *rows, int column)
{
    return PQgetisnull(rows, 0, column) ? NULL : PQgetvalue(rows, 0, column);
}

static void append_member(struct buffer *out, const char *name, const char *text)
{
    if (text == NULL || *text == '\0')
        return;
    buffer_printf(out, "%s\"%s\": ", out->length > 1 ? ", " : "", name);
    buffer_append_json_string(out, text, strlen(text));
}

static void add_note(struct buffer *notes, const char *note)
{
    buffer_append_text(notes, notes->length > 0 ? "; " : "");
    buffer_append_text(notes, note);
}

// Which of the two objects is not kept: too large for an event, or erased.
static void note_missing(const struct readings *readings, struct buffer *notes)
{
    const char *events[] = {readings->object ? NULL : readings->event,
                            readings->object_before ? NULL : readings->before};
    for (size_t i = 0; i < 2; i++) {
        if (events[i] == NULL)
            continue;
        SCOPED_BUFFER note = {0};
        buffer_printf(&note, "not compared: event %s has no raw object", events[i]);
        add_note(notes, note.data);
    }
}

static void append_diff(const struct object_diff *diff, struct buffer *notes, struct buffer *out)
{
    if (diff->count == 0)
        add_note(notes, diff->left_out_count > 0 ? "no difference but in what was left out"
                                                 : "no difference");
    if (diff->is_cut)
        add_note(notes, "more differences than are told");
    buffer_printf(out, "%s\"left_out\": [", out->length > 1 ? ", " : "");
    for (size_t i = 0; i < diff->left_out_count; i++)
        buffer_printf(out, "%s\"%s\"", i > 0 ? ", " : "", diff->left_out[i]);
    buffer_append_text(out, "], \"items\": ");
    buffer_append(out, diff->items.data, diff->items.length);
}

// An object that a hostile body holds is no reason for a page without the rest.
static void compare(const struct readings *readings, bool whole, struct buffer *notes,
                    struct buffer *out)
{
    struct object_diff diff;
    struct error err = {0};
    if (object_diff_make(readings->object_before, readings->object, whole, &diff, &err)) {
        append_diff(&diff, notes, out);
        object_diff_reset(&diff);
        return;
    }
    SCOPED_BUFFER note = {0};
    buffer_printf(&note, "not compared: %s", err.text);
    add_note(notes, note.data);
}

static void append_comparison(const struct readings *readings, const struct flags *flags,
                              bool with_raw, struct buffer *out)
{
    SCOPED_BUFFER notes = {0};
    append_member(out, "before", readings->before);
    if (readings->note != NULL)
        add_note(&notes, readings->note);
    if (readings->before != NULL && !with_raw)
        add_note(&notes, flags->no_raw ? "not compared: --no-raw"
                                       : "not compared: raw objects are for auditors");
    else if (readings->before != NULL && (!readings->object || !readings->object_before))
        note_missing(readings, &notes);
    else if (readings->before != NULL)
        compare(readings, flags->full_diff, &notes, out);
    append_member(out, "note", notes.data);
}

enum exit_code comparison_append(const struct session *session, const struct flags *flags,
                                 const char *id, bool with_raw, struct buffer *out,
                                 struct error *err)
{
    PGresult *rows = NULL;
    const char *params[] = {id};
    if (!session_query(session->db, with_raw ? with_raw_sql : without_raw_sql, 1, params, &rows,
                       err))
        return session_explain(err);
    buffer_append_char(out, '{');
    if (PQntuples(rows) > 0) { // none: no such id, which the answer itself says
        const struct readings readings = {cell(rows, 0), cell(rows, 1), cell(rows, 2),
                                          cell(rows, 3), cell(rows, 4)};
        append_comparison(&readings, flags, with_raw, out);
    }
    buffer_append_char(out, '}');
    PQclear(rows);
    return EXIT_YES;
}
