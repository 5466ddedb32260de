#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/error.h"
#include "common/memory.h"

// Cuts a Kubernetes list into its items while it streams in (docs/rules.md 30): custom resource
// lists put `metadata` behind `items`, and a page is never one tree. It finds borders only; whoever
// takes an item checks its grammar.

struct list_splitter;

enum split_result {
    SPLIT_MORE, // all bytes used, the list goes on
    SPLIT_ITEM, // an item is complete; feed the rest again
    SPLIT_BAD,  // this is no list; the error tells why
};

// Items longer than item_max_bytes are cut there and flagged. The caller frees.
struct list_splitter *list_splitter_new(size_t item_max_bytes);
void list_splitter_free(struct list_splitter *splitter);
DEFINE_CLEANUP(struct list_splitter, list_splitter_free)

// Reads on; *used is how many of the bytes were taken.
enum split_result list_splitter_feed(struct list_splitter *splitter, const char *bytes,
                                     size_t length, size_t *used, struct error *err);

// The item just completed, borrowed until the next feed; *cut is set when its end was dropped.
const struct buffer *list_splitter_item(const struct list_splitter *splitter, bool *cut);

// After the last byte: false unless the list was complete. Gives its metadata's resourceVersion and
// `continue` (empty when it is the last page), which the caller frees.
bool list_splitter_finish(struct list_splitter *splitter, char **resource_version,
                          char **continue_token, struct error *err) WARN_UNUSED;

// Finds metadata.uid in the bytes of an object, even when they are no acceptable JSON or were cut,
// so that an object that cannot be used is still known to exist. False when there is none.
bool object_uid_skim(const char *bytes, size_t length, char *uid, size_t capacity);
