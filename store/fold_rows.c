// Lists of result rows: order, difference and copy. The four tables differ only in their rows, so
// each has its comparisons here and the work on lists is written once.

#include "store/fold_rows.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "common/text.h"

void fold_rows_add_placement(struct fold_rows *rows, const struct fold_placement *row)
{
    rows->placements =
        xgrow(rows->placements, &rows->placement_capacity, rows->placement_count + 1, sizeof(*row));
    rows->placements[rows->placement_count++] = *row;
}

void fold_rows_add_route(struct fold_rows *rows, const struct fold_route *row)
{
    rows->routes = xgrow(rows->routes, &rows->route_capacity, rows->route_count + 1, sizeof(*row));
    rows->routes[rows->route_count++] = *row;
}

void fold_rows_add_change(struct fold_rows *rows, const struct fold_change *row)
{
    rows->changes =
        xgrow(rows->changes, &rows->change_capacity, rows->change_count + 1, sizeof(*row));
    rows->changes[rows->change_count++] = *row;
}

void fold_rows_add_attribution(struct fold_rows *rows, const struct fold_attribution *row)
{
    rows->attributions = xgrow(rows->attributions, &rows->attribution_capacity,
                               rows->attribution_count + 1, sizeof(*row));
    rows->attributions[rows->attribution_count++] = *row;
}

void fold_rows_copy(const struct fold_rows *rows, struct fold_rows *out)
{
    for (size_t i = 0; i < rows->placement_count; i++)
        fold_rows_add_placement(out, &rows->placements[i]);
    for (size_t i = 0; i < rows->route_count; i++)
        fold_rows_add_route(out, &rows->routes[i]);
    for (size_t i = 0; i < rows->change_count; i++)
        fold_rows_add_change(out, &rows->changes[i]);
    for (size_t i = 0; i < rows->attribution_count; i++)
        fold_rows_add_attribution(out, &rows->attributions[i]);
}

static int order_of(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_placements(const void *left, const void *right)
{
    const struct fold_placement *a = left;
    const struct fold_placement *b = right;
    int order = order_of(a->from_position, b->from_position);
    return order != 0 ? order : memcmp(a->row_key, b->row_key, sizeof(a->row_key));
}

static int compare_routes(const void *left, const void *right)
{
    const struct fold_route *a = left;
    const struct fold_route *b = right;
    int order = order_of(a->from_position, b->from_position);
    if (order == 0)
        order = strcmp(a->target_kind, b->target_kind);
    if (order == 0)
        order = strcmp(a->target, b->target);
    return order != 0 ? order : strcmp(a->role, b->role);
}

static int compare_changes(const void *left, const void *right)
{
    const struct fold_change *a = left;
    const struct fold_change *b = right;
    int order = order_of(a->position, b->position);
    return order != 0 ? order : strcmp(a->component, b->component);
}

static int compare_attributions(const void *left, const void *right)
{
    const struct fold_attribution *a = left;
    const struct fold_attribution *b = right;
    int order = order_of(a->position, b->position);
    return order != 0 ? order : order_of(a->request_index, b->request_index);
}

// The next four are asked of rows with equal keys only.
// A column that is forgotten here would stay stale in the table after a resumed fold.
static bool same_placements(const void *left, const void *right)
{
    const struct fold_placement *a = left;
    const struct fold_placement *b = right;
    // Model, version, artifact, component and revision are in the key.
    return text_equal(a->artifact_digest, b->artifact_digest) &&
           text_equal(a->identity_source, b->identity_source) && text_equal(a->role, b->role) &&
           text_equal(a->state, b->state) && text_equal(a->image, b->image) &&
           text_equal(a->time_source, b->time_source) && a->traffic_percent == b->traffic_percent &&
           a->stopped == b->stopped && a->replicas == b->replicas &&
           a->to_position == b->to_position && a->valid_from == b->valid_from &&
           a->valid_from_after == b->valid_from_after && a->valid_to == b->valid_to &&
           a->valid_to_after == b->valid_to_after && a->deployed_position == b->deployed_position &&
           a->deployed_at == b->deployed_at && a->deployed_after == b->deployed_after &&
           a->ready_at == b->ready_at && a->recorded_index == b->recorded_index &&
           a->revised_index == b->revised_index;
}

static bool same_routes(const void *left, const void *right)
{
    const struct fold_route *a = left;
    const struct fold_route *b = right;
    return a->percent == b->percent && a->valid_from == b->valid_from &&
           a->valid_to == b->valid_to && a->recorded_index == b->recorded_index &&
           a->revised_index == b->revised_index;
}

// Position and component are in the key, and the id is made of them.
static bool same_changes(const void *left, const void *right)
{
    const struct fold_change *a = left;
    const struct fold_change *b = right;
    return text_equal(a->change_type, b->change_type) && text_equal(a->reason, b->reason) &&
           text_equal(a->time_source, b->time_source) && text_equal(a->role, b->role) &&
           text_equal(a->from_model, b->from_model) && text_equal(a->to_model, b->to_model) &&
           text_equal(a->from_version, b->from_version) &&
           text_equal(a->to_version, b->to_version) &&
           text_equal(a->from_artifact, b->from_artifact) &&
           text_equal(a->to_artifact, b->to_artifact) &&
           a->from_traffic_percent == b->from_traffic_percent &&
           a->to_traffic_percent == b->to_traffic_percent && a->happened_at == b->happened_at &&
           a->happened_after == b->happened_after && a->recorded_index == b->recorded_index &&
           a->revised_index == b->revised_index;
}

static bool same_attributions(const void *left, const void *right)
{
    const struct fold_attribution *a = left;
    const struct fold_attribution *b = right;
    return strcmp(a->strength, b->strength) == 0;
}

static void sort(void *list, size_t count, size_t size, int (*compare)(const void *, const void *))
{
    if (count > 1)
        qsort(list, count, size, compare);
}

void fold_rows_sort(struct fold_rows *rows)
{
    sort(rows->placements, rows->placement_count, sizeof(*rows->placements), compare_placements);
    sort(rows->routes, rows->route_count, sizeof(*rows->routes), compare_routes);
    sort(rows->changes, rows->change_count, sizeof(*rows->changes), compare_changes);
    sort(rows->attributions, rows->attribution_count, sizeof(*rows->attributions),
         compare_attributions);
}

// How the work on lists sees a table: every row begins with its position, behind `offset` bytes.
struct table {
    size_t size;
    size_t offset;
    int (*compare)(const void *, const void *);
    bool (*same)(const void *, const void *);
};

static const struct table placement_table = {sizeof(struct fold_placement),
                                             offsetof(struct fold_placement, from_position),
                                             compare_placements, same_placements};
static const struct table route_table = {sizeof(struct fold_route),
                                         offsetof(struct fold_route, from_position), compare_routes,
                                         same_routes};
static const struct table change_table = {sizeof(struct fold_change),
                                          offsetof(struct fold_change, position), compare_changes,
                                          same_changes};
static const struct table attribution_table = {sizeof(struct fold_attribution),
                                               offsetof(struct fold_attribution, position),
                                               compare_attributions, same_attributions};

struct list {
    char *rows;
    size_t count;
};

static int64_t position_at(const struct table *table, const struct list *list, size_t index)
{
    int64_t position;
    memcpy(&position, list->rows + index * table->size + table->offset, sizeof(position));
    return position;
}

// The lowest position of a row that is in `before` only.
// The output can only say "from here on" (fold_output.replace_from), so one vanished row makes all
// rows of all tables behind it come again.
static int64_t first_vanished(const struct table *table, const struct list *after,
                              const struct list *before)
{
    size_t at = 0;
    for (size_t i = 0; i < before->count; i++) {
        const char *row = before->rows + i * table->size;
        while (at < after->count && table->compare(after->rows + at * table->size, row) < 0)
            at++;
        if (at == after->count || table->compare(after->rows + at * table->size, row) != 0)
            return position_at(table, before, i);
    }
    return INT64_MAX;
}

// Leaves the rows from `from` on, and of the others those that are new or changed.
// Before: A ended, B open. After: A ended, B ended, C open. No row vanished, so B (its key is there
// already) and C are given, and A is not.
static size_t keep_changed(const struct table *table, struct list *after, const struct list *before,
                           int64_t from)
{
    size_t used = 0;
    size_t at = 0;
    for (size_t i = 0; i < after->count; i++) {
        char *row = after->rows + i * table->size;
        while (at < before->count && table->compare(before->rows + at * table->size, row) < 0)
            at++;
        const char *old = at < before->count ? before->rows + at * table->size : NULL;
        bool stays = old != NULL && table->compare(old, row) == 0 && table->same(old, row);
        if (stays && position_at(table, after, i) < from)
            continue;
        memmove(after->rows + used++ * table->size, row, table->size);
    }
    return used;
}

// The position is found over all tables first: what one of them lets go, the others must give
// again.
int64_t fold_rows_subtract(struct fold_rows *rows, const struct fold_rows *before)
{
    const struct table *tables[] = {&placement_table, &route_table, &change_table,
                                    &attribution_table};
    struct list after[] = {{(char *)rows->placements, rows->placement_count},
                           {(char *)rows->routes, rows->route_count},
                           {(char *)rows->changes, rows->change_count},
                           {(char *)rows->attributions, rows->attribution_count}};
    const struct list old[] = {{(char *)before->placements, before->placement_count},
                               {(char *)before->routes, before->route_count},
                               {(char *)before->changes, before->change_count},
                               {(char *)before->attributions, before->attribution_count}};
    size_t *counts[] = {&rows->placement_count, &rows->route_count, &rows->change_count,
                        &rows->attribution_count};
    int64_t from = INT64_MAX;
    for (size_t i = 0; i < 4; i++) {
        int64_t vanished = first_vanished(tables[i], &after[i], &old[i]);
        from = vanished < from ? vanished : from;
    }
    for (size_t i = 0; i < 4; i++)
        *counts[i] = keep_changed(tables[i], &after[i], &old[i], from);
    return from;
}

// The input may be gone before the output: its texts are copied.
static void own(struct fold_output *out, const char **text)
{
    *text = fold_arena_text(&out->arena, *text);
}

static void *copy_list(struct fold_output *out, const void *list, size_t count, size_t size)
{
    if (count == 0)
        return NULL;
    void *copy = fold_arena_array(&out->arena, count, size);
    memcpy(copy, list, count * size);
    return copy;
}

// time_source and identity_source are constants of ours, and need no copy; change_type, reason and
// strength likewise.
static void own_placements(struct fold_output *out)
{
    for (size_t i = 0; i < out->placement_count; i++) {
        struct fold_placement *row = &out->placements[i];
        own(out, &row->component);
        own(out, &row->model);
        own(out, &row->version);
        own(out, &row->artifact);
        own(out, &row->artifact_digest);
        own(out, &row->unknown_revision);
        own(out, &row->role);
        own(out, &row->image);
        own(out, &row->state); // from a checkpoint it is no constant
    }
}

static void own_changes(struct fold_output *out)
{
    for (size_t i = 0; i < out->change_count; i++) {
        struct fold_change *row = &out->changes[i];
        own(out, &row->component);
        own(out, &row->from_model);
        own(out, &row->to_model);
        own(out, &row->from_version);
        own(out, &row->to_version);
        own(out, &row->from_artifact);
        own(out, &row->to_artifact);
        own(out, &row->role);
    }
}

// Copied once, at the end: rows are made in lists that grow, and only what is left of them is
// given.
void fold_rows_give(const struct fold_rows *rows, struct fold_output *out)
{
    out->placement_count = rows->placement_count;
    out->route_count = rows->route_count;
    out->change_count = rows->change_count;
    out->attribution_count = rows->attribution_count;
    out->placements =
        copy_list(out, rows->placements, rows->placement_count, sizeof(*rows->placements));
    out->routes = copy_list(out, rows->routes, rows->route_count, sizeof(*rows->routes));
    out->changes = copy_list(out, rows->changes, rows->change_count, sizeof(*rows->changes));
    out->attributions =
        copy_list(out, rows->attributions, rows->attribution_count, sizeof(*rows->attributions));
    own_placements(out);
    own_changes(out);
    for (size_t i = 0; i < out->route_count; i++) {
        own(out, &out->routes[i].target_kind);
        own(out, &out->routes[i].target);
        own(out, &out->routes[i].role);
    }
}

void fold_rows_reset(struct fold_rows *rows)
{
    free(rows->placements);
    free(rows->routes);
    free(rows->changes);
    free(rows->attributions);
    *rows = (struct fold_rows){0};
}
