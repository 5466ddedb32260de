#pragma once

#include <stdbool.h>

#include "common/buffer.h"
#include "common/error.h"

// What differs between two readings of one Kubernetes object, value by value.

#define OBJECT_DIFF_LEFT_OUT 4 // places that every write changes, whatever it was about

struct object_diff {
    // A JSON array of {"path", "from", "to"}; a side on which the path is missing is left out, for
    // null is a value. Values are JSON as they were written.
    struct buffer items;
    size_t count;                               // of differences in `items`
    const char *left_out[OBJECT_DIFF_LEFT_OUT]; // places that differ and were left out
    size_t left_out_count;
    bool is_cut; // more differences than anybody reads: the rest was left out
};

// Compares two objects, JSON texts. `whole` compares status, managedFields, generation and
// resourceVersion too. Items of lists that all have a `name` of their own are compared by it,
// other lists by place. False with REJECT when a text is not acceptable JSON; the caller frees with
// object_diff_reset.
bool object_diff_make(const char *from, const char *to, bool whole, struct object_diff *diff,
                      struct error *err) WARN_UNUSED;
void object_diff_reset(struct object_diff *diff);

// Appends the items of a diff for people, one a line: `spec.replicas: 1 -> 2`. False when it is no
// such array.
bool object_diff_append_lines(const char *items, struct buffer *out, struct error *err) WARN_UNUSED;
