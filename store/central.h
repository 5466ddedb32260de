#pragma once

#include <stdbool.h>

#include "store/facts.h"
#include "store/naming.h"

// The central file in the log (modeltrail-store(1)): what a central.applied event says, as facts,
// and the naming rules that it puts in force.

// The taker of central.applied (store/facts.h).
bool central_take(struct facts *facts, const struct batch_event *event, struct error *err);

// Sends the rows that central_take collected and derives environment_map (R23) and
// person_map from them.
bool central_send(struct facts *facts, struct database *db, struct error *err) WARN_UNUSED;

// The naming rules, kept from batch to batch. Zeroed storage ({0}) knows none yet.
// The leaf also tells apart what was rolled back: a batch that is tried again gives its event the
// same index, but a new salt.
struct central_rules {
    struct naming_rules rules;
    int64_t newest;                    // log index of the newest central event read, 0 when none
    uint8_t newest_leaf[DIGEST_BYTES]; // its leaf hash: no other database has the same
};

// Makes them those in force at the end of what this transaction sees; reads the files only when the
// newest is another one than before. rules.log_index tells when the patterns last changed.
bool central_rules_read(struct central_rules *rules, struct database *db,
                        struct error *err) WARN_UNUSED;
void central_rules_reset(struct central_rules *rules);
