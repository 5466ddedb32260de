#pragma once

#include <stddef.h>

#include "store/fold.h"

// Rows while they are made: growing lists, sorted and handed over at the end.

// Memory is malloc's, and goes to the output by copy (fold_rows_give).
struct fold_rows {
    struct fold_placement *placements;
    size_t placement_count;
    size_t placement_capacity;
    struct fold_route *routes;
    size_t route_count;
    size_t route_capacity;
    struct fold_change *changes;
    size_t change_count;
    size_t change_capacity;
    struct fold_attribution *attributions;
    size_t attribution_count;
    size_t attribution_capacity;
};

// Each adds a copy of one row; the texts stay where they are.
void fold_rows_add_placement(struct fold_rows *rows, const struct fold_placement *row);
void fold_rows_add_route(struct fold_rows *rows, const struct fold_route *row);
void fold_rows_add_change(struct fold_rows *rows, const struct fold_change *row);
void fold_rows_add_attribution(struct fold_rows *rows, const struct fold_attribution *row);

// Sorts each list by its table's key.
void fold_rows_sort(struct fold_rows *rows);

// Fills empty lists with copies that share the rows' texts.
void fold_rows_copy(const struct fold_rows *rows, struct fold_rows *out);

// Leaves in `rows` what differs from `before` (both sorted), and gives the position from which
// stored rows must go: INT64_MAX when no row of `before` vanished.
int64_t fold_rows_subtract(struct fold_rows *rows, const struct fold_rows *before);

// Copies the rows and their texts into the output.
void fold_rows_give(const struct fold_rows *rows, struct fold_output *out);

// Frees the rows and leaves none.
void fold_rows_reset(struct fold_rows *rows);
