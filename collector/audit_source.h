#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "collector/source.h"

// Reads the audit log of one API server: `path` is followed through its rotations, or, with `once`,
// read to its end (a file, an archive, a glob of them, or "-" for standard input). All strings are
// copied.
struct audit_options {
    const char *path;
    const char *format; // of the lines (audit_delivery.h); NULL: as the API server writes them
    const char *vendor_cluster; // of which events are taken, as the vendor calls it; NULL: of the
                                // first, and another one is an error
    const char *spool;          // standard input is kept next to it while it is read
    const char *cluster;
    const char *const *namespaces; // count 0: all
    size_t namespace_count;
    bool complete; // the log begins with its cluster and has every write: it gives state coverage
                   // too
    bool once;
};

// Opens the source; files are looked for in its first steps.
struct source *audit_source_open(const struct audit_options *options);
