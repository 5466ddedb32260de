#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/event.h"

// How the store's memory is shared out (docs/architecture.md, Bounds): what the store itself needs
// is taken off, and each collector gets an equal part of the rest for event lines that are sent and
// not acknowledged. They lie in the store's memory whether the store has looked at them or not.

// One event of the largest size must always be sendable, or its collector would stand still.
#define WINDOW_LEAST (EVENT_MAX_BYTES + 1)
// More gains nothing: one frame travels while the one before is committed.
#define WINDOW_MOST ((int64_t)2 * EVENT_MAX_BYTES)
// What a collector of wire version 1 sends without being told, with an event that goes over.
#define WINDOW_V1 ((int64_t)2 * (EVENT_MAX_BYTES + 1))

// The least memory_max_bytes with which so many collectors of this version can be served.
int64_t window_least_memory(size_t collectors);

// Bytes for what all collectors have sent, out of memory_max_bytes.
int64_t window_room(int64_t memory_max_bytes, size_t collectors);

// Each collector's window when `old` of them speak version 1. Less than WINDOW_LEAST: there is no
// room for that many old ones.
int64_t window_share(int64_t memory_max_bytes, size_t collectors, size_t old);
