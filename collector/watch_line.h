#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

enum watch_type { WATCH_ADDED, WATCH_MODIFIED, WATCH_DELETED, WATCH_BOOKMARK, WATCH_ERROR };

// One line of a Kubernetes watch; the object is borrowed from the line.
struct watch_line {
    enum watch_type type;
    const char *object;
    size_t object_length;
};

// Reads {"type":...,"object":{...}} without building a tree. REJECT when it is no such line.
bool watch_line_parse(const char *bytes, size_t length, struct watch_line *line,
                      struct error *err) WARN_UNUSED;
