#pragma once

#include <stdbool.h>

#include "collector/config.h"

// Prints the command that lets this collector in at the store, to be copied there: its name, its
// public key in hex, its cluster, its namespaces and the Git repositories that it reads. Makes the
// key file when there is none.
bool enrol_print(const struct config *config, struct error *err) WARN_UNUSED;
