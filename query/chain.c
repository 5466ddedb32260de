// The links of a chain for people. Their notes are sentences, so they stand last, where a narrow
// terminal breaks them and nothing else.

#include "query/chain.h"

#include <string.h>

#include "query/column.h"
#include "query/json_tree.h"
#include "query/output.h"
#include "query/table.h"

static const struct column link_columns[] = {
    {"step", COLUMN_NUMBER, COLUMN_TABLE, NULL},   {"link", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"subject", COLUMN_TEXT, COLUMN_TABLE, NULL},  {"person", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"at", COLUMN_TIME, COLUMN_TABLE, NULL},       {"strength", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"evidence", COLUMN_TEXT, COLUMN_TABLE, NULL}, {"event_id", COLUMN_TEXT, COLUMN_TABLE, "event"},
    {"note", COLUMN_TEXT, COLUMN_TABLE, NULL},     {0},
};

static void add_link(struct table *table, const struct session *session,
                     const struct json_node *link)
{
    table_add_row(table);
    for (size_t i = 0; link_columns[i].name != NULL; i++) {
        const char *text = json_tree_text(link, link_columns[i].name);
        SCOPED_BUFFER cell = {0};
        if (text != NULL)
            output_append_cell(session, &link_columns[i], text, true, &cell);
        bool is_weak = text != NULL && strcmp(link_columns[i].name, "strength") == 0 &&
                       (strcmp(text, "ambiguous") == 0 || strcmp(text, "weak") == 0 ||
                        strcmp(text, "claim") == 0);
        table_set(table, i, cell.data, is_weak ? "yellow" : NULL);
    }
}

void chain_print(const struct session *session, const char *links, FILE *to)
{
    SCOPED(json_tree_free) struct json_node *list = NULL;
    struct error err = {0};
    // PostgreSQL made the list itself, so that it is one.
    if (!json_tree_read(links, strlen(links), &list, &err))
        return;
    SCOPED(table_free) struct table *table = table_new(true, output_has_colour());
    for (size_t i = 0; link_columns[i].name != NULL; i++) {
        SCOPED_BUFFER heading = {0};
        column_append_heading(&link_columns[i], &heading);
        table_add_column(table, heading.data, link_columns[i].kind == COLUMN_NUMBER);
    }
    for (const struct json_node *link = list->first; link != NULL; link = link->next)
        add_link(table, session, link);
    if (list->children > 0)
        table_print(table, to);
}
