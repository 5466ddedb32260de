#pragma once

#include <stdbool.h>
#include <stdint.h>

// The wall clock as the collector goes by it. It runs with the clock since boot, which nobody can
// set, and agrees with the wall clock only when it is asked to: so that all instants between two
// agreements are of one clock, and whoever remembers some can move them when it was set.

// Microseconds since 1970, by the clock last agreed with; by the wall clock before that.
int64_t clock_now(void);

// Agrees with the wall clock. Returns by how many microseconds it was set since the last agreement,
// 0 when it runs on.
int64_t clock_agree(void);

// What another process may go on with on this machine until it is booted anew; the caller frees it.
char *clock_print(void);

// Goes on with it; false when it is none, or of another boot: then the clock agrees anew.
bool clock_resume(const char *text);
