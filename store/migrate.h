#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/database.h"

// The numbered files of sql/migrations, embedded when the program is built.
struct migration {
    int version;
    const char *name;
    const char *sql;
    size_t length;
};
extern const struct migration migrations[];
extern const size_t migration_count;

// The newest version that this program knows.
int migrate_newest(void);

// Brings the schema up to migrate_newest(): one transaction each, under an advisory lock taken
// before the version is read. STOP when an applied file differs from ours or the schema is newer
// than the program. *applied receives how many were run.
bool migrate_run(struct database *db, int *applied, struct error *err) WARN_UNUSED;

// Checks that the schema has exactly the version that this program was built for.
bool migrate_check(struct database *db, struct error *err) WARN_UNUSED;
