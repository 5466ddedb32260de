#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/backoff.h"
#include "collector/http.h"
#include "collector/kinds.h"
#include "collector/kubernetes_source.h"
#include "collector/observation.h"
#include "collector/record_queue.h"
#include "collector/scope_event.h"
#include "collector/stream_mark.h"

// Inside the Kubernetes source: one stream lists and watches one kind in one namespace, or in the
// whole cluster. Its network side runs ahead; its mark moves only with what an outbox took.

// What the network side reads of one object; etcd takes about 1.5 MiB. What comes from elsewhere
// has its own measure (TREE_MAX_BYTES).
#define OBJECT_MAX_BYTES ((size_t)8 * 1024 * 1024)

struct list_job;  // kubernetes_list.c
struct watch_job; // kubernetes_watch.c
struct probe;     // kubernetes_probe.c

// What the streams of one source share.
struct kubernetes {
    struct kubernetes_options options; // with all defaults filled in
    struct kubeconfig *config;
    struct http_client *http;
    struct record_queue queue;
    struct stream **streams;
    size_t stream_count;
    size_t lists_running;
    int64_t newest_rv; // any resourceVersion is one of the whole cluster
};

struct stream {
    struct kubernetes *kubernetes;
    const struct kind *kind; // NULL: the cluster's namespaces
    const char *namespace;   // NULL: the whole cluster; borrowed from the options
    char *resource;          // "models.mlops.seldon.io"
    char *known_scope;
    char *cursor_key;
    bool loaded; // the cursor was read

    struct stream_mark mark;   // committed
    struct stream_mark staged; // with the records of the current step
    bool cursor_dirty;

    const char *version; // API version; NULL = not installed, or not known yet
    bool look_again;     // what discovery said is no longer true (404)
    bool emptying;       // RECORD_EMPTIED was pushed
    int64_t next_rv;     // where the next watch begins; 0 = list first
    int64_t top_rv;      // the highest that the network side saw
    int64_t wait_until_ms;
    int64_t relist_at_ms;
    int64_t watched_at_ms; // of the next scope.watched
    struct backoff backoff;
    int64_t refused_since_ms; // of an unbroken row of 403, 0 = none
    bool refused_once;        // a 401 was answered with a fresh token already
    char trouble[200];        // as last logged; "" = all is well
    int64_t alive_ms;         // when the watch, a list or a probe last said something
    bool doubted;             // the server was further than the watch, at the last probe
    int64_t listed_ms;        // when the last list ended
    size_t listed_count;      // its objects
    struct list_job *list;
    struct watch_job *watch;
    struct probe *probe;
};

// True when the stream's objects are workloads. Of namespaces and GitOps objects no scope is told:
// they add to what is known of workloads, and nothing is concluded from their absence.
static inline bool stream_has_scope(const struct stream *stream)
{
    return stream->kind != NULL && stream->kind->tool == NULL;
}

struct stream *stream_new(struct kubernetes *kubernetes, const struct kind *kind,
                          const char *namespace);
void stream_free(struct stream *stream);

// The wall clock was set: what was observed, and what is being asked, moves with it.
void stream_clock_set(struct stream *stream, int64_t by_us);

// Writes the mark as the cursor, outside of a record's writing. RETRY from the outbox.
bool stream_save(const struct stream *stream, struct outbox *outbox, struct error *err) WARN_UNUSED;

// The stream's scope, borrowed from it.
struct scope stream_scope(const struct stream *stream);

// Reads the cursor once. RETRY from the outbox.
bool stream_load(struct stream *stream, struct outbox *outbox, struct error *err) WARN_UNUSED;

// Starts what is due; returns in how many milliseconds it wants to be called again, -1 = never.
int64_t stream_run(struct stream *stream, int64_t now_ms);

// Discovery's answer: the API version to use, or NULL when the kind is not installed.
void stream_resolve(struct stream *stream, const char *version);

// Begins the path of the stream's collection: "/apis/G/V/namespaces/NS/PLURAL".
void stream_path(const struct stream *stream, struct buffer *out);

// Deals with an answer that was no success: waits, asks for another token, notes a gap.
void stream_trouble(struct stream *stream, const char *doing, const struct http_result *result);

// All went well: forgets back-off and says so when there was trouble.
void stream_recovered(struct stream *stream);

// Coverage is lost from the last sight on: list anew.
void stream_lost(struct stream *stream, const char *reason);
// A resourceVersion went back (docs/rules.md 7): the same, and nothing may be concluded from lists.
void stream_tainted(struct stream *stream);

// Reads an object's head; false when it cannot be used here, and its bytes are queued as rejected.
bool stream_read_head(struct stream *stream, const char *bytes, size_t length,
                      struct object_head *head);

// Queues an object whose head was read.
void stream_push_object(struct stream *stream, enum record_kind kind,
                        const struct object_head *head, const char *bytes, size_t length,
                        int64_t at, bool removed);

// Queues bytes that cannot be used.
void stream_reject(struct stream *stream, const char *bytes, size_t length, const char *reason);

// kubernetes_list.c: one list, in pages, of one resourceVersion.
void list_begin(struct stream *stream);
void list_run(struct stream *stream);
bool list_is_waiting(const struct stream *stream);
// Lets others list when this one takes very long; when that will be, INT64_MAX = never.
int64_t list_check(struct stream *stream, int64_t now_ms);
void list_cancel(struct stream *stream);
void list_clock_set(struct stream *stream, int64_t by_us);

// kubernetes_watch.c: one watch connection.
void watch_begin(struct stream *stream, int64_t now_ms);
// Ends a watch that outlived its time; returns when it would.
int64_t watch_deadline_ms(const struct stream *stream);
void watch_check(struct stream *stream, int64_t now_ms);
void watch_cancel(struct stream *stream);
// True while the server answers.
bool watch_is_open(const struct stream *stream);

// kubernetes_probe.c: asks how far the server is, when the watch has been quiet.
void probe_begin(struct stream *stream);
void probe_cancel(struct stream *stream);
void probe_clock_set(struct stream *stream, int64_t by_us);
