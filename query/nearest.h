#pragma once

#include <stddef.h>

// How many insertions, deletions, replacements and swaps of neighbours turn one text into the
// other (optimal string alignment), by bytes without regard to ASCII case; at most `limit` + 1 is
// told apart.
size_t edit_distance(const char *left, const char *right, size_t limit);

// The candidate that `word` was probably meant to be, borrowed; NULL when none is near. Skips
// NULLs.
const char *nearest_word(const char *word, const char *const candidates[], size_t count);
