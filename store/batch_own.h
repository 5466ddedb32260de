#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "common/database.h"

// No allow-list can name it (a name there never begins with '_'), so nobody else can write under
// it. One epoch for ever: there is no spool that could be lost or restored.
#define OWN_COLLECTOR "_store"
#define OWN_EPOCH 1

// Stores one event of the store's own collector through the same path as any other (docs/rules.md
// 24), with its own mark and chain. Takes its place behind whatever another store wrote meanwhile.
bool batch_own_store(struct database *db, const char *type, const cJSON *data,
                     struct error *err) WARN_UNUSED;

// Reads the data of the newest own event of the type; *out is NULL when there is none. The caller
// deletes it.
bool batch_own_newest(struct database *db, const char *type, cJSON **out,
                      struct error *err) WARN_UNUSED;
