// Beliefs from facts, all over again.
// One transaction: a reader never sees half, and a failure leaves all as it was. The writer lock
// makes a running store wait.

#include "store/rebuild.h"

#include "store/batch_transaction.h"
#include "store/belief.h"
#include "store/central.h"

bool rebuild_run(struct database *db, int64_t batch_events, struct error *err)
{
    struct central_rules rules = {0};
    bool done = batch_transaction_begin(db, 0, err) && central_rules_read(&rules, db, err) &&
                belief_clear(db, err) && belief_refold_all(db, &rules.rules, batch_events, err) &&
                batch_transaction_commit(db, err);
    if (!done)
        batch_transaction_abandon(db);
    central_rules_reset(&rules);
    return done || fail_in(err, "rebuild");
}
