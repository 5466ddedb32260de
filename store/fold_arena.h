#pragma once

#include <stddef.h>

#include "common/memory.h"

// Memory that is freed all at once: what a batch reads and what its folds compute. Zeroed storage
// ({0}) is an empty arena.
// Nothing in it can be freed alone, and nothing moves.
struct fold_arena {
    struct fold_arena_block *newest;
};

// Memory for size bytes, zeroed, aligned for any object; it lives until fold_arena_reset.
void *fold_arena_alloc(struct fold_arena *arena, size_t size_bytes);

// Memory for an array; aborts when count * size overflows.
void *fold_arena_array(struct fold_arena *arena, size_t count, size_t size_bytes);

// A copy of the text; NULL gives NULL.
const char *fold_arena_text(struct fold_arena *arena, const char *text);

// A NUL-terminated copy of the bytes.
const char *fold_arena_bytes(struct fold_arena *arena, const char *bytes, size_t length);

// Forgets everything but keeps the newest memory for what comes next.
void fold_arena_clear(struct fold_arena *arena);

// Frees everything; the arena may be used again.
void fold_arena_reset(struct fold_arena *arena);

static inline void fold_arena_scoped_cleanup(struct fold_arena *arena)
{
    fold_arena_reset(arena);
}
// SCOPED_FOLD_ARENA name = {0};
#define SCOPED_FOLD_ARENA __attribute__((cleanup(fold_arena_scoped_cleanup))) struct fold_arena
