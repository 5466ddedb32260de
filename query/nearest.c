// "Did you mean": the nearest of some names. Bytes, not characters: model names are ASCII nearly
// always, and a hint that is one edit off is still a hint.

#include "query/nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define WORD_MAX_BYTES 256 // longer words get no hint; the table would be large for no use

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

// One row of the alignment table from the two above it; returns the row's least value.
static size_t fill_row(const char *left, size_t i, const char *right, size_t width,
                       const size_t *two_up, const size_t *up, size_t *row)
{
    row[0] = i;
    size_t best = i;
    for (size_t j = 1; j <= width; j++) {
        size_t replaced = up[j - 1] + !same_letter(left[i - 1], right[j - 1]);
        row[j] = least(least(up[j], row[j - 1]) + 1, replaced);
        if (i > 1 && j > 1 && same_letter(left[i - 1], right[j - 2]) &&
            same_letter(left[i - 2], right[j - 1]))
            row[j] = least(row[j], two_up[j - 2] + 1);
        best = least(best, row[j]);
    }
    return best;
}

size_t edit_distance(const char *left, const char *right, size_t limit)
{
    size_t height = strlen(left);
    size_t width = strlen(right);
    size_t gap = height > width ? height - width : width - height;
    if (gap > limit || height > WORD_MAX_BYTES || width > WORD_MAX_BYTES)
        return limit + 1;
    size_t rows[3][WORD_MAX_BYTES + 1] = {0};
    for (size_t j = 0; j <= width; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= height; i++) {
        size_t best =
            fill_row(left, i, right, width, rows[(i + 1) % 3], rows[(i - 1) % 3], rows[i % 3]);
        if (best > limit)
            return limit + 1;
    }
    return least(rows[height % 3][width], limit + 1);
}

const char *nearest_word(const char *word, const char *const candidates[], size_t count)
{
    const char *nearest = NULL;
    size_t limit = strlen(word) / 3 + 1; // a third of the letters may be wrong
    for (size_t i = 0; i < count; i++) {
        if (candidates[i] == NULL || strcmp(word, candidates[i]) == 0)
            continue;
        size_t distance = edit_distance(word, candidates[i], limit);
        if (distance > limit)
            continue;
        nearest = candidates[i];
        if (distance == 0)
            break;
        limit = distance - 1; // only a nearer one may replace it
    }
    return nearest;
}
