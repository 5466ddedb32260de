#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/database.h"
#include "store/batch_event.h"
#include "store/copy.h"
#include "store/facts_field.h"
#include "store/facts_touched.h"

// The facts of one batch: what its usable events say, as rows for the fact tables
// (docs/architecture.md). Facts are collected in memory and sent at once; they are never changed
// afterwards.

// A listing of this batch, by its key.
// Texts live in touched.arena.
struct facts_listing {
    const char *cluster;
    const char *resource;
    const char *namespace;
    int64_t log_index;
};

// A request of this batch that concerns workloads by something else than their uid.
// Texts live in touched.arena.
struct facts_scoped {
    const char *cluster;
    const char *resource;
    const char *namespace;   // "" for the whole cluster
    const char *name;        // NULL: none
    uint8_t uid[UUID_BYTES]; // of an owner
    struct fold_request request;
};

// One buffer of rows for each table, filled while events are read: sending waits until the batch is
// known to have no conflicts (D25).
struct facts {
    struct copy state;
    struct copy listing;
    struct copy gap;
    struct copy watched;
    struct copy request;
    struct copy namespace_label;
    struct copy gitops_sync;
    struct copy commit;
    struct copy commit_path;
    struct copy central;
    struct copy environment;
    struct copy person;
    // What beliefs the batch concerns, and its own facts about them for their folds.
    struct touched touched;
    struct facts_listing *listings;
    size_t listing_count;
    size_t listing_capacity;
    struct facts_scoped *scoped;
    size_t scoped_count;
    size_t scoped_capacity;
    int64_t *centrals; // log indexes of central.applied events
    size_t central_count;
    size_t central_capacity;
    // Of the event that is being taken, and nothing between two.
    struct buffer scratch;
};

// Takes what the event says into the facts. What its data lacks, what it may not say, and types
// that nobody knows become event->quarantined; nothing of such an event is taken.
// Never fails: one event that is of no use must not stop those behind it (docs/architecture.md,
// invariant 3).
void facts_add(struct facts *facts, struct batch_event *event);

// Sends all rows. The heads of facts->touched are loaded by now (store/belief.h), which tells the
// workloads that are new; the beliefs of facts->touched are the caller's next step.
bool facts_send(struct facts *facts, struct database *db, struct error *err) WARN_UNUSED;

// Frees all facts, sent or not.
void facts_reset(struct facts *facts);

// Takers of one event type each; they take nothing unless they return true.
bool facts_take_observed(struct facts *facts, const struct batch_event *event, struct error *err);
bool facts_take_request(struct facts *facts, const struct batch_event *event, struct error *err);
bool facts_take_review(struct facts *facts, const struct batch_event *event, struct error *err);
bool facts_take_listed(struct facts *facts, const struct batch_event *event, struct error *err);
bool facts_take_watched(struct facts *facts, const struct batch_event *event, struct error *err);
bool facts_take_gap(struct facts *facts, const struct batch_event *event, struct error *err);
bool facts_take_namespace(struct facts *facts, const struct batch_event *event, struct error *err);
bool facts_take_gitops(struct facts *facts, const struct batch_event *event, struct error *err);
bool facts_take_commit(struct facts *facts, const struct batch_event *event, struct error *err);

// The instant, or the recording time when it lies behind that: what we are told of had happened by
// then, whatever the teller's clock says. TIMESTAMP_NONE and FOLD_NONE stay.
int64_t facts_not_later(const struct batch_event *event, int64_t at);

// An instant of the collector's own clock: one that is known to be slow is raised by what it lags
// behind. Too late an upper bound still is one, too early a one is none; and what is observed since
// a later instant claims less.
int64_t facts_raised(const struct batch_event *event, int64_t at);

// Both: an upper bound of the collector's own clock.
int64_t facts_by_clock(const struct batch_event *event, int64_t at);

// Appends a column of texts: a JSON array whose items were checked to be strings, or NULL for
// "not known", which is something else than "none".
void facts_copy_texts(struct copy *row, const cJSON *list);

// Refuses a cluster and namespace that the event's collector may not speak for; namespace NULL or
// "" stands for the whole cluster.
bool facts_check_scope(const struct batch_event *event, const char *cluster, const char *namespace,
                       struct error *err);

// Refuses a cluster that the event's collector does not speak for, be it for some namespaces only:
// the check of events that are of no namespace.
bool facts_check_cluster(const struct batch_event *event, const char *cluster, struct error *err);
