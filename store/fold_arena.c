// A bump allocator: folds make many small things that all die together.

#include "store/fold_arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BLOCK 4096
#define LARGEST_BLOCK (1024 * 1024)

struct fold_arena_block {
    struct fold_arena_block *older;
    size_t used;
    size_t size;
    max_align_t bytes[];
};

// Something larger than a block gets one of its own size.
static struct fold_arena_block *add_block(struct fold_arena *arena, size_t least)
{
    // Blocks double, so that a small fold stays small and a large one needs few blocks.
    size_t size = arena->newest == NULL ? FIRST_BLOCK : arena->newest->size * 2;
    if (size > LARGEST_BLOCK)
        size = LARGEST_BLOCK;
    if (size < least)
        size = least;
    struct fold_arena_block *block = xmalloc(sizeof(*block) + size);
    *block = (struct fold_arena_block){.older = arena->newest, .size = size};
    arena->newest = block;
    return block;
}

// What is left of the block before is given up; looking back for room would cost more than it
// saves.
static void *take(struct fold_arena *arena, size_t size_bytes, size_t align)
{
    struct fold_arena_block *block = arena->newest;
    size_t start = block == NULL ? 0 : (block->used + align - 1) / align * align;
    if (block == NULL || start > block->size || block->size - start < size_bytes) {
        block = add_block(arena, size_bytes);
        start = 0;
    }
    block->used = start + size_bytes;
    return (char *)block->bytes + start;
}

void *fold_arena_alloc(struct fold_arena *arena, size_t size_bytes)
{
    void *memory = take(arena, size_bytes, _Alignof(max_align_t));
    memset(memory, 0, size_bytes);
    return memory;
}

void *fold_arena_array(struct fold_arena *arena, size_t count, size_t size_bytes)
{
    size_t total;
    if (__builtin_mul_overflow(count, size_bytes, &total))
        memory_exhausted(); // as xgrow does
    return fold_arena_alloc(arena, total);
}

const char *fold_arena_text(struct fold_arena *arena, const char *text)
{
    return text == NULL ? NULL : fold_arena_bytes(arena, text, strlen(text));
}

const char *fold_arena_bytes(struct fold_arena *arena, const char *bytes, size_t length)
{
    char *copy = take(arena, length + 1, 1);
    memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

static void free_blocks(struct fold_arena_block *block)
{
    while (block != NULL) {
        struct fold_arena_block *older = block->older;
        free(block);
        block = older;
    }
}

// The newest block is the one to keep, since blocks grow.
void fold_arena_clear(struct fold_arena *arena)
{
    if (arena->newest == NULL)
        return;
    free_blocks(arena->newest->older);
    arena->newest->older = NULL;
    arena->newest->used = 0;
}

void fold_arena_reset(struct fold_arena *arena)
{
    free_blocks(arena->newest);
    arena->newest = NULL;
}
