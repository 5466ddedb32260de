#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/database.h"
#include "store/batch.h"
#include "store/mark.h"

// Where a part stands to what is stored: which of its lines are new, and whether the others are
// really the ones that are stored (docs/rules.md 26).

// One line of a part; its newline is not part of it.
struct part_line {
    const char *bytes;
    size_t length;
};

// Steps through the part's lines: *at is an offset, 0 at first. False at the end.
bool part_next_line(const struct batch_part *part, size_t *at, struct part_line *line);

// Sets the part's outcome and, when it is PART_STORED, how many of its first lines are repeats.
// False only when the database could not be asked.
bool part_check(struct database *db, struct batch_part *part, const struct mark *mark,
                int64_t *repeats, struct error *err) WARN_UNUSED;
