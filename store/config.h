#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/memory.h"
#include "store/allow_list.h"

// Where to listen, and with which of the store's keys.
struct listen_config {
    char *endpoint; // of ZeroMQ, such as tcp://0.0.0.0:7461
    char *key_file; // CURVE secret key
};

// The store's configuration file (modeltrail-store(1)).
struct store_config {
    struct listen_config *listen;
    size_t listen_count;
    char *database;          // libpq conninfo; "" = PG* variables
    char *collectors_folder; // what enrol and revoke write to; NULL: none
    struct allow_list *allow_list;
    int64_t memory_max_bytes; // of the whole process (store/window.h)
};

// Reads the file. `database` may be overridden by the caller's option afterwards. The caller frees.
bool store_config_read(const char *path, struct store_config **out, struct error *err) WARN_UNUSED;
void store_config_free(struct store_config *config);
DEFINE_CLEANUP(struct store_config, store_config_free)
