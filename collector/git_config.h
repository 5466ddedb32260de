#pragma once

#include <stdbool.h>

#include "collector/git_options.h"
#include "common/error.h"
#include "common/yaml.h"

// The options of a `git` source in the collector's configuration.

// Reads and checks the map. Texts are borrowed from it; the folders are new, and the caller frees
// them with free.
bool git_config_read(const struct yaml_node *map, struct git_options *out,
                     struct git_folder **folders, struct error *err) WARN_UNUSED;
