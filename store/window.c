// The arithmetic of the memory bound. Its constants were measured:
// tests/faults/test_backpressure.py holds the store to them.

#include "store/window.h"

// The program and its libraries, one transaction's lines, trees, rows and fold, those that are read
// ahead, and the fragments between them.
#define STORE_BYTES ((int64_t)128 * 1024 * 1024)
// A connection's pipes, decoder, keys and session.
#define CONNECTION_BYTES ((int64_t)128 * 1024)

// A byte of a window costs a quarter more: headers, and blocks that are larger than what is in
// them.
int64_t window_least_memory(size_t collectors)
{
    int64_t window = (WINDOW_LEAST + 3) / 4 * 5;
    return STORE_BYTES + (int64_t)collectors * (CONNECTION_BYTES + window);
}

int64_t window_room(int64_t memory_max_bytes, size_t collectors)
{
    int64_t left = memory_max_bytes - STORE_BYTES - (int64_t)collectors * CONNECTION_BYTES;
    return left / 5 * 4;
}

int64_t window_share(int64_t memory_max_bytes, size_t collectors, size_t old)
{
    int64_t left = window_room(memory_max_bytes, collectors) - (int64_t)old * WINDOW_V1;
    size_t others = collectors > old ? collectors - old : 0;
    if (left < 0)
        return 0;
    int64_t share = others > 0 ? left / (int64_t)others : WINDOW_MOST;
    return share < WINDOW_MOST ? share : WINDOW_MOST;
}
