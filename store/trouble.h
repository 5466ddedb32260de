#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/database.h"

// What a person must mend at this store, told to the database for `modeltrail doctor`. Its log says
// it as well, but nobody reads that who does not suspect it.

#define STORE_NAME_BYTES 512

// Gives what tells this store from others of the database: its host and an endpoint of it.
void trouble_name_store(const char *endpoint, char name[STORE_NAME_BYTES]);

// Notes what is wrong, to be repeated while it lasts: what is told no more for three minutes is of
// a store that is gone. NULL: it is mended, or there was nothing.
bool trouble_note(struct database *db, const char *store, const char *trouble,
                  struct error *err) WARN_UNUSED;
