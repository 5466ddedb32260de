#pragma once

#include "collector/outbox.h"
#include "collector/spool.h"

// The outbox of a spool: what sources are given inside its transactions. The spool must outlive it;
// the caller closes with outbox_close.
bool outbox_open(struct spool *spool, struct outbox **out, struct error *err) WARN_UNUSED;
void outbox_close(struct outbox *outbox);
DEFINE_CLEANUP(struct outbox, outbox_close)
