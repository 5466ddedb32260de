#pragma once

#include <stdbool.h>

#include "common/error.h"
#include "common/memory.h"
#include "store/allow_list.h"

// The store's configuration file (modeltrail-store(1)).
struct store_config {
    char *listen;   // ZeroMQ endpoint, such as tcp://0.0.0.0:7461
    char *key_file; // the store's CURVE secret key
    char *database; // libpq conninfo; "" = PG* variables
    struct allow_list *allow_list;
};

// Reads the file. `database` may be overridden by the caller's option afterwards. The caller frees.
bool store_config_read(const char *path, struct store_config **out, struct error *err) WARN_UNUSED;
void store_config_free(struct store_config *config);
DEFINE_CLEANUP(struct store_config, store_config_free)
