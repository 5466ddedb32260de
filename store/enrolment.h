#pragma once

#include <stdbool.h>

#include "common/error.h"
#include "store/config.h"

// Who may connect, without an editor: one file for each collector in the configuration's
// collectors_folder, NAME.yaml, written whole or not at all. A running store reads the folder again
// on SIGHUP.

// What `enrol` is told. Cluster, namespaces and repositories (separated by commas) may be NULL for
// a collector that is enrolled already: it keeps what it has. NULL namespaces of a new one: the
// whole cluster; NULL repositories: none.
struct enrolment {
    const char *name;
    const char *key; // 64 hex digits
    const char *cluster;
    const char *namespaces;
    const char *repositories;
};

// Enrols a collector, or gives one that is enrolled a second key: both hold until one is revoked.
// Prints what holds then. Refuses published test keys, keys and names that are taken, and another
// scope than the collector has.
bool enrolment_add(const struct store_config *config, const struct enrolment *wanted,
                   struct error *err) WARN_UNUSED;

// Takes one key (hex) of an enrolled collector back, or, with NULL, the collector. Its last key
// cannot be taken alone.
bool enrolment_revoke(const struct store_config *config, const char *name, const char *key,
                      struct error *err) WARN_UNUSED;
